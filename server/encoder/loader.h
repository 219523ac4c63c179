/* Reading a checkpoint's weights into one block of floats, for the files of encoder/ only. The same code runs twice:
 * the first pass proves that every tensor is there with the right shape and adds up the block's size, the second lays
 * the tensors out. So no memory is asked for on the word of a configuration alone. */
#pragma once

#include "base/limits.h"
#include "encoder/parts.h"
#include "model/checkpoint.h"

enum {
    TENSOR_NAME_BYTES_MAX = 128,                     /* of the names that we ask for, without a prefix */
    LOADER_PREFIX_BYTES = MODULE_PATH_BYTES_MAX + 1, /* a module's folder and its '/', or "encoder.layer.11." */
    LINEAR_PARTS_MAX = 3,                            /* query, key and value */
};

/* One thread. What the functions below put out points into the block; it is NULL, or not set, in the first pass. */
typedef struct Loader {
    const Checkpoint *checkpoint;
    const ModelConfig *config;
    const Kernels *kernels;
    Error *error;
    size_t used;    /* floats of the block so far */
    float *block;   /* NULL in the first pass */
    float *scratch; /* the largest that was asked for; NULL in the first pass */
    size_t scratch_size;
    char prefix[LOADER_PREFIX_BYTES]; /* of the module being read, with its '.'; stands before every name */
} Loader;

/* Whether the checkpoint has the tensor `name`, such as "classifier.weight". */
bool loader_has(const Loader *loader, const char *name);
/* Sets the prefix; loader_leave takes it away. */
void loader_enter(Loader *loader, const char *format, ...) __attribute__((format(printf, 2, 3)));
void loader_leave(Loader *loader);
/* The next `size` floats of the block, for what is computed from weights; NULL in the first pass. */
float *loader_take(Loader *loader, size_t size);
/* Scratch until the next call of a function below; NULL in the first pass. */
float *loader_scratch(Loader *loader, size_t size);
/* Proves a tensor of [rows][columns], or of [columns] when rows is 0, without reading it. All functions from here on
 * fail as checkpoint_tensor. */
CHECKED Status loader_find(const Loader *loader, const char *name, uint64_t rows, uint64_t columns,
                           Tensor *out_tensor);
/* As loader_find, and copies it as it is. */
CHECKED Status loader_copy(Loader *loader, const char *name, uint64_t rows, uint64_t columns,
                           const float **out_values);
CHECKED Status loader_norm(Loader *loader, const char *module, uint32_t size, NormKind kind,
                           EncoderNorm *out_norm);

/* A module of a linear layer: the tensor "<module>.weight", [columns][depth], and its ".bias". */
typedef struct LinearPart {
    const char *module;
    uint32_t columns;
} LinearPart;

typedef enum LinearBias { LINEAR_BIAS, LINEAR_NO_BIAS, LINEAR_BIAS_IF_PRESENT } LinearBias;

/* Lays the modules out side by side as one product. */
CHECKED Status loader_linear(Loader *loader, const LinearPart *parts, uint32_t part_count, uint32_t depth,
                             LinearBias bias, EncoderLinear *out_linear);
/* The same of `columns` of all their columns, from `first` on. */
CHECKED Status loader_linear_columns(Loader *loader, const LinearPart *parts, uint32_t part_count, uint32_t depth,
                                     LinearBias bias, uint32_t first, uint32_t columns, EncoderLinear *out_linear);

/* A convolution over rows of `size` in and out, [size][size][tap_count]: one product a tap, the bias in the middle one.
 */
CHECKED Status loader_convolution(Loader *loader, const char *module, uint32_t size, uint32_t tap_count,
                                  EncoderLinear *out_taps);
