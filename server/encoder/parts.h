/* The smallest parts of an encoder, whose numbers lie in its block. */
#pragma once

#include "kernels/gemm.h"
#include "model/config.h"

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
