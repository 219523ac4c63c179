/* Tiled attention with an online softmax (Dao et al. 2022, FlashAttention, algorithm 1), on the kernels' products.
 *
 * For each head and each block of queries:
 *     for each tile of keys that any of them sees, in order:
 *         keys and values become panels
 *         for each tile of queries, and the panels of keys that any of them sees:
 *             scores  = queries * keys^T                          [queries][keys]
 *             scores  = scale * scores + bias, where there is one
 *             softmax_tile: weights, and what older sums are worth
 *             outputs = outputs * factors + weights * values      [queries][head_size]
 *     outputs / sums replaces the queries
 * A block of queries is large so that panels are made once for most texts. A query's sums run over the keys in
 * order. */
#include "attention/attention.h"

#include "attention/bias.h"

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
    uint32_t token_count;
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

/* Lays keys [first, first + count) out as panels of keys, and their values as panels of the head's columns. */
static void attention_pack(const AttentionHead *head, uint32_t first, uint32_t count)
{
    const Kernels *kernels = head->kernels;
    uint32_t panel = kernels->panel_columns;
    for (uint32_t key = 0; key < count; key += panel)
        kernels->gemm_pack(head->keys + (first + key) * head->key_stride, head->key_stride,
                           attention_min(panel, count - key), head->size,
                           head->part[PART_KEYS] + (size_t)key * head->size);
    for (uint32_t column = 0; column < head->size; column += panel) {
        uint32_t columns = attention_min(panel, head->size - column);
        size_t width = attention_round_up(columns, kernels->lanes);
        float *target = head->part[PART_VALUES] + (size_t)column * count;
        for (uint32_t key = 0; key < count; key++, target += width) {
            memcpy(target, head->values + (first + key) * head->key_stride + column, columns * sizeof *target);
            memset(target + columns, 0, (width - columns) * sizeof *target);
        }
    }
}

/* scores[queries][keys] = queries * keys^T. Keys `skipped` panels into the packed tile come first. */
static void attention_scores(const AttentionHead *head, const ScoreBlock *tile, uint32_t skipped)
{
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t key = 0; key < tile->keys; key += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = attention_query(head, tile->query),
            .a_stride = head->query_stride,
            .panel = head->part[PART_KEYS] + (size_t)(skipped + key) * head->size,
            .c = head->part[PART_SCORES] + key,
            .c_stride = TILE_KEYS,
            .rows = tile->queries,
            .columns = attention_min(panel, tile->keys - key),
            .depth = head->size,
        });
}

