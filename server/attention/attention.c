/* Tiled attention with an online softmax (Dao et al. 2022, FlashAttention, algorithm 1), on the kernels' products.
 *
 * For each head and each block of queries:
 *     for each tile of keys, the global ones first and then the others in order, that any of the queries sees:
 *         keys and values become panels, unless they are some already
 *         for each tile of queries, and the keys from the first to the last that any of them sees:
 *             scores  = queries * keys^T + what is added to keys  [queries][keys]
 *             scores  = scale * scores + bias, where there is one
 *             softmax_tile: weights, and what older sums are worth
 *             outputs = outputs * factors + weights * values      [queries][head_size]
 *     outputs / sums replaces the queries
 * A block of queries is large so that panels are made once for most texts; those of a long one come ready made. A
 * query's sums run over the keys in that order. */
#include "attention/attention.h"

#include "attention/mass.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* outputs[queries][head_size] = scores * values, plus what is there unless these are the first keys. */
static void attention_outputs(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile,
                              const float *scores, bool first)
{
    uint32_t panel = head->kernels->panel_columns;
    size_t skipped = tile->key - head->panels.first;
    float *outputs = head->part[PART_OUTPUTS] + (size_t)(tile->query - block->query) * head->size;
    if (!first)
        head->kernels->rows_scale(outputs, head->size, tile->queries, head->size, head->part[PART_FACTORS]);
    for (uint32_t column = 0; column < head->size; column += panel) {
        uint32_t columns = head_min(panel, head->size - column);
        head->kernels->gemm_tile(&(GemmTile){
            .a = scores,
            .a_stride = TILE_KEYS,
            .panel = head->panels.values + (size_t)column * head->panels.count +
                     skipped * head_round_up(columns, head->kernels->lanes),
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
static void attention_tile(AttentionHead *head, const MassBlock *mass, const ScoreBlock *block,
                           const ScoreBlock *tile, bool first)
{
    float scale;
    if (mass->mass) head->scores = mass_scores(mass, tile);
    float *scores = head_scores(head, block, tile, &scale);
    head->kernels->softmax_tile(&(SoftmaxTile){
        .scores = scores,
        .stride = TILE_KEYS,
        .rows = tile->queries,
        .columns = tile->keys,
        .scale = scale,
        .maxima = head->part[PART_MAXIMA] + (tile->query - block->query),
        .sums = head->part[PART_SUMS] + (tile->query - block->query),
        .factors = head->part[PART_FACTORS],
    });
    attention_outputs(head, block, tile, scores, first);
    if (mass->mass) mass_keep(mass, head, tile, scores);
}

/* Divides a block's outputs by their sums and puts them where its queries were. */
static void attention_finish(const AttentionHead *head, uint32_t query, uint32_t count)
{
    float *inverses = head->part[PART_SUMS];
    float *outputs = head->part[PART_OUTPUTS];
    for (uint32_t i = 0; i < count; i++) inverses[i] = 1.0f / inverses[i];
    head->kernels->rows_scale(outputs, head->size, count, head->size, inverses);
    for (uint32_t i = 0; i < count; i++)
        memcpy(head_query(head, query + i), outputs + (size_t)i * head->size, head->size * sizeof *outputs);
}

/* The keys that the block's queries see whatever their distance. */
static void attention_global_keys(AttentionHead *head, MassBlock *mass, uint32_t query, uint32_t queries)
{
    const Pattern *pattern = &head->pattern;
    uint32_t end = query + queries;
    for (uint32_t i = 0; i < pattern->global_count; i += TILE_KEYS) {
        ScoreBlock block = {.query = query,
                            .queries = queries,
                            .keys = head_min(TILE_KEYS, pattern->global_count - i),
                            .positions = pattern->global_positions + i};
        head_pack(head, &block);
        mass_begin_slot(mass, true);
        for (uint32_t row = query, row_end; row < end; row = row_end) {
            ScoreBlock tile = block;
            row_end = pattern_tile_end(pattern, row, end);
            tile.query = row;
            tile.queries = row_end - row;
            attention_tile(head, mass, &block, &tile, i == 0);
        }
    }
}

/* The queries of the block and those of its keys that they see. */
static void attention_near_tiles(AttentionHead *head, const MassBlock *mass, const ScoreBlock *block)
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
            head_pack(head, block);
            packed = true;
        }
        bool first = pattern->global_count == 0 && pattern_begins(pattern, &tile);
        tile.key = seen.first;
        tile.keys = seen.end - seen.first;
        attention_tile(head, mass, block, &tile, first);
    }
}

/* The keys that blocks and windows show. */
static void attention_near_keys(AttentionHead *head, MassBlock *mass, uint32_t query, uint32_t queries)
{
    ScoreBlock block = {.query = query, .queries = queries};
    KeyRange range = head_range(head, &block);
    for (block.key = range.first; block.key < range.end; block.key += TILE_KEYS) {
        block.keys = head_min(TILE_KEYS, range.end - block.key);
        mass_begin_slot(mass, false);
        attention_near_tiles(head, mass, &block);
    }
}

static void attention_block(AttentionHead *head, const AttentionRows *rows, uint32_t query, uint32_t queries)
{
    MassBlock mass = {.mass = rows->mass, .tiles = rows->tiles, .query = query, .queries = queries};
    for (uint32_t i = 0; i < queries; i++) {
        head->part[PART_MAXIMA][i] = -INFINITY;
        head->part[PART_SUMS][i] = 0.0f;
    }
    attention_global_keys(head, &mass, query, queries);
    attention_near_keys(head, &mass, query, queries);
    mass_add(&mass, head);
    attention_finish(head, query, queries);
}

void attention_forward(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                       float *scratch)
{
    assert(rows->first_query % ATTENTION_QUERY_BLOCK == 0 || rows->query_count == 1);
    assert(rows->first_query <= rows->token_count);
    assert(rows->query_count <= rows->token_count - rows->first_query);
    assert(rows->head_count <= plan->head_count - rows->first_head);
    AttentionHead head = head_make(kernels, plan, rows, scratch);
    uint32_t end = rows->first_query + rows->query_count;
    uint32_t end_head = rows->head_count ? rows->first_head + rows->head_count : plan->head_count;
    for (uint32_t i = rows->first_head; i < end_head; i++) {
        head_choose(&head, rows, i);
        for (uint32_t query = rows->first_query; query < end; query += ATTENTION_QUERY_BLOCK)
            attention_block(&head, rows, query, head_min(ATTENTION_QUERY_BLOCK, end - query));
    }
}
