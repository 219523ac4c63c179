/* Tiled attention with an online softmax (Dao et al. 2022, FlashAttention, algorithm 1), on the kernels' products.
 *
 * For each head and each block of queries:
 *     for each tile of keys, the global ones first and then the others in order, that any of the queries sees:
 *         keys and values become panels
 *         for each tile of queries, and the keys from the first to the last that any of them sees:
 *             scores  = queries * keys^T + what is added to keys  [queries][keys]
 *             scores  = scale * scores + bias, where there is one
 *             softmax_tile: weights, and what older sums are worth
 *             outputs = outputs * factors + weights * values      [queries][head_size]
 *     outputs / sums replaces the queries
 * A block of queries is large so that panels are made once for most texts. A query's sums run over the keys in that
 * order. */
#include "attention/attention.h"

#include "attention/pattern.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ALIGNMENT = 16 }; /* floats: a cache line */

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

/* One head of one sequence. The first of `queries` is that of first_query. */
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
} AttentionHead;

static size_t attention_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

/* Floats from the start of the scratch to `part`; to PART_COUNT, all of it. */
static size_t attention_offset(const Kernels *kernels, const AttentionPlan *plan, AttentionPart part)
{
    const size_t sizes[PART_COUNT] = {
        [PART_KEYS] = plan->head_size * attention_round_up(TILE_KEYS, kernels->lanes),
        [PART_VALUES] = TILE_KEYS * attention_round_up(plan->head_size, kernels->lanes),
        [PART_SCORES] = TILE_QUERIES * TILE_KEYS,
        [PART_OUTPUTS] = (size_t)ATTENTION_QUERY_BLOCK * plan->head_size,
        [PART_MAXIMA] = ATTENTION_QUERY_BLOCK,
        [PART_SUMS] = ATTENTION_QUERY_BLOCK,
        [PART_FACTORS] = TILE_QUERIES,
        [PART_BY_QUERY] = positions_by_query_size(kernels, plan),
        [PART_BY_KEY] = positions_by_key_size(plan),
    };
    size_t offset = 0;
    for (int i = 0; i < (int)part; i++) offset += attention_round_up(sizes[i], ALIGNMENT);
    return offset;
}

size_t attention_scratch_size(const Kernels *kernels, const AttentionPlan *plan)
{
    return attention_offset(kernels, plan, PART_COUNT);
}

static uint32_t attention_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static float *attention_query(const AttentionHead *head, uint32_t query)
{
    return head->queries + (query - head->first_query) * head->query_stride;
}

/* Lays the block's values out as panels of the head's columns. */
static void attention_pack_values(const AttentionHead *head, const ScoreBlock *block)
{
    for (uint32_t column = 0; column < head->size; column += head->kernels->panel_columns) {
        uint32_t columns = attention_min(head->kernels->panel_columns, head->size - column);
        size_t width = attention_round_up(columns, head->kernels->lanes);
        const float *values = head->values + column;
        float *panel = head->part[PART_VALUES] + (size_t)column * block->keys;
        if (!block->positions)
            head->kernels->rows_pack(values + block->key * head->key_stride, head->key_stride, block->keys,
                                     columns, panel);
        for (uint32_t key = 0; block->positions && key < block->keys; key++)
            head->kernels->rows_pack(values + block->positions[key] * head->key_stride, head->key_stride, 1,
                                     columns, panel + key * width);
    }
}

/* Asks for the head's part of rows [first, end), which lie too far apart for the CPU to foresee. */
static void attention_fetch(const AttentionHead *head, const float *rows, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; row < end; row++)
        for (uint32_t column = 0; column < head->size; column += ALIGNMENT)
            __builtin_prefetch(rows + row * head->key_stride + column);
}

/* Lays the block's keys out as panels of keys, and their values. */
static void attention_pack(const AttentionHead *head, const ScoreBlock *block)
{
    uint32_t panel = head->kernels->panel_columns;
    uint32_t end = block->key + block->keys;
    for (uint32_t key = block->key; key < end; key += panel) {
        uint32_t next = key + attention_min(panel, end - key);
        attention_fetch(head, head->keys, next, next + attention_min(panel, end - next));
        attention_fetch(head, head->values, key, next);
        head->kernels->gemm_pack(head->keys + key * head->key_stride, head->key_stride, next - key, head->size,
                                 head->part[PART_KEYS] + (size_t)(key - block->key) * head->size);
    }
    attention_pack_values(head, block);
}

