/* The row of attention that an answer is read from, one run of the layers after the other: the mean of the pooled rows'
 * weights, for each head over all tokens. */
#pragma once

#include "explain/memory.h"
#include "explain/sequence.h"

typedef struct PooledRow {
    const ExplainSequence *sequence;
    const uint32_t *heads; /* [head_count] */
    uint32_t head_count;
    uint32_t all_head_count;
    float share;           /* 1 / the number of pooled rows */
    float *shares;         /* [tokens]: 1 of pooled rows, for a mass; NULL: they are too few for one */
    AttentionMass *masses; /* [unit_count] */
    uint32_t unit_count;
    bool has_globals; /* some are Longformer's global rows */
    float *sums;      /* [unit_count][all heads][tokens] */
    float *global_sums;
} PooledRow;

/* Takes from `memory` what it needs; `sequence` and `heads` outlive it. */
PooledRow pooled_row_make(const ExplainSequence *sequence, const uint32_t *heads, uint32_t head_count,
                          ExplainMemory *memory);
/* Before a run, and as a probe is shown its rows. */
void pooled_row_enter(PooledRow *row);
void pooled_row_attend(PooledRow *row, const ProbedRows *shown);
void pooled_row_attend_globals(PooledRow *row, const ProbedGlobals *shown);
/* After it: sums[all heads][tokens] are the weights, but for those of has_globals' rows, which stand in global_sums.
 * The two together sum to 1. Those of heads that were not asked for are anything. */
void pooled_row_leave(PooledRow *row);
/* Floating-point operations of a run. */
uint64_t pooled_row_work(const ExplainSequence *sequence, uint32_t run, uint32_t head_count);
