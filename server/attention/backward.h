/* Gradients through the attention of one sequence whose queries see all keys with nothing added to their scores.
 * Weights are made again, a few queries at a time: no matrix of all scores exists here either. */
#pragma once

#include "attention/plan.h"
#include "kernels/kernels.h"

/* All of a sequence's rows, token_count each, of all heads. */
typedef struct AttentionGradients {
    float *queries;        /* as they met the keys; their gradients take their place */
    const float *contexts; /* what attention made of them */
    const float *context_gradients;
    size_t query_stride; /* of the three above */
    float *keys;         /* likewise replaced by their gradients */
    float *values;
    size_t key_stride;
    uint32_t token_count;
} AttentionGradients;

/* Whether the plan's gradients are made: it hides no key, adds nothing, and no head shares another's key. */
bool attention_has_backward(const AttentionPlan *plan);
/* Floats of scratch that attention_backward needs for a sequence; it grows with it. A multiple of 16. */
size_t attention_backward_scratch_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count);
/* With W = softmax(scale * Q K^T), O = W V and G the gradient of O:
 *     dV = W^T G,  dS = scale * W (G V^T - rows(G * O)),  dQ = dS K,  dK = dS^T Q
 * head by head. `scratch` is aligned to 64 bytes. Bits depend on the sequence alone. Any thread. */
void attention_backward(const Kernels *kernels, const AttentionPlan *plan, const AttentionGradients *rows,
                        float *scratch);
