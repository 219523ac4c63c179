/* Which keys a tile of queries sees: all, a window around each query, or blocks; for the files of attention/ only. */
#pragma once

#include "attention/bias.h"

/* One sequence under a layer's plan. A value that borrows the plan and the positions. */
typedef struct Pattern {
    const AttentionPlan *plan;
    uint32_t token_count;
    const uint32_t *global_positions; /* ascending */
    uint32_t global_count;            /* 0 where each query sees all keys anyway */
    uint32_t block_size;              /* 0: no blocks, because of the plan or since the text is short */
} Pattern;

typedef struct KeyRange {
    uint32_t first;
    uint32_t end; /* <= first: none */
} KeyRange;

Pattern pattern_make(const AttentionPlan *plan, const AttentionRows *rows);
/* Where a tile of queries that begins at `query` ends: all its queries see the same blocks. */
uint32_t pattern_tile_end(const Pattern *pattern, uint32_t query, uint32_t end);
/* The keys from the first to the last that any of the queries of `block`, which may be many tiles, sees. */
KeyRange pattern_range(const Pattern *pattern, const ScoreBlock *block);
/* The same of the keys of `tile`; its queries are one tile. Between them some may be hidden. */
KeyRange pattern_visible(const Pattern *pattern, const ScoreBlock *tile);
/* Whether the first key that the tile's queries see is one of its keys. */
bool pattern_begins(const Pattern *pattern, const ScoreBlock *tile);
enum { PATTERN_RANGES_MAX = 3 };

/* The keys that `query` sees but for global ones, as ascending ranges that do not touch. Returns how many. */
uint32_t pattern_ranges(const Pattern *pattern, uint32_t query, KeyRange out_ranges[PATTERN_RANGES_MAX]);
/* The number of global positions below `position`. */
uint32_t pattern_globals_below(const Pattern *pattern, uint32_t position);
/* Fills added[keys] with what is added to the unscaled scores of a key, whatever the query of the tile; false when that
 * is nothing. */
bool pattern_add(const Pattern *pattern, const ScoreBlock *tile, float *added);
