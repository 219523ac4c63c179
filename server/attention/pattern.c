/* Sliding windows with global keys (Beltagy et al. 2020, Longformer), and BigBird's blocks (Zaheer et al. 2020) as
 * transformers runs them: a block sees the first one, the last one and those beside it. Of the random blocks of
 * training is left that their places are filled with the first block, so that it counts 1 + block_repeats times. */
#include "attention/pattern.h"

#include "base/ascending.h"

#include <math.h>

static uint32_t pattern_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t pattern_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool pattern_is_dense(const AttentionPlan *plan, uint32_t token_count)
{
    return plan->window_reach >= token_count - (token_count > 0);
}

/* BigBird's blocks, 0 for none: texts of few blocks are dense. */
static uint32_t pattern_block_size(const AttentionPlan *plan, uint32_t token_count)
{
    return token_count > (5 + 2 * (uint64_t)plan->block_repeats) * plan->block_size ? plan->block_size : 0;
}

Pattern pattern_make(const AttentionPlan *plan, const AttentionRows *rows)
{
    return (Pattern){.plan = plan,
                     .token_count = rows->token_count,
                     .global_positions = rows->global_positions,
                     .global_count = pattern_is_dense(plan, rows->token_count) ? 0 : rows->global_count,
                     .block_size = pattern_block_size(plan, rows->token_count)};
}

uint32_t pattern_tile_end(const Pattern *pattern, uint32_t query, uint32_t end)
{
    uint32_t size = pattern->block_size;
    if (end - query > TILE_QUERIES) end = query + TILE_QUERIES;
    return size ? pattern_min(end, query + (size - query % size)) : end;
}

static uint32_t pattern_last_block(const Pattern *pattern)
{
    return (pattern->token_count - 1) / pattern->block_size;
}

/* Whether the queries from `query` on see but some of the blocks. */
static bool pattern_has_blocks(const Pattern *pattern, uint32_t query)
{
    if (pattern->block_size == 0) return false;
    uint32_t block = query / pattern->block_size;
    return block > 0 && block < pattern_last_block(pattern);
}

/* The keys of the blocks around that of `query`. */
static KeyRange pattern_near_blocks(const Pattern *pattern, uint32_t query)
{
    uint32_t block = query / pattern->block_size;
    return (KeyRange){(block - 1) * pattern->block_size,
                      pattern_min((block + 2) * pattern->block_size, pattern->token_count)};
}

static KeyRange pattern_within(KeyRange keys, const ScoreBlock *tile)
{
    return (KeyRange){pattern_max(keys.first, tile->key), pattern_min(keys.end, tile->key + tile->keys)};
}

static KeyRange pattern_hull(KeyRange a, KeyRange b)
{
    if (a.first >= a.end) return b;
    if (b.first >= b.end) return a;
    return (KeyRange){pattern_min(a.first, b.first), pattern_max(a.end, b.end)};
}

static KeyRange pattern_window(const Pattern *pattern, const ScoreBlock *tile)
{
    uint32_t reach = pattern->plan->window_reach;
    uint64_t end = (uint64_t)tile->query + (tile->queries - 1) + reach + 1;
    return (KeyRange){tile->query > reach ? tile->query - reach : 0,
                      end < pattern->token_count ? (uint32_t)end : pattern->token_count};
}

KeyRange pattern_visible(const Pattern *pattern, const ScoreBlock *tile)
{
    if (!pattern_has_blocks(pattern, tile->query)) return pattern_within(pattern_window(pattern, tile), tile);
    KeyRange first = {0, pattern->block_size};
    KeyRange last = {pattern_last_block(pattern) * pattern->block_size, pattern->token_count};
    KeyRange near = pattern_near_blocks(pattern, tile->query);
    return pattern_hull(pattern_hull(pattern_within(first, tile), pattern_within(near, tile)),
                        pattern_within(last, tile));
}

KeyRange pattern_range(const Pattern *pattern, const ScoreBlock *block)
{
    return pattern->block_size ? (KeyRange){0, pattern->token_count} : pattern_window(pattern, block);
}