/* outputs[queries][head_size] = scores * values, plus what is there unless these are the first keys. */
static void attention_outputs(const AttentionHead *head, const ScoreBlock *tile, const ScoreBlock *block,
                              bool first)
{
    uint32_t panel = head->kernels->panel_columns;
    size_t skipped = tile->key - block->key;
    float *outputs = head->part[PART_OUTPUTS] + (size_t)(tile->query - block->query) * head->size;
    if (!first)
        head->kernels->rows_scale(outputs, head->size, tile->queries, head->size, head->part[PART_FACTORS]);
    for (uint32_t column = 0; column < head->size; column += panel) {
        uint32_t columns = attention_min(panel, head->size - column);
        head->kernels->gemm_tile(&(GemmTile){
            .a = head->part[PART_SCORES],
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

/* The first key that the query at position `query` sees, and the end of those that it sees. */
static uint32_t attention_first_key(const AttentionHead *head, uint32_t query)
{
    return query > head->plan->window_reach ? query - head->plan->window_reach : 0;
}

static uint32_t attention_end_key(const AttentionHead *head, uint32_t query)
{
    uint64_t end = (uint64_t)query + head->plan->window_reach + 1;
    return end < head->token_count ? (uint32_t)end : head->token_count;
}

/* A tile of the block's queries, from `query` on, with the panels of the block's keys that any of them sees. */
static void attention_tile(const AttentionHead *head, const ScoreBlock *block, uint32_t query, uint32_t queries)
{
    uint32_t panel = head->kernels->panel_columns;
    uint32_t first = attention_first_key(head, query);
    uint32_t end = attention_end_key(head, query + queries - 1);
    if (first >= block->key + block->keys || end <= block->key) return;
    uint32_t skipped = first > block->key ? (first - block->key) / panel * panel : 0;
    uint32_t shown = attention_min(block->keys, (uint32_t)attention_round_up(end - block->key, panel));
    ScoreBlock tile = {.query = query, .queries = queries, .key = block->key + skipped, .keys = shown - skipped};
    float *scores = head->part[PART_SCORES];
    attention_scores(head, &tile, skipped);
    positions_add(&head->positions, &tile, attention_query(head, query), head->query_stride, scores);
    head->kernels->softmax_tile(&(SoftmaxTile){
        .scores = scores,
        .stride = TILE_KEYS,
        .rows = queries,
        .columns = tile.keys,
        .scale = bias_add(head->kernels, head->plan, head->index, &tile, scores),
        .maxima = head->part[PART_MAXIMA] + (query - block->query),
        .sums = head->part[PART_SUMS] + (query - block->query),
        .factors = head->part[PART_FACTORS],
    });
    attention_outputs(head, &tile, block, first >= block->key);
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

static void attention_block(AttentionHead *head, uint32_t query, uint32_t queries)
{
    for (uint32_t i = 0; i < queries; i++) {
        head->part[PART_MAXIMA][i] = -INFINITY;
        head->part[PART_SUMS][i] = 0.0f;
    }
    uint32_t end = attention_end_key(head, query + queries - 1);
    for (uint32_t key = attention_first_key(head, query); key < end; key += TILE_KEYS) {
        ScoreBlock block = {
            .query = query, .queries = queries, .key = key, .keys = attention_min(TILE_KEYS, end - key)};
        attention_pack(head, key, block.keys);
        positions_multiply_keys(&head->positions, &block, head->part[PART_KEYS]);
        for (uint32_t row = 0; row < queries; row += TILE_QUERIES)
            attention_tile(head, &block, query + row, attention_min(TILE_QUERIES, queries - row));
    }
    attention_finish(head, query, queries);
}

void attention_forward(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                       float *scratch)
{
    assert(TILE_KEYS % kernels->panel_columns == 0);
    assert(plan->key_value_head_count && plan->head_count % plan->key_value_head_count == 0);
    assert(rows->first_query % ATTENTION_QUERY_BLOCK == 0 && rows->first_query <= rows->token_count);
    assert(rows->query_count <= rows->token_count - rows->first_query);
    uint32_t sharing = plan->head_count / plan->key_value_head_count;
    uint32_t end = rows->first_query + rows->query_count;
    AttentionHead head = {.kernels = kernels,
                          .plan = plan,
                          .query_stride = rows->query_stride,
                          .key_stride = rows->key_stride,
                          .first_query = rows->first_query,
                          .size = plan->head_size,
                          .token_count = rows->token_count,
                          .positions = {.kernels = kernels, .plan = plan}};
    for (int part = 0; part < PART_COUNT; part++)
        head.part[part] = scratch + attention_offset(kernels, plan, (AttentionPart)part);
    head.positions.by_query = head.part[PART_BY_QUERY];
    head.positions.by_key = head.part[PART_BY_KEY];
    for (uint32_t i = 0; i < plan->head_count; i++) {
        head.index = head.positions.head = i;
        head.queries = rows->queries + (size_t)i * plan->head_size;
        head.keys = rows->keys + (size_t)(i / sharing) * plan->head_size;
        head.values = rows->values + (size_t)(i / sharing) * plan->head_size;
        for (uint32_t query = rows->first_query; query < end; query += ATTENTION_QUERY_BLOCK)
            attention_block(&head, query, attention_min(ATTENTION_QUERY_BLOCK, end - query));
    }
}
