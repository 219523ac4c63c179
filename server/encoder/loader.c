#include "encoder/loader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = LOADER_PREFIX_BYTES + TENSOR_NAME_BYTES_MAX };

/* The tensors whose rows are the columns of one product, one after the other. */
typedef struct LinearRows {
    Tensor tensors[LINEAR_PARTS_MAX];
    uint32_t first; /* the product's first column among them */
} LinearRows;

static void loader_name(const Loader *loader, const char *module, const char *kind, char out_name[NAME_BYTES])
{
    int written = snprintf(out_name, NAME_BYTES, "%s%s%s", loader->prefix, module, kind);
    assert(written > 0 && written < NAME_BYTES);
}

static CHECKED Status loader_find_kind(const Loader *loader, const char *module, const char *kind, uint64_t rows,
                                       uint64_t columns, Tensor *out_tensor)
{
    char name[NAME_BYTES];
    const uint64_t shape[] = {rows, columns};
    loader_name(loader, module, kind, name);
    return checkpoint_tensor(loader->checkpoint, name, rows ? 2 : 1, rows ? shape : shape + 1, out_tensor,
                             loader->error);
}

static bool loader_has_kind(const Loader *loader, const char *module, const char *kind)
{
    char name[NAME_BYTES];
    loader_name(loader, module, kind, name);
    return checkpoint_has_tensor(loader->checkpoint, name);
}

bool loader_has(const Loader *loader, const char *name)
{
    return loader_has_kind(loader, name, "");
}

void loader_enter(Loader *loader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(loader->prefix, sizeof loader->prefix, format, arguments);
    va_end(arguments);
    assert(written >= 0 && (size_t)written < sizeof loader->prefix);
}

void loader_leave(Loader *loader)
{
    loader->prefix[0] = '\0';
}

float *loader_take(Loader *loader, size_t size)
{
    float *start = loader->block ? loader->block + loader->used : NULL;
    loader->used += part_round_up(size);
    return start;
}

float *loader_scratch(Loader *loader, size_t size)
{
    if (size > loader->scratch_size) loader->scratch_size = size;
    return loader->scratch;
}

Status loader_find(const Loader *loader, const char *name, uint64_t rows, uint64_t columns, Tensor *out_tensor)
{
    return loader_find_kind(loader, name, "", rows, columns, out_tensor);
}

static CHECKED Status loader_copy_kind(Loader *loader, const char *module, const char *kind, uint64_t rows,
                                       uint64_t columns, const float **out_values)
{
    Tensor tensor;
    Status status = loader_find_kind(loader, module, kind, rows, columns, &tensor);
    if (status) return status;
    float *values = loader_take(loader, tensor.element_count);
    if (values) {
        tensor_read(&tensor, 0, tensor.element_count, values);
        checkpoint_release(loader->checkpoint, &tensor);
    }
    *out_values = values;
    return STATUS_OK;
}

Status loader_copy(Loader *loader, const char *name, uint64_t rows, uint64_t columns, const float **out_values)
{
    return loader_copy_kind(loader, name, "", rows, columns, out_values);
}

Status loader_norm(Loader *loader, const char *module, uint32_t size, NormKind kind, EncoderNorm *out_norm)
{
    out_norm->kind = kind;
    out_norm->shift = NULL;
    Status status = loader_copy_kind(loader, module, ".weight", 0, size, &out_norm->gain);
    if (status || kind != NORM_LAYER) return status;
    return loader_copy_kind(loader, module, ".bias", 0, size, &out_norm->shift);
}

static void loader_read_row(const void *context, uint32_t column, float *out_row)
{
    const LinearRows *rows = context;
    const Tensor *tensor = rows->tensors;
    column += rows->first;
    while (column >= tensor->shape[0]) column -= (uint32_t)tensor++->shape[0];
    tensor_read(tensor, column * tensor->shape[1], tensor->shape[1], out_row);
}

/* The bias of all parts, end to end in scratch; a part without one has zeros. */
static CHECKED Status loader_read_biases(Loader *loader, const LinearPart *parts, uint32_t part_count,
                                         LinearBias mode, float *scratch)
{
    for (uint32_t i = 0; i < part_count; i++) {
        Tensor tensor;
        uint32_t size = parts[i].columns;
        if (mode == LINEAR_BIAS || loader_has_kind(loader, parts[i].module, ".bias")) {
            Status status = loader_find_kind(loader, parts[i].module, ".bias", 0, size, &tensor);
            if (status) return status;
            if (scratch) tensor_read(&tensor, 0, size, scratch);
        } else if (scratch) {
            for (uint32_t j = 0; j < size; j++) scratch[j] = 0;
        }
        if (scratch) scratch += size;
    }
    return STATUS_OK;
}

