/* Scores as attention computes them, tile by tile, each put where its row's keys are in order; then a softmax a row. */
#include "attention/weights.h"

#include "attention/head.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The keys that one query sees. */
typedef struct SeenKeys {
    KeyRange ranges[PATTERN_RANGES_MAX]; /* ascending */
    uint32_t range_count;
    uint32_t globals_before; /* global keys below the only range, where there are any */
    uint32_t globals_within;
    uint32_t count;
} SeenKeys;

static SeenKeys seen_make(const Pattern *pattern, uint32_t query)
{
    SeenKeys seen = {0};
    seen.range_count = pattern_ranges(pattern, query, seen.ranges);
    for (uint32_t i = 0; i < seen.range_count; i++) seen.count += seen.ranges[i].end - seen.ranges[i].first;
    if (pattern->global_count == 0) return seen;
    assert(seen.range_count == 1);
    seen.globals_before = pattern_globals_below(pattern, seen.ranges[0].first);
    seen.globals_within = pattern_globals_below(pattern, seen.ranges[0].end) - seen.globals_before;
    seen.count += pattern->global_count - seen.globals_within;
    return seen;
}

/* The place of global key `index` among those that are seen. */
static uint32_t seen_global_place(const SeenKeys *seen, const Pattern *pattern, uint32_t index)
{
    KeyRange range = seen->ranges[0];
    if (index < seen->globals_before) return index;
    if (index < seen->globals_before + seen->globals_within)
        return seen->globals_before + (pattern->global_positions[index] - range.first);
    return index - seen->globals_within + (range.end - range.first);
}

uint32_t attention_key_count(const AttentionPlan *plan, const AttentionRows *rows, uint32_t query)
{
    Pattern pattern = pattern_make(plan, rows);
    return seen_make(&pattern, query).count;
}

void attention_list_keys(const AttentionPlan *plan, const AttentionRows *rows, uint32_t query, uint32_t *out_keys)
{
    Pattern pattern = pattern_make(plan, rows);
    SeenKeys seen = seen_make(&pattern, query);
    uint32_t place = seen.globals_before;
    for (uint32_t i = 0; i < seen.range_count; i++)
        for (uint32_t key = seen.ranges[i].first; key < seen.ranges[i].end; key++) out_keys[place++] = key;
    for (uint32_t i = 0; i < pattern.global_count; i++)
        out_keys[seen_global_place(&seen, &pattern, i)] = pattern.global_positions[i];
}

/* Scaled scores of a tile's keys go to their places in a row. */
static void weights_put(const Pattern *pattern, const SeenKeys *seen, const ScoreBlock *tile, const float *scores,
                        float scale, float *row)
{
    if (tile->positions) {
        uint32_t first = (uint32_t)(tile->positions - pattern->global_positions);
        for (uint32_t i = 0; i < tile->keys; i++)
            row[seen_global_place(seen, pattern, first + i)] = scale * scores[i];
        return;
    }
    row += seen->globals_before;
    for (uint32_t i = 0; i < seen->range_count; i++) {
        KeyRange range = seen->ranges[i];
        uint32_t first = range.first > tile->key ? range.first : tile->key;
        uint32_t end = head_min(range.end, tile->key + tile->keys);
        for (uint32_t key = first; key < end; key++) row[key - range.first] = scale * scores[key - tile->key];
        row += range.end - range.first;
    }
}

/* The keys of `tile` that any of its queries sees. */
static void weights_narrow(const Pattern *pattern, ScoreBlock *tile)
{
    if (tile->positions) return;
    KeyRange seen = pattern_visible(pattern, tile);
    tile->key = seen.first;
    tile->keys = seen.end > seen.first ? seen.end - seen.first : 0;
}

/* Of all queries of the block. Its keys are packed once, where any are seen. */
static void weights_block(AttentionHead *head, const ScoreBlock *block, float *weights)
{
    const Pattern *pattern = &head->pattern;
    uint32_t end = block->query + block->queries;
    bool packed = false;
    for (uint32_t first = block->query, tile_end; first < end; first = tile_end) {
        tile_end = pattern_tile_end(pattern, first, end);
        ScoreBlock tile = *block;
        tile.query = first;
        tile.queries = tile_end - first;
        weights_narrow(pattern, &tile);
        if (tile.keys && !packed) head_pack(head, block);
        packed |= tile.keys > 0;
        float scale = 1.0f;
        const float *scores = tile.keys ? head_scores(head, block, &tile, &scale) : NULL;
        for (uint32_t query = first; query < tile_end; query++) {
            SeenKeys seen = seen_make(pattern, query);
            if (scores) {
                weights_put(pattern, &seen, &tile, scores, scale, weights);
                scores += TILE_KEYS;
            }
            weights += seen.count;
        }
    }
}

/* All keys of up to a block of queries. Global ones last: their columns of a window's tile hold hidden scores. */
static void weights_queries(AttentionHead *head, uint32_t query, uint32_t queries, float *weights)
{
    const Pattern *pattern = &head->pattern;
    ScoreBlock block = {.query = query, .queries = queries};
    KeyRange range = head_range(head, &block);
    for (block.key = range.first; block.key < range.end; block.key += TILE_KEYS) {
        block.keys = head_min(TILE_KEYS, range.end - block.key);
        weights_block(head, &block, weights);
    }
    for (uint32_t i = 0; i < pattern->global_count; i += TILE_KEYS) {
        ScoreBlock globals = {.query = query,
                              .queries = queries,
                              .keys = head_min(TILE_KEYS, pattern->global_count - i),
                              .positions = pattern->global_positions + i};
        weights_block(head, &globals, weights);
    }
}

/* Turns the scores of a row to weights. */
static void weights_softmax(const Kernels *kernels, float *row, uint32_t count)
{
    float maximum = -INFINITY;
    float sum = 0.0f;
    float factor;
    kernels->softmax_tile(&(SoftmaxTile){.scores = row,
                                         .stride = count,
                                         .rows = 1,
                                         .columns = count,
                                         .scale = 1.0f,
                                         .maxima = &maximum,
                                         .sums = &sum,
                                         .factors = &factor});
    float inverse = 1.0f / sum;
    kernels->rows_scale(row, count, 1, count, &inverse);
}

void attention_weights(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows, uint32_t head,
                       uint32_t first, uint32_t count, float *out_weights, float *scratch)
{
    assert(first >= rows->first_query && count <= rows->query_count - (first - rows->first_query));
    AttentionHead one = head_make(kernels, plan, rows, scratch);
    head_choose(&one, rows, head);
    one.values = one.laid_out.values = NULL;
    for (uint32_t done = 0, queries; done < count; done += queries) {
        queries = head_min(ATTENTION_QUERY_BLOCK, count - done);
        weights_queries(&one, first + done, queries, out_weights);
        for (uint32_t i = 0; i < queries; i++) {
            uint32_t keys = seen_make(&one.pattern, first + done + i).count;
            weights_softmax(kernels, out_weights, keys);
            out_weights += keys;
        }
    }
}

uint64_t attention_weights_work(const AttentionPlan *plan, uint32_t key_count)
{
    return (uint64_t)2 * plan->head_size * key_count;
}
