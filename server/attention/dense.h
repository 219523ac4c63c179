/* Attention of one sequence over itself, a tile of queries by a tile of keys at a time: no matrix of all scores
 * exists. */
#pragma once

#include "attention/plan.h"
#include "kernels/kernels.h"

/* Rows of queries, keys and values side by side, as one product makes them: row t holds query, key and value, each
 * head_count * head_size floats. */
typedef struct AttentionRows {
    float *rows;
    size_t stride; /* floats from a row to the next */
    uint32_t token_count;
} AttentionRows;

/* Floats of scratch that attention_dense needs; it does not grow with the sequence. A multiple of 16. */
size_t attention_scratch_size(const Kernels *kernels, const AttentionPlan *plan);

/* Replaces each query by softmax(scale * query * keys^T) * values, head by head. `scratch` is aligned to 64 bytes.
 * Tiles start at the sequence's own first token, so the bits depend on the sequence alone. Any thread; nothing is
 * allocated. */
void attention_dense(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *sequence,
                     float *scratch);
