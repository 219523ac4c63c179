/* One head of a sequence's attention, a tile at a time, as attention and its weights both compute it; for the files of
 * attention/ only. */
#pragma once

#include "attention/pattern.h"

static inline uint32_t head_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline size_t head_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

/* The scratch's parts, each starting on a cache line. */
typedef enum AttentionPart {
    PART_KEYS,     /* panels of [head_size][keys] */
    PART_VALUES,   /* panels of [keys][head_size] */
    PART_SCORES,   /* [TILE_QUERIES][TILE_KEYS] */
    PART_OUTPUTS,  /* [ATTENTION_QUERY_BLOCK][head_size] */
    PART_MAXIMA,   /* [ATTENTION_QUERY_BLOCK] */
    PART_SUMS,     /* [ATTENTION_QUERY_BLOCK] */
    PART_FACTORS,  /* [TILE_QUERIES] */
    PART_BY_QUERY, /* PositionTerms */
    PART_BY_KEY,
    PART_COUNT,
} AttentionPart;

/* The first of `queries` is that of first_query. */
typedef struct AttentionHead {
    const Kernels *kernels;
    const AttentionPlan *plan;
    uint32_t index;
    float *part[PART_COUNT];
    float *queries;
    const float *keys;
    const float *values;
    size_t query_stride;
    size_t key_stride;
    uint32_t first_query;
    uint32_t size;
    Pattern pattern;
    PositionTerms positions;
    float *scores; /* of a tile: PART_SCORES, or where they wait (mass.h) */
} AttentionHead;

/* A value that borrows all of them; no head is chosen yet. */
AttentionHead head_make(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                        float *scratch);
void head_choose(AttentionHead *head, const AttentionRows *rows, uint32_t index);
float *head_query(const AttentionHead *head, uint32_t query);
/* Lays the block's keys out as panels, global ones gathered, and its values where the rows have any. */
void head_pack(AttentionHead *head, const ScoreBlock *block);
/* The scores of a tile of the block that was packed, a row each TILE_KEYS floats. *out_scale is left to apply. */
float *head_scores(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile, float *out_scale);
