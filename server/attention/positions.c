/* DeBERTa's disentangled terms (He et al. 2021, equation 4): the score of query i and key j gains
 * query i * position key r + position query r * key j, r being the row of their distance. The distances of a tile have
 * few rows, beside each other: both products are made for those, and each score picks its two. */
#include "attention/attention.h"
#include "attention/bias.h"

static uint32_t positions_row(const AttentionBuckets *buckets, int64_t distance)
{
    int64_t reach = buckets->reach;
    return buckets->rows[(distance < -reach ? -reach : distance > reach ? reach : distance) + reach];
}

static uint32_t positions_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Floats of one head's packed position keys. */
static size_t positions_head_size(const Kernels *kernels, const AttentionPlan *plan)
{
    size_t lanes = kernels->lanes;
    return (plan->bias.buckets->row_count + lanes - 1) / lanes * lanes * plan->head_size;
}

size_t attention_positions_size(const Kernels *kernels, const AttentionPlan *plan)
{
    return plan->head_count * positions_head_size(kernels, plan);
}

void attention_positions_pack(const Kernels *kernels, const AttentionPlan *plan, const float *rows, float *storage)
{
    uint32_t row_count = plan->bias.buckets->row_count;
    size_t stride = (size_t)plan->head_count * plan->head_size;
    for (uint32_t head = 0; head < plan->head_count; head++)
        for (uint32_t row = 0; row < row_count; row += kernels->panel_columns)
            kernels->gemm_pack(rows + row * stride + (size_t)head * plan->head_size, stride,
                               positions_min(kernels->panel_columns, row_count - row), plan->head_size,
                               storage + head * positions_head_size(kernels, plan) +
                                   (size_t)row * plan->head_size);
}

/* Floats from a row of by_query to the next: whole panels around any range. */
static size_t positions_stride(const Kernels *kernels, const AttentionPlan *plan)
{
    return (size_t)plan->bias.buckets->range + 2 * kernels->panel_columns;
}

size_t positions_by_query_size(const Kernels *kernels, const AttentionPlan *plan)
{
    if (plan->bias.kind != ATTENTION_BIAS_DISENTANGLED) return 0;
    return TILE_QUERIES * positions_stride(kernels, plan);
}

size_t positions_by_key_size(const AttentionPlan *plan)
{
    if (plan->bias.kind != ATTENTION_BIAS_DISENTANGLED) return 0;
    return (size_t)plan->bias.buckets->range * TILE_KEYS;
}

void positions_multiply_keys(PositionTerms *terms, const ScoreBlock *block, const float *panels)
{
    const AttentionPlan *plan = terms->plan;
    const AttentionBias *bias = &plan->bias;
    if (bias->kind != ATTENTION_BIAS_DISENTANGLED || !bias->position_queries) return;
    size_t stride = (size_t)plan->head_count * plan->head_size;
    uint32_t panel = terms->kernels->panel_columns;
    terms->key = block->key;
    terms->row = positions_row(bias->buckets, (int64_t)block->key + block->keys - 1 - block->query);
    for (uint32_t key = 0; key < block->keys; key += panel) {
        uint32_t keys = positions_min(panel, block->keys - key);
        int64_t distance = (int64_t)block->key + key - block->query;
        uint32_t first = positions_row(bias->buckets, distance + keys - 1);
        uint32_t last = positions_row(bias->buckets, distance - (block->queries - 1));
        terms->kernels->gemm_tile(&(GemmTile){
            .a = bias->position_queries + first * stride + (size_t)terms->head * plan->head_size,
            .a_stride = stride,
            .panel = panels + (size_t)key * plan->head_size,
            .c = terms->by_key + (size_t)(first - terms->row) * TILE_KEYS + key,
            .c_stride = TILE_KEYS,
            .rows = last - first + 1,
            .columns = keys,
            .depth = plan->head_size,
        });
    }
}

/* by_query[queries][row - first] = queries * position keys^T, for rows of whole panels from `first` up to `last`. */
static void positions_multiply_queries(const PositionTerms *terms, uint32_t query_count, const float *queries,
                                       size_t stride, uint32_t first, uint32_t last)
{
    const AttentionPlan *plan = terms->plan;
    const float *keys = plan->bias.position_keys + terms->head * positions_head_size(terms->kernels, plan);
    uint32_t panel = terms->kernels->panel_columns;
    for (uint32_t row = first; row <= last; row += panel)
        terms->kernels->gemm_tile(&(GemmTile){
            .a = queries,
            .a_stride = stride,
            .panel = keys + (size_t)row * plan->head_size,
            .c = terms->by_query + (row - first),
            .c_stride = positions_stride(terms->kernels, plan),
            .rows = query_count,
            .columns = positions_min(panel, plan->bias.buckets->row_count - row),
            .depth = plan->head_size,
        });
}

void positions_add(const PositionTerms *terms, const ScoreBlock *tile, const float *queries, size_t stride,
                   float *scores)
{
    const AttentionBias *bias = &terms->plan->bias;
    if (bias->kind != ATTENTION_BIAS_DISENTANGLED) return;
    uint32_t line[TILE_DISTANCES]; /* the row of each distance */
    uint32_t count = tile->queries + tile->keys - 1;
    int64_t distance = (int64_t)tile->key - tile->query - (tile->queries - 1);
    for (uint32_t i = 0; i < count; i++) line[i] = positions_row(bias->buckets, distance + i);
    uint32_t first = line[count - 1] / terms->kernels->panel_columns * terms->kernels->panel_columns;
    if (bias->position_keys) positions_multiply_queries(terms, tile->queries, queries, stride, first, line[0]);
    const float *by_query = terms->by_query;
    const float *by_key = terms->by_key + (tile->key - terms->key);
    for (uint32_t query = 0; query < tile->queries; query++, scores += TILE_KEYS) {
        const uint32_t *rows = line + (tile->queries - 1 - query);
        if (bias->position_keys)
            for (uint32_t key = 0; key < tile->keys; key++) scores[key] += by_query[rows[key] - first];
        if (bias->position_queries)
            for (uint32_t key = 0; key < tile->keys; key++)
                scores[key] += by_key[(size_t)(rows[key] - terms->row) * TILE_KEYS + key];
        by_query += positions_stride(terms->kernels, terms->plan);
    }
}
