/* Reading a checkpoint's weights into one block, in two passes over the same code: the first proves that every
 * tensor is there with the right shape and adds up the block's size, the second lays the tensors out. So no memory
 * is asked for on the word of a configuration alone. */
#include "encoder/weights.h"

#include "encoder/names.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 16,                    /* floats: a cache line */
    HUGE_PAGE_BYTES = 2 * 1024 * 1024, /* weights are read end to end all the time: fewer, larger pages */
    TENSORS_OF_LINEAR = 3,             /* query, key and value */
};

typedef struct Loader {
    const Checkpoint *checkpoint;
    const ModelConfig *config;
    const EncoderNames *names;
    const Kernels *kernels;
    Error *error;
    size_t used;    /* floats of the block so far */
    float *block;   /* NULL in the first pass */
    float *scratch; /* gemm_scratch_size of the deepest product; NULL in the first pass */
    size_t scratch_size;
    char prefix[TENSOR_NAME_BYTES_MAX]; /* of the layer being read, with its '.' */
} Loader;

/* The tensors whose rows are the columns of one product, one after the other. */
typedef struct LinearRows {
    Tensor tensors[TENSORS_OF_LINEAR];
    uint32_t rows_of_each;
} LinearRows;

static size_t weights_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

/* The next `size` floats of the block; NULL in the first pass. */
static float *weights_take(Loader *loader, size_t size)
{
    float *start = loader->block ? loader->block + loader->used : NULL;
    loader->used += weights_round_up(size, ALIGNMENT);
    return start;
}

