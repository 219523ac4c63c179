/* Longformer's projections of global rows, laid out for encoder/global_rows.c. */
#include "encoder/weights.h"

#include <stdio.h>

/* A head's rows of a module's weights, [head_size][hidden]. */
typedef struct HeadRows {
    const float *rows;
    uint32_t head_size;
    uint32_t hidden;
} HeadRows;

static void head_read_row(const void *context, uint32_t column, float *out_row)
{
    const HeadRows *head = context;
    const float *row = head->rows + (size_t)column * head->hidden;
    for (uint32_t i = 0; i < head->hidden; i++) out_row[i] = row[i];
}

static void head_read_column(const void *context, uint32_t column, float *out_row)
{
    const HeadRows *head = context;
    for (uint32_t i = 0; i < head->head_size; i++) out_row[i] = head->rows[(size_t)i * head->hidden + column];
}

/* Lays each head's rows of `module` out as a product of its own; `back`: from head_size to hidden. */
static CHECKED Status globals_load_heads(Loader *loader, const char *module, bool back, const float **out_storage)
{
    const ModelConfig *config = loader->config;
    HeadRows head = {.head_size = config->head_size, .hidden = config->hidden_size};
    uint32_t columns = back ? head.hidden : head.head_size;
    uint32_t depth = back ? head.head_size : head.hidden;
    size_t head_floats = (size_t)head.head_size * head.hidden;
    char name[TENSOR_NAME_BYTES_MAX];
    Tensor tensor;
    snprintf(name, sizeof name, "%s.weight", module);
    Status status = loader_find(loader, name, (uint64_t)config->head_count * head.head_size, head.hidden, &tensor);
    if (status) return status;
    size_t size = gemm_weights_size(loader->kernels, columns, depth);
    float *storage = loader_take(loader, config->head_count * size);
    float *scratch = loader_scratch(loader, head_floats + gemm_scratch_size(loader->kernels, depth));
    *out_storage = storage;
    if (!storage) return STATUS_OK;
    head.rows = scratch;
    for (uint32_t i = 0; i < config->head_count; i++) {
        tensor_read(&tensor, i * head_floats, head_floats, scratch);
        gemm_weights_read(loader->kernels, columns, depth, back ? head_read_column : head_read_row, &head,
                          scratch + head_floats, storage + i * size);
    }
    checkpoint_release(loader->checkpoint, &tensor);
    return STATUS_OK;
}

/* A key's bias adds the same to all scores of a row, which a softmax does not see: it is proved, not kept. */
Status weights_load_globals(Loader *loader, const Encoder *encoder, GlobalProjections *out_globals)
{
    const EncoderLayout *layout = encoder->layout;
    uint32_t hidden = loader->config->hidden_size;
    LinearPart query = {layout->global_query, loader->config->head_count * loader->config->head_size};
    char name[TENSOR_NAME_BYTES_MAX];
    Tensor bias;
    Status status = loader_linear(loader, &query, 1, hidden, LINEAR_BIAS, &out_globals->query);
    if (!status) status = globals_load_heads(loader, layout->global_key, true, &out_globals->keys);
    if (!status) status = globals_load_heads(loader, layout->global_value, false, &out_globals->values);
    snprintf(name, sizeof name, "%s.bias", layout->global_key);
    if (!status) status = loader_find(loader, name, 0, query.columns, &bias);
    snprintf(name, sizeof name, "%s.bias", layout->global_value);
    return status ? status : loader_copy(loader, name, 0, query.columns, &out_globals->value_bias);
}
