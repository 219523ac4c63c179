/* The weights of an encoder as its forward pass reads them: one block of floats, laid out once at start. */
#pragma once

#include "attention/plan.h"
#include "encoder/encoder.h"
#include "encoder/heads.h"

typedef struct EncoderLayer {
    EncoderLinear projections; /* hidden -> query, key and value side by side */
    EncoderLinear attention_output;
    EncoderNorm attention_norm;
    EncoderLinear intermediate;
    EncoderLinear output;
    EncoderNorm output_norm;
} EncoderLayer;

struct Encoder {
    const Kernels *kernels;
    ModelConfig config;
    AttentionPlan plan;
    GemmActivation activation;
    Tensor word_embeddings;           /* stays mapped, in its stored type: [vocabulary][hidden] */
    const float *position_embeddings; /* [positions][hidden] */
    const float *type_embeddings;     /* [types][hidden] */
    EncoderNorm embedding_norm;
    EncoderLayer *layers; /* [layer_count] */
    EncoderHead head;
    float *block; /* what all the pointers above point into */
};