static uint32_t loader_columns(const LinearPart *parts, uint32_t part_count)
{
    uint32_t columns = 0;
    for (uint32_t i = 0; i < part_count; i++) columns += parts[i].columns;
    return columns;
}

static CHECKED Status loader_bias(Loader *loader, const LinearPart *parts, uint32_t part_count, LinearBias mode,
                                  uint32_t first, uint32_t columns, const float **out_bias)
{
    bool present = mode == LINEAR_BIAS;
    for (uint32_t i = 0; mode == LINEAR_BIAS_IF_PRESENT && i < part_count; i++)
        present |= loader_has_kind(loader, parts[i].module, ".bias");
    *out_bias = NULL;
    if (!present) return STATUS_OK;
    float *scratch = loader_scratch(loader, loader_columns(parts, part_count));
    float *bias = loader_take(loader, columns);
    Status status = loader_read_biases(loader, parts, part_count, mode, scratch);
    if (bias) memcpy(bias, scratch + first, columns * sizeof *bias);
    *out_bias = bias;
    return status;
}

Status loader_linear_columns(Loader *loader, const LinearPart *parts, uint32_t part_count, uint32_t depth,
                             LinearBias bias, uint32_t first, uint32_t columns, EncoderLinear *out_linear)
{
    assert(part_count >= 1 && part_count <= LINEAR_PARTS_MAX);
    assert(first + columns <= loader_columns(parts, part_count));
    LinearRows rows = {.first = first};
    for (uint32_t i = 0; i < part_count; i++) {
        Status status =
            loader_find_kind(loader, parts[i].module, ".weight", parts[i].columns, depth, &rows.tensors[i]);
        if (status) return status;
    }
    Status status = loader_bias(loader, parts, part_count, bias, first, columns, &out_linear->bias);
    if (status) return status;
    float *storage = loader_take(loader, gemm_weights_size(loader->kernels, columns, depth));
    float *scratch = loader_scratch(loader, gemm_scratch_size(loader->kernels, depth));
    if (!storage) return STATUS_OK;
    out_linear->weights =
        gemm_weights_read(loader->kernels, columns, depth, loader_read_row, &rows, scratch, storage);
    for (uint32_t i = 0; i < part_count; i++) checkpoint_release(loader->checkpoint, &rows.tensors[i]);
    return STATUS_OK;
}

Status loader_linear(Loader *loader, const LinearPart *parts, uint32_t part_count, uint32_t depth, LinearBias bias,
                     EncoderLinear *out_linear)
{
    return loader_linear_columns(loader, parts, part_count, depth, bias, 0, loader_columns(parts, part_count),
                                 out_linear);
}

typedef struct TapRows {
    Tensor tensor;
    uint32_t tap;
} TapRows;

static void loader_read_tap(const void *context, uint32_t column, float *out_row)
{
    const TapRows *rows = context;
    uint64_t size = rows->tensor.shape[1];
    uint64_t tap_count = rows->tensor.shape[2];
    for (uint64_t i = 0; i < size; i++)
        tensor_read(&rows->tensor, (column * size + i) * tap_count + rows->tap, 1, out_row + i);
}

Status loader_convolution(Loader *loader, const char *module, uint32_t size, uint32_t tap_count,
                          EncoderLinear *out_taps)
{
    TapRows rows;
    char name[NAME_BYTES];
    const uint64_t shape[] = {size, size, tap_count};
    loader_name(loader, module, ".weight", name);
    Status status = checkpoint_tensor(loader->checkpoint, name, 3, shape, &rows.tensor, loader->error);
    if (status) return status;
    status = loader_copy_kind(loader, module, ".bias", 0, size, &out_taps[tap_count / 2].bias);
    if (status) return status;
    for (rows.tap = 0; rows.tap < tap_count; rows.tap++) {
        float *storage = loader_take(loader, gemm_weights_size(loader->kernels, size, size));
        float *scratch = loader_scratch(loader, gemm_scratch_size(loader->kernels, size));
        if (!storage) continue;
        out_taps[rows.tap].weights =
            gemm_weights_read(loader->kernels, size, size, loader_read_tap, &rows, scratch, storage);
    }
    return STATUS_OK;
}
