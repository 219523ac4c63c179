/* A tensor as a checkpoint stores it, and its values as floats. */
#pragma once

#include <stdint.h>

typedef enum TensorType { TENSOR_F32, TENSOR_F16, TENSOR_BF16 } TensorType;

enum { TENSOR_RANK_MAX = 4 };

/* A tensor in the mapped file: row-major, little endian, aligned to its type only if the file is. */
typedef struct Tensor {
    TensorType type;
    uint32_t rank;
    uint64_t shape[TENSOR_RANK_MAX];
    uint64_t element_count; /* the product of the shape */
    const void *data;       /* lives as long as the checkpoint */
} Tensor;

/* Reads elements [index, index + count) as floats; f16 and bf16 are converted exactly: subnormals, infinities and
 * the bits of a NaN are kept. Any alignment, any thread. */
void tensor_read(const Tensor *tensor, uint64_t index, uint64_t count, float *out_values);
