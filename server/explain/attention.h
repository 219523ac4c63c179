/* Attention weights of any layers, heads and rows, read as the sequence's answer is computed. */
#pragma once

#include "explain/pooled_row.h"

typedef struct ExplainAttention ExplainAttention;

/* What is returned, and what it takes. Counts of rows and entries are those of all weights together. */
typedef struct ExplainAttentionCost {
    uint32_t weights_count;
    uint64_t row_count;
    uint64_t entry_count;
    uint64_t memory_bytes;
    uint64_t work; /* floating-point operations */
} ExplainAttentionCost;

/* Exact, but for the pooled row of several in SPARSE form, which has at most so many entries. Rows that are asked for
 * and that the sequence has not are left out. What making the pooled row takes is not in it. */
ExplainAttentionCost explain_attention_cost(const ExplainAsked *asked);
/* All that it will ever need, of the arena, within the cost's memory_bytes. `pooled`, of the same request, is read in
 * POOLED form alone; it and what `asked` borrows outlive it. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status explain_attention_open(const ExplainAsked *asked, const PooledRow *pooled, Arena *arena,
                                      ExplainAttention **out_attention, Error *out_error);
EncoderProbe *explain_attention_probe(ExplainAttention *attention);
/* After the run, by layer and head: [*out_count]. Heads together are head 0. */
const ExplainWeights *explain_attention_weights(const ExplainAttention *attention, uint32_t *out_count);