/* The same of the block's global keys. */
static void attention_gather(const AttentionHead *head, const ScoreBlock *block)
{
    const Kernels *kernels = head->kernels;
    uint32_t panel = kernels->panel_columns;
    for (uint32_t key = 0; key < block->keys; key++) {
        const float *row = head->keys + block->positions[key] * head->key_stride;
        uint32_t columns = attention_min(panel, block->keys - key / panel * panel);
        size_t width = attention_round_up(columns, kernels->lanes);
        float *target = head->part[PART_KEYS] + (size_t)(key / panel * panel) * head->size + key % panel;
        for (uint32_t i = 0; i < head->size; i++) target[i * width] = row[i];
    }
    attention_pack_values(head, block);
}

/* scores[queries][keys] = queries * keys^T + added, for whole panels around the tile. Returns where its own begin. */
static float *attention_scores(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile)
{
    uint32_t panel = head->kernels->panel_columns;
    uint32_t skipped = (tile->key - block->key) / panel * panel;
    ScoreBlock wide = *tile;
    wide.key = block->key + skipped;
    wide.keys = attention_min((uint32_t)attention_round_up(tile->key + tile->keys - wide.key, panel),
                              block->keys - skipped);
    float added[TILE_KEYS];
    bool adds = pattern_add(&head->pattern, &wide, added);
    for (uint32_t key = 0; key < wide.keys; key += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = attention_query(head, tile->query),
            .a_stride = head->query_stride,
            .panel = head->part[PART_KEYS] + (size_t)(skipped + key) * head->size,
            .c = head->part[PART_SCORES] + key,
            .c_stride = TILE_KEYS,
            .rows = tile->queries,
            .columns = attention_min(panel, wide.keys - key),
            .depth = head->size,
            .bias = adds ? added + key : NULL,
        });
    return head->part[PART_SCORES] + (tile->key - wide.key);
}

/* outputs[queries][head_size] = scores * values, plus what is there unless these are the first keys. */
static void attention_outputs(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile,
                              const float *scores, bool first)
{
    uint32_t panel = head->kernels->panel_columns;
    size_t skipped = tile->key - block->key;
    float *outputs = head->part[PART_OUTPUTS] + (size_t)(tile->query - block->query) * head->size;
    if (!first)
        head->kernels->rows_scale(outputs, head->size, tile->queries, head->size, head->part[PART_FACTORS]);
    for (uint32_t column = 0; column < head->size; column += panel) {
        uint32_t columns = attention_min(panel, head->size - column);
        head->kernels->gemm_tile(&(GemmTile){
            .a = scores,
            .a_stride = TILE_KEYS,
            .panel = head->part[PART_VALUES] + (size_t)column * block->keys +
                     skipped * attention_round_up(columns, head->kernels->lanes),
            .c = outputs + column,
            .c_stride = head->size,
            .rows = tile->queries,
            .columns = columns,
            .depth = tile->keys,
            .residual = first ? NULL : outputs + column,
            .residual_stride = head->size,
        });
    }
}

/* A tile of the block's queries, with those of its keys that any of them sees. */
static void attention_tile(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile, bool first)
{
    float *scores = attention_scores(head, block, tile);
    positions_add(&head->positions, tile, attention_query(head, tile->query), head->query_stride, scores);
    head->kernels->softmax_tile(&(SoftmaxTile){
        .scores = scores,
        .stride = TILE_KEYS,
        .rows = tile->queries,
        .columns = tile->keys,
        .scale = bias_add(head->kernels, head->plan, head->index, tile, scores),
        .maxima = head->part[PART_MAXIMA] + (tile->query - block->query),
        .sums = head->part[PART_SUMS] + (tile->query - block->query),
        .factors = head->part[PART_FACTORS],
    });
    attention_outputs(head, block, tile, scores, first);
}

/* Divides a block's outputs by their sums and puts them where its queries were. */
static void attention_finish(const AttentionHead *head, uint32_t query, uint32_t count)
{
    float *inverses = head->part[PART_SUMS];
    float *outputs = head->part[PART_OUTPUTS];
    for (uint32_t i = 0; i < count; i++) inverses[i] = 1.0f / inverses[i];
    head->kernels->rows_scale(outputs, head->size, count, head->size, inverses);
    for (uint32_t i = 0; i < count; i++)
        memcpy(attention_query(head, query + i), outputs + (size_t)i * head->size, head->size * sizeof *outputs);
}