uint32_t pattern_ranges(const Pattern *pattern, uint32_t query, KeyRange out_ranges[PATTERN_RANGES_MAX])
{
    ScoreBlock one = {.query = query, .queries = 1};
    if (!pattern_has_blocks(pattern, query)) {
        out_ranges[0] = pattern_window(pattern, &one);
        return 1;
    }
    const KeyRange blocks[PATTERN_RANGES_MAX] = {
        {0, pattern->block_size},
        pattern_near_blocks(pattern, query),
        {pattern_last_block(pattern) * pattern->block_size, pattern->token_count},
    };
    uint32_t count = 1;
    out_ranges[0] = blocks[0];
    for (uint32_t i = 1; i < PATTERN_RANGES_MAX; i++) {
        if (blocks[i].first <= out_ranges[count - 1].end)
            out_ranges[count - 1].end = pattern_max(out_ranges[count - 1].end, blocks[i].end);
        else
            out_ranges[count++] = blocks[i];
    }
    return count;
}

bool pattern_begins(const Pattern *pattern, const ScoreBlock *tile)
{
    if (pattern_has_blocks(pattern, tile->query)) return tile->key == 0;
    return tile->key <= pattern_window(pattern, tile).first;
}

uint32_t pattern_globals_below(const Pattern *pattern, uint32_t position)
{
    return ascending_place(pattern->global_positions, pattern->global_count, position);
}

/* Global keys were seen before the window. */
static bool pattern_hide_globals(const Pattern *pattern, const ScoreBlock *tile, float *added)
{
    uint32_t first = pattern_globals_below(pattern, tile->key);
    uint32_t end = pattern_globals_below(pattern, tile->key + tile->keys);
    if (first == end) return false;
    for (uint32_t i = 0; i < tile->keys; i++) added[i] = 0.0f;
    for (uint32_t i = first; i < end; i++) added[pattern->global_positions[i] - tile->key] = SCORE_HIDDEN;
    return true;
}

bool pattern_add(const Pattern *pattern, const ScoreBlock *tile, float *added)
{
    if (tile->positions) return false;
    if (!pattern_has_blocks(pattern, tile->query)) return pattern_hide_globals(pattern, tile, added);
    float repeats = log1pf((float)pattern->plan->block_repeats) / pattern->plan->scale;
    uint32_t last = pattern_last_block(pattern) * pattern->block_size;
    KeyRange near = pattern_near_blocks(pattern, tile->query);
    for (uint32_t i = 0; i < tile->keys; i++) {
        uint32_t key = tile->key + i;
        bool seen = (key >= near.first && key < near.end) || key >= last;
        added[i] = key < pattern->block_size ? repeats : seen ? 0.0f : SCORE_HIDDEN;
    }
    return true;
}

static uint64_t pattern_pairs(const AttentionPlan *plan, uint64_t tokens, uint64_t global_count)
{
    uint64_t size = pattern_block_size(plan, (uint32_t)tokens);
    if (size) {
        uint64_t blocks = (tokens + size - 1) / size;
        uint64_t ends = tokens - (blocks - 2) * size; /* tokens of the first and of the last block */
        return ends * tokens + (blocks - 2) * size * ends + (3 * (blocks - 2) - 2) * size * size;
    }
    uint64_t reach = plan->window_reach;
    if (pattern_is_dense(plan, (uint32_t)tokens)) return tokens * tokens;
    return tokens * (2 * reach + 1 + global_count) - reach * (reach + 1);
}

uint64_t attention_work(const AttentionPlan *plan, uint32_t token_count, uint32_t global_count)
{
    uint64_t heads = (uint64_t)plan->head_count * plan->head_size;
    uint64_t positions = plan->bias.buckets ? plan->bias.buckets->row_count : 0;
    uint64_t terms = (plan->bias.position_keys != NULL) + (plan->bias.position_queries != NULL);
    return heads * (4 * pattern_pairs(plan, token_count, global_count) + 2 * terms * positions * token_count);
}
