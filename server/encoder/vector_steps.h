/* The modules between a text's pooled vector and the vector it is known by: sentence-transformers' Dense, LayerNorm and
 * Normalize. */
#pragma once

#include "encoder/encoder.h"
#include "encoder/loader.h"

#define VECTOR_LAYER_NORM_EPSILON 1e-5f /* torch.nn.LayerNorm's own */

typedef struct EncoderStep {
    VectorStepKind kind;
    EncoderLinear dense;
    GemmActivation activation;
    EncoderNorm norm;
    uint32_t output_size;
} EncoderStep;

typedef struct EncoderSteps {
    uint32_t count;
    EncoderStep steps[VECTOR_STEP_COUNT_MAX];
    uint32_t pooled_size; /* of the vector before the first */
    uint32_t width;       /* of the widest vector in between */
} EncoderSteps;

/* One of the loader's two passes. Fails as checkpoint_tensor. */
CHECKED Status vector_steps_load(Loader *loader, EncoderSteps *out_steps);

/* Floats of the widest vector before, between and behind the steps; 0 when vectors are sparse. */
uint32_t vector_steps_width(const Encoder *encoder);
/* Takes a pooled vector through all steps, in place. `vector` and `scratch` have room for the widest. Cannot fail. */
void vector_steps_apply(const Encoder *encoder, float *vector, float *scratch);