/* The keys that the block's queries see whatever their distance. */
static void attention_global_keys(AttentionHead *head, uint32_t query, uint32_t queries)
{
    const Pattern *pattern = &head->pattern;
    uint32_t end = query + queries;
    for (uint32_t i = 0; i < pattern->global_count; i += TILE_KEYS) {
        ScoreBlock block = {.query = query,
                            .queries = queries,
                            .keys = attention_min(TILE_KEYS, pattern->global_count - i),
                            .positions = pattern->global_positions + i};
        attention_gather(head, &block);
        for (uint32_t row = query, row_end; row < end; row = row_end) {
            ScoreBlock tile = block;
            row_end = pattern_tile_end(pattern, row, end);
            tile.query = row;
            tile.queries = row_end - row;
            attention_tile(head, &block, &tile, i == 0);
        }
    }
}

/* The queries of the block and those of its keys that they see. */
static void attention_near_tiles(AttentionHead *head, const ScoreBlock *block)
{
    const Pattern *pattern = &head->pattern;
    uint32_t end = block->query + block->queries;
    bool packed = false;
    for (uint32_t row = block->query, row_end; row < end; row = row_end) {
        row_end = pattern_tile_end(pattern, row, end);
        ScoreBlock tile = {.query = row, .queries = row_end - row, .key = block->key, .keys = block->keys};
        KeyRange seen = pattern_visible(pattern, &tile);
        if (seen.first >= seen.end) continue;
        if (!packed) {
            attention_pack(head, block);
            positions_multiply_keys(&head->positions, block, head->part[PART_KEYS]);
            packed = true;
        }
        bool first = pattern->global_count == 0 && pattern_begins(pattern, &tile);
        tile.key = seen.first;
        tile.keys = seen.end - seen.first;
        attention_tile(head, block, &tile, first);
    }
}

/* The keys that blocks and windows show. */
static void attention_near_keys(AttentionHead *head, uint32_t query, uint32_t queries)
{
    ScoreBlock block = {.query = query, .queries = queries};
    KeyRange range = pattern_range(&head->pattern, &block);
    block.key = range.first - range.first % head->kernels->panel_columns;
    for (; block.key < range.end; block.key += TILE_KEYS) {
        block.keys = attention_min(TILE_KEYS, range.end - block.key);
        attention_near_tiles(head, &block);
    }
}

static void attention_block(AttentionHead *head, uint32_t query, uint32_t queries)
{
    for (uint32_t i = 0; i < queries; i++) {
        head->part[PART_MAXIMA][i] = -INFINITY;
        head->part[PART_SUMS][i] = 0.0f;
    }
    attention_global_keys(head, query, queries);
    attention_near_keys(head, query, queries);
    attention_finish(head, query, queries);
}

void attention_forward(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                       float *scratch)
{
    assert(TILE_KEYS % kernels->panel_columns == 0);
    assert(plan->key_value_head_count && plan->head_count % plan->key_value_head_count == 0);
    assert(rows->first_query % ATTENTION_QUERY_BLOCK == 0 || rows->query_count == 1);
    assert(rows->first_query <= rows->token_count);
    assert(rows->query_count <= rows->token_count - rows->first_query);
    uint32_t sharing = plan->head_count / plan->key_value_head_count;
    uint32_t end = rows->first_query + rows->query_count;
    AttentionHead head = {.kernels = kernels,
                          .plan = plan,
                          .query_stride = rows->query_stride,
                          .key_stride = rows->key_stride,
                          .first_query = rows->first_query,
                          .size = plan->head_size,
                          .pattern = pattern_make(plan, rows),
                          .positions = {.kernels = kernels, .plan = plan}};
    assert(plan->bias.kind != ATTENTION_BIAS_DISENTANGLED || head.pattern.global_count == 0);
    for (int part = 0; part < PART_COUNT; part++)
        head.part[part] = scratch + attention_offset(kernels, plan, (AttentionPart)part);
    head.positions.by_query = head.part[PART_BY_QUERY];
    head.positions.by_key = head.part[PART_BY_KEY];
    assert(rows->head_count <= plan->head_count - rows->first_head);
    uint32_t end_head = rows->head_count ? rows->first_head + rows->head_count : plan->head_count;
    for (uint32_t i = rows->first_head; i < end_head; i++) {
        head.index = head.positions.head = i;
        head.queries = rows->queries + (size_t)i * plan->head_size;
        head.keys = rows->keys + (size_t)(i / sharing) * plan->head_size;
        head.values = rows->values + (size_t)(i / sharing) * plan->head_size;
        for (uint32_t query = rows->first_query; query < end; query += ATTENTION_QUERY_BLOCK)
            attention_block(&head, query, attention_min(ATTENTION_QUERY_BLOCK, end - query));
    }
}
