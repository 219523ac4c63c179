/* What is added to a tile of scores, and which of them a window hides. Everything here depends on the distance between
 * key and query, so a tile needs one value for each of its diagonals. */
#pragma once

#include "attention/attention.h"

enum {
    /* Scores that stay close, in tiles so large that their edges cost little. */
    TILE_QUERIES = 36,
    TILE_KEYS = 288, /* whole panels of every variant; the default model's usual texts fit one tile */
    TILE_DISTANCES = TILE_QUERIES + TILE_KEYS - 1,
    BLOCK_DISTANCES = ATTENTION_QUERY_BLOCK + TILE_KEYS - 1,
};

/* A hidden key's score: far below any other, so that its weight is the least that exp gives, 1e-38; finite, so that a
 * row whose keys are all hidden in one tile does not become NaN: the next tile makes its sums so far worth nothing. */
#define SCORE_HIDDEN (-1e30f)

/* Queries and keys, both by their positions in the sequence. */
typedef struct ScoreBlock {
    uint32_t query;
    uint32_t queries;
    uint32_t key;
    uint32_t keys;
    const uint32_t *positions; /* [keys] of global keys; NULL: they follow each other from `key` on */
} ScoreBlock;

/* Floats of scratch that a layer's biases take; 0 for most. */
size_t positions_by_query_size(const Kernels *kernels, const AttentionPlan *plan);
size_t positions_by_key_size(const AttentionPlan *plan);

/* Replaces scores[queries][keys], a row each TILE_KEYS floats, by scale * scores + bias, and by a number whose weight
 * is nothing where the window hides a key that is not global. Returns the scale that is left to apply: without a bias
 * or a hidden key, scores are left alone. */
float bias_add(const Kernels *kernels, const AttentionPlan *plan, uint32_t head, const ScoreBlock *tile,
               float *scores);

/* One head's terms of positions. Does nothing for other biases. */
typedef struct PositionTerms {
    const Kernels *kernels;
    const AttentionPlan *plan;
    uint32_t head;
    float *by_query; /* positions_by_query_size: [TILE_QUERIES][rows of position keys] */
    float *by_key;   /* positions_by_key_size: [rows of position queries][TILE_KEYS] */
    uint32_t key;    /* of by_key, the first */
    uint32_t row;
} PositionTerms;

/* Prepares for the queries and keys of `block`, the keys given as panels. */
void positions_multiply_keys(PositionTerms *terms, const ScoreBlock *block, const float *panels);
/* Adds the terms to the scores of a tile of the block; its queries are `stride` apart. */
void positions_add(const PositionTerms *terms, const ScoreBlock *tile, const float *queries, size_t stride,
                   float *scores);
