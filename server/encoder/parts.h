/* The smallest parts of an encoder, whose numbers lie in its block. */
#pragma once

#include "kernels/gemm.h"
#include "model/config.h"

/* Floats of a cache line, on which the parts of blocks and of scratch start. */
enum { PART_ALIGNMENT = 16 };

static inline size_t part_round_up(size_t size)
{
    return (size + PART_ALIGNMENT - 1) / PART_ALIGNMENT * PART_ALIGNMENT;
}

/* y = x * weights + bias */
typedef struct EncoderLinear {
    GemmWeights weights;
    const float *bias; /* [columns]; NULL: none */
} EncoderLinear;

typedef struct EncoderNorm {
    const float *gain;  /* [size]; NULL: the rows stay as they are */
    const float *shift; /* [size]; NULL: none */
    NormKind kind;
} EncoderNorm;
