/* The weights of an encoder as its forward pass reads them: one block of floats, laid out once at start. */
#pragma once

#include "attention/attention.h"
#include "attention/rotary.h"
#include "encoder/encoder.h"
#include "encoder/heads.h"
#include "encoder/layout.h"
#include "encoder/vector_steps.h"

/* Longformer: the projections of global rows. Those of keys and values are a product a head, one after the other. */
typedef struct GlobalProjections {
    EncoderLinear query;     /* no columns: global rows have none of their own */
    const float *keys;       /* [head_count] of [hidden][head_size]: they lead queries back to the hidden size */
    const float *values;     /* [head_count] of [head_size][hidden] */
    const float *value_bias; /* [hidden] */
} GlobalProjections;

typedef struct EncoderLayer {
    EncoderLinear queries;
    EncoderLinear keys_values; /* side by side */
    EncoderNorm query_norm;
    EncoderNorm key_norm;
    AttentionPlan plan;
    const Rotary *rotary; /* NULL: queries and keys are not rotated */
    GlobalProjections globals;
    EncoderLinear attention_output;
    EncoderNorm attention_norm;
    EncoderNorm second_norm;
    EncoderLinear intermediate; /* of a gated MLP: gates and values side by side */
    EncoderLinear output;
    EncoderNorm output_norm;
} EncoderLayer;

struct Encoder {
    const Kernels *kernels;
    ModelConfig config;
    const EncoderLayout *layout;
    GemmActivation activation;
    GemmActivation convolution_activation;
    Tensor word_embeddings;           /* stays mapped, in its stored type: [vocabulary][embedding] */
    const float *position_embeddings; /* [positions][embedding]; NULL: none */
    const float *type_embeddings;     /* [types][embedding]; NULL: none */
    EncoderNorm embedding_norm;
    EncoderLinear projection; /* embedding -> hidden; no columns: none */
    Rotary *rotary;           /* NULL: none */
    Rotary *local_rotary;     /* of the local layers */
    AttentionBuckets *buckets;
    AttentionBias bias;              /* what all layers share of it */
    const float *relative_positions; /* DeBERTa: [2 * span][hidden] */
    EncoderLayer *layers;            /* [encoder_layer_count] */
    EncoderLinear *convolution;      /* DeBERTa: [convolution_size], one a tap; NULL: none */
    EncoderNorm convolution_norm;
    EncoderNorm final_norm;
    EncoderHead head;
    EncoderSteps steps;
    bool windowed; /* by encoder_limit_window */
    size_t block_bytes;
    float *block; /* what all the pointers above point into */
};

/* The weights of the layer that is run as the `run`th; ALBERT's runs share theirs. */
const EncoderLayer *encoder_shared_layer(const Encoder *encoder, uint32_t run);
/* Layers that have weights of their own; fewer than are run where some are shared. */
uint32_t encoder_layer_count(const ModelConfig *config);
/* Floats of a row of queries, and of one of keys and values. */
uint32_t encoder_queries_width(const ModelConfig *config);
uint32_t encoder_keys_values_width(const ModelConfig *config);

/* One of the loader's passes over what all layers share of their attention, and over layer `index`. Fail as
 * checkpoint_tensor. */
CHECKED Status weights_load_positions(Loader *loader, Encoder *encoder);
CHECKED Status weights_load_layer(Loader *loader, Encoder *encoder, uint32_t index);
/* The part of the layer whose tensors the loader stands at. Fails as checkpoint_tensor. */
CHECKED Status weights_load_globals(Loader *loader, const Encoder *encoder, GlobalProjections *out_globals);
