/* Products of activations with weights that never change: the weights are laid out once, for the kernels in use.
 */
#pragma once

#include "kernels/kernels.h"

/* The weights of one linear layer. A value over storage of its owner; immutable once read: any thread. */
typedef struct GemmWeights {
    const float *storage;
    uint32_t columns; /* outputs */
    uint32_t depth;   /* inputs */
} GemmWeights;

/* Fills out_row with the `depth` weights of output `column`. */
typedef void (*GemmRowReader)(const void *context, uint32_t column, float *out_row);

/* What comes after a product, while the rows are still in the cache. */
typedef struct GemmEpilogue {
    const float *bias;     /* [columns]; NULL: none */
    const float *residual; /* [rows][columns], may be the output itself; NULL: none */
    size_t residual_stride;
    GemmActivation activation;
} GemmEpilogue;

/* Floats of storage that weights of this shape take; a multiple of 16. */
size_t gemm_weights_size(const Kernels *kernels, uint32_t columns, uint32_t depth);
/* Floats of scratch that gemm_weights_read needs. */
size_t gemm_scratch_size(const Kernels *kernels, uint32_t depth);
/* Reads every column once, in order, and lays the weights out in `storage` (aligned to 64 bytes, gemm_weights_size
 * floats, outlives the result). */
GemmWeights gemm_weights_read(const Kernels *kernels, uint32_t columns, uint32_t depth, GemmRowReader read,
                              const void *context, float *scratch, float *storage);

/* c[rows][columns] = activation(a[rows][depth] * weights + bias + residual). With GEMM_PACKED, a row's result is
 * the same bits whatever the rows beside it. Any thread; nothing is allocated. */
void gemm_multiply(const Kernels *kernels, const GemmWeights *weights, const float *a, size_t a_stride,
                   uint32_t rows, float *c, size_t c_stride, const GemmEpilogue *epilogue);

/* Floats of scratch that gemm_multiply_back needs; a multiple of 16. */
size_t gemm_back_scratch_size(const Kernels *kernels);
/* c[rows][depth] = a[rows][columns] * weights^T + residual: leads gradients of a product's columns back to its inputs.
 * `residual`, with c's stride, may be c, or NULL. The weights are laid out anew as they are needed, a part at a time: a
 * few percent of the product, at many rows. A row's bits do not depend on those beside it. Any thread. */
void gemm_multiply_back(const Kernels *kernels, const GemmWeights *weights, const float *a, size_t a_stride,
                        uint32_t rows, float *c, size_t c_stride, const float *residual, float *scratch);
