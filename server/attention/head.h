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

/* One head's keys and values as products read them: of whole panels of keys, but for the last of a text. */
typedef struct HeadPanels {
    const float *keys;   /* panels of [head_size][panel's keys], from the block's first key on */
    const float *values; /* panels of [count][columns] */
    uint32_t first;      /* the key of the first row of values */
    uint32_t count;
} HeadPanels;

/* The first of `queries` is that of first_query. */
typedef struct AttentionHead {
    const Kernels *kernels;
    const AttentionPlan *plan;
    uint32_t index;
    float *part[PART_COUNT];
    float *queries;
    const float *keys; /* rows; with laid_out.keys, neither they nor values are read */
    const float *values;
    HeadPanels laid_out; /* of the whole text, where rows->panels are; else zeroed */
    HeadPanels panels;   /* of the block that was packed */
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
/* The keys that the block's queries see, widened to whole panels. */
KeyRange head_range(const AttentionHead *head, const ScoreBlock *block);
/* Makes head->panels those of the block's keys, global ones gathered, and of its values where the rows have any. */
void head_pack(AttentionHead *head, const ScoreBlock *block);
/* The scores of a tile of the block that was packed, a row each TILE_KEYS floats. *out_scale is left to apply. */
float *head_scores(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile, float *out_scale);
