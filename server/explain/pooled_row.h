/* The row of attention that an answer is read from, one run of the layers after the other: the mean of the pooled rows'
 * weights, for each head over all tokens. Made once, whoever reads it: it looks on by itself. */
#pragma once

#include "explain/memory.h"
#include "explain/sequence.h"

typedef struct PooledRow PooledRow;

/* Bytes of an arena, at most, and floating-point operations. */
uint64_t pooled_row_bytes(const ExplainAsked *asked);
uint64_t pooled_row_work(const ExplainAsked *asked);
/* All that it will ever need, of the arena. What `asked` borrows outlives it. NULL: fails with RESOURCE_EXHAUSTED. */
PooledRow *pooled_row_open(const ExplainAsked *asked, Arena *arena, Error *out_error);
/* Comes before those of the readers: the row of a run stands from its own `leave` to the next `enter`. */
EncoderProbe *pooled_row_probe(PooledRow *row);

/* Whether some pooled rows are Longformer's global ones, which see values of their own: their weights stand apart. */
bool pooled_row_has_globals(const ExplainSequence *sequence);
/* [heads][tokens]: the weights of the others, and those of global rows (NULL: there are none). Both sum to 1. */
const float *pooled_row_sums(const PooledRow *row);
const float *pooled_row_global_sums(const PooledRow *row);
/* out_weights[tokens] = both together, of one head. */
void pooled_row_read(const PooledRow *row, uint32_t head, float *out_weights);