static CHECKED Status weights_find(const Loader *loader, const char *module, const char *kind, uint32_t rank,
                                   const uint64_t *shape, Tensor *out_tensor)
{
    char name[2 * TENSOR_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s%s.%s", loader->prefix, module, kind);
    return checkpoint_tensor(loader->checkpoint, name, rank, shape, out_tensor, loader->error);
}

/* Reads a whole tensor of [rows][columns] floats, or of [columns] when rows is 0, as it is. */
static CHECKED Status weights_copy(Loader *loader, const char *module, const char *kind, uint64_t rows,
                                   uint64_t columns, const float **out_values)
{
    Tensor tensor;
    const uint64_t shape[] = {rows, columns};
    Status status = weights_find(loader, module, kind, rows ? 2 : 1, rows ? shape : shape + 1, &tensor);
    if (status) return status;
    float *values = weights_take(loader, tensor.element_count);
    if (values) {
        tensor_read(&tensor, 0, tensor.element_count, values);
        checkpoint_release(loader->checkpoint, &tensor);
    }
    *out_values = values;
    return STATUS_OK;
}

static CHECKED Status weights_norm(Loader *loader, const char *module, EncoderNorm *out_norm)
{
    Status status = weights_copy(loader, module, "weight", 0, loader->config->hidden_size, &out_norm->gain);
    if (status) return status;
    return weights_copy(loader, module, "bias", 0, loader->config->hidden_size, &out_norm->shift);
}

static void weights_read_row(const void *context, uint32_t column, float *out_row)
{
    const LinearRows *rows = context;
    const Tensor *tensor = &rows->tensors[column / rows->rows_of_each];
    uint64_t depth = tensor->shape[1];
    tensor_read(tensor, column % rows->rows_of_each * depth, depth, out_row);
}

/* Lays `count` modules of [columns][depth] out as one product with count * columns results. */
static CHECKED Status weights_linear(Loader *loader, const char *const *modules, uint32_t count, uint32_t columns,
                                     uint32_t depth, EncoderLinear *out_linear)
{
    assert(count <= TENSORS_OF_LINEAR);
    LinearRows rows = {.rows_of_each = columns};
    const uint64_t shape[] = {columns, depth};
    float *bias = weights_take(loader, (size_t)count * columns);
    for (uint32_t i = 0; i < count; i++) {
        Tensor tensor;
        Status status = weights_find(loader, modules[i], "weight", 2, shape, &rows.tensors[i]);
        if (status) return status;
        status = weights_find(loader, modules[i], "bias", 1, shape, &tensor);
        if (status) return status;
        if (bias) tensor_read(&tensor, 0, columns, bias + (size_t)i * columns);
    }
    float *storage = weights_take(loader, gemm_weights_size(loader->kernels, count * columns, depth));
    size_t scratch_size = gemm_scratch_size(loader->kernels, depth);
    if (scratch_size > loader->scratch_size) loader->scratch_size = scratch_size;
    if (!storage) return STATUS_OK;
    out_linear->bias = bias;
    out_linear->weights = gemm_weights_read(loader->kernels, count * columns, depth, weights_read_row, &rows,
                                            loader->scratch, storage);
    for (uint32_t i = 0; i < count; i++) checkpoint_release(loader->checkpoint, &rows.tensors[i]);
    return STATUS_OK;
}

static CHECKED Status weights_layer(Loader *loader, uint32_t index, EncoderLayer *out_layer)
{
    const EncoderNames *names = loader->names;
    uint32_t hidden = loader->config->hidden_size;
    uint32_t intermediate = loader->config->intermediate_size;
    snprintf(loader->prefix, sizeof loader->prefix, "%s.%u.", names->layer, index);
    const char *const projections[] = {names->query, names->key, names->value};
    Status status = weights_linear(loader, projections, 3, hidden, hidden, &out_layer->projections);
    if (status) return status;
    status = weights_linear(loader, &names->attention_output, 1, hidden, hidden, &out_layer->attention_output);
    if (status) return status;
    status = weights_norm(loader, names->attention_norm, &out_layer->attention_norm);
    if (status) return status;
    status = weights_linear(loader, &names->intermediate, 1, intermediate, hidden, &out_layer->intermediate);
    if (status) return status;
    status = weights_linear(loader, &names->output, 1, hidden, intermediate, &out_layer->output);
    if (status) return status;
    return weights_norm(loader, names->output_norm, &out_layer->output_norm);
}

static CHECKED Status weights_embeddings(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const EncoderNames *names = loader->names;
    const uint64_t words[] = {config->vocabulary_size, config->hidden_size};
    loader->prefix[0] = '\0';
    Status status = weights_find(loader, names->word_embeddings, "weight", 2, words, &encoder->word_embeddings);
    if (status) return status;
    status = weights_copy(loader, names->position_embeddings, "weight", config->position_count,
                          config->hidden_size, &encoder->position_embeddings);
    if (status) return status;
    status = weights_copy(loader, names->type_embeddings, "weight", config->type_count, config->hidden_size,
                          &encoder->type_embeddings);
    if (status) return status;
    return weights_norm(loader, names->embedding_norm, &encoder->embedding_norm);
}

static CHECKED Status weights_pass(Loader *loader, Encoder *encoder)
{
    loader->used = 0;
    Status status = weights_embeddings(loader, encoder);
    for (uint32_t i = 0; !status && i < loader->config->layer_count; i++)
        status = weights_layer(loader, i, &encoder->layers[i]);
    return status;
}

static CHECKED Status weights_allocate(Loader *loader, Encoder *encoder)
{
    size_t bytes = weights_round_up(loader->used * sizeof(float), HUGE_PAGE_BYTES);
    encoder->block = aligned_alloc(HUGE_PAGE_BYTES, bytes);
    loader->scratch = malloc(loader->scratch_size * sizeof(float));
    loader->block = encoder->block;
    if (!encoder->block || !loader->scratch)
        return error_set(loader->error, STATUS_NO_MEMORY,
                         "%s: its weights take %zu MiB, which this process cannot get",
                         checkpoint_directory(loader->checkpoint), bytes >> 20);
    /* Advice only: without huge pages the same reads miss the TLB more often. */
    (void)madvise(encoder->block, bytes, MADV_HUGEPAGE);
    return STATUS_OK;
}

static GemmActivation weights_activation(Activation activation)
{
    switch (activation) {
    case ACTIVATION_GELU:
        return GEMM_GELU;
    case ACTIVATION_GELU_TANH:
        return GEMM_GELU_TANH;
    case ACTIVATION_RELU:
        return GEMM_RELU;
    case ACTIVATION_SILU:
        return GEMM_SILU;
    }
    assert(!"an activation that config.c let through");
    return GEMM_NONE;
}

static void weights_describe(Encoder *encoder, const ModelConfig *config, const Kernels *kernels)
{
    uint32_t head_size = config->hidden_size / config->head_count;
    encoder->config = *config;
    encoder->kernels = kernels;
    encoder->activation = weights_activation(config->activation);
    encoder->plan = (AttentionPlan){
        .head_count = config->head_count, .head_size = head_size, .scale = 1.0f / sqrtf((float)head_size)};
}

CHECKED Status encoder_open(const Checkpoint *checkpoint, const Kernels *kernels, Encoder **out_encoder,
                            Error *out_error)
{
    const ModelConfig *config = checkpoint_config(checkpoint);
    Loader loader = {.checkpoint = checkpoint,
                     .config = config,
                     .names = encoder_names(config->architecture),
                     .kernels = kernels,
                     .error = out_error};
    Status status = STATUS_NO_MEMORY;
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder) encoder->layers = calloc(config->layer_count, sizeof *encoder->layers);
    if (!encoder || !encoder->layers) {
        (void)error_set(out_error, status, "No memory for the encoder of %s", checkpoint_directory(checkpoint));
        goto fail;
    }
    weights_describe(encoder, config, kernels);
    status = weights_pass(&loader, encoder);
    if (status) goto fail;
    status = weights_allocate(&loader, encoder);
    if (status) goto fail;
    size_t proved = loader.used;
    status = weights_pass(&loader, encoder);
    if (status) goto fail;
    assert(loader.used == proved);
    free(loader.scratch);
    *out_encoder = encoder;
    return STATUS_OK;
fail:
    free(loader.scratch);
    encoder_close(encoder);
    return status;
}

void encoder_close(Encoder *encoder)
{
    if (!encoder) return;
    free(encoder->block);
    free(encoder->layers);
    free(encoder);
}
