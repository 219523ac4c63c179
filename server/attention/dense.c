/* Tiled attention with an online softmax (Dao et al. 2022, FlashAttention, algorithm 1), on the kernels' products.
 *
 * For each head and each block of queries:
 *     for each tile of keys, in order:
 *         keys and values become panels
 *         for each tile of queries:
 *             scores  = queries * keys^T                          [queries][keys]
 *             softmax_tile: weights, and what older sums are worth
 *             outputs = outputs * factors + weights * values      [queries][head_size]
 *     outputs / sums replaces the queries
 * A block of queries is large so that panels are made once for most texts. A query's sums run over the keys in
 * order. */
#include "attention/dense.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK_QUERIES = 256, /* queries that share the panels of a tile of keys */
    TILE_QUERIES = 36,   /* with TILE_KEYS: scores that stay in the first-level cache */
    TILE_KEYS = 144,     /* whole panels of every variant; the default model's usual texts fit one tile */
    ALIGNMENT = 16,      /* floats: a cache line */
};

/* The scratch's parts, each starting on a cache line. */
typedef enum DensePart {
    PART_KEYS,    /* panels of [head_size][keys] */
    PART_VALUES,  /* panels of [keys][head_size] */
    PART_SCORES,  /* [TILE_QUERIES][TILE_KEYS] */
    PART_OUTPUTS, /* [BLOCK_QUERIES][head_size] */
    PART_MAXIMA,  /* [BLOCK_QUERIES] */
    PART_SUMS,    /* [BLOCK_QUERIES] */
    PART_FACTORS, /* [TILE_QUERIES] */
    PART_COUNT,
} DensePart;

/* One head of one sequence. Row t of queries, keys and values starts at t * stride. */
typedef struct DenseHead {
    const Kernels *kernels;
    float *part[PART_COUNT];
    float *queries;
    const float *keys;
    const float *values;
    size_t stride;
    uint32_t size;
    uint32_t token_count;
    float scale;
} DenseHead;

static size_t dense_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

/* Floats from the start of the scratch to `part`; to PART_COUNT, all of it. */
static size_t dense_offset(const Kernels *kernels, uint32_t head_size, DensePart part)
{
    const size_t sizes[PART_COUNT] = {
        [PART_KEYS] = head_size * dense_round_up(TILE_KEYS, kernels->lanes),
        [PART_VALUES] = TILE_KEYS * dense_round_up(head_size, kernels->lanes),
        [PART_SCORES] = TILE_QUERIES * TILE_KEYS,
        [PART_OUTPUTS] = (size_t)BLOCK_QUERIES * head_size,
        [PART_MAXIMA] = BLOCK_QUERIES,
        [PART_SUMS] = BLOCK_QUERIES,
        [PART_FACTORS] = TILE_QUERIES,
    };
    size_t offset = 0;
    for (int i = 0; i < (int)part; i++) offset += dense_round_up(sizes[i], ALIGNMENT);
    return offset;
}

size_t attention_scratch_size(const Kernels *kernels, const AttentionPlan *plan)
{
    return dense_offset(kernels, plan->head_size, PART_COUNT);
}

static uint32_t dense_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Lays keys [first, first + count) out as panels of keys, and their values as panels of the head's columns. */
static void dense_pack(const DenseHead *head, uint32_t first, uint32_t count)
{
    const Kernels *kernels = head->kernels;
    uint32_t panel = kernels->panel_columns;
    for (uint32_t key = 0; key < count; key += panel)
        kernels->gemm_pack(head->keys + (first + key) * head->stride, head->stride, dense_min(panel, count - key),
                           head->size, head->part[PART_KEYS] + (size_t)key * head->size);
    for (uint32_t column = 0; column < head->size; column += panel) {
        uint32_t columns = dense_min(panel, head->size - column);
        size_t width = dense_round_up(columns, kernels->lanes);
        float *target = head->part[PART_VALUES] + (size_t)column * count;
        for (uint32_t key = 0; key < count; key++, target += width) {
            memcpy(target, head->values + (first + key) * head->stride + column, columns * sizeof *target);
            memset(target + columns, 0, (width - columns) * sizeof *target);
        }
    }
}

/* scores[queries][keys] = queries * keys^T */
static void dense_scores(const DenseHead *head, uint32_t query, uint32_t queries, uint32_t keys)
{
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t key = 0; key < keys; key += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = head->queries + query * head->stride,
            .a_stride = head->stride,
            .panel = head->part[PART_KEYS] + (size_t)key * head->size,
            .c = head->part[PART_SCORES] + key,
            .c_stride = TILE_KEYS,
            .rows = queries,
            .columns = dense_min(panel, keys - key),
            .depth = head->size,
        });
}

/* outputs[queries][head_size] = scores * values, plus what is there unless this is the first tile of keys. */
static void dense_outputs(const DenseHead *head, uint32_t row, uint32_t queries, uint32_t keys, bool first_tile)
{
    uint32_t panel = head->kernels->panel_columns;
    float *outputs = head->part[PART_OUTPUTS] + (size_t)row * head->size;
    if (!first_tile) head->kernels->rows_scale(outputs, head->size, queries, head->size, head->part[PART_FACTORS]);
    for (uint32_t column = 0; column < head->size; column += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = head->part[PART_SCORES],
            .a_stride = TILE_KEYS,
            .panel = head->part[PART_VALUES] + (size_t)column * keys,
            .c = outputs + column,
            .c_stride = head->size,
            .rows = queries,
            .columns = dense_min(panel, head->size - column),
            .depth = keys,
            .residual = first_tile ? NULL : outputs + column,
            .residual_stride = head->size,
        });
}

/* Divides a block's outputs by their sums and puts them where its queries were. */
static void dense_finish(const DenseHead *head, uint32_t query, uint32_t count)
{
    float *inverses = head->part[PART_SUMS];
    float *outputs = head->part[PART_OUTPUTS];
    for (uint32_t i = 0; i < count; i++) inverses[i] = 1.0f / inverses[i];
    head->kernels->rows_scale(outputs, head->size, count, head->size, inverses);
    for (uint32_t i = 0; i < count; i++)
        memcpy(head->queries + (query + i) * head->stride, outputs + (size_t)i * head->size,
               head->size * sizeof *outputs);
}

static void dense_block(const DenseHead *head, uint32_t query, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        head->part[PART_MAXIMA][i] = -INFINITY;
        head->part[PART_SUMS][i] = 0.0f;
    }
    for (uint32_t key = 0; key < head->token_count; key += TILE_KEYS) {
        uint32_t keys = dense_min(TILE_KEYS, head->token_count - key);
        dense_pack(head, key, keys);
        for (uint32_t row = 0; row < count; row += TILE_QUERIES) {
            uint32_t queries = dense_min(TILE_QUERIES, count - row);
            dense_scores(head, query + row, queries, keys);
            head->kernels->softmax_tile(&(SoftmaxTile){
                .scores = head->part[PART_SCORES],
                .stride = TILE_KEYS,
                .rows = queries,
                .columns = keys,
                .scale = head->scale,
                .maxima = head->part[PART_MAXIMA] + row,
                .sums = head->part[PART_SUMS] + row,
                .factors = head->part[PART_FACTORS],
            });
            dense_outputs(head, row, queries, keys, key == 0);
        }
    }
    dense_finish(head, query, count);
}

void attention_dense(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *sequence,
                     float *scratch)
{
    assert(TILE_KEYS % kernels->panel_columns == 0);
    size_t hidden = (size_t)plan->head_count * plan->head_size;
    DenseHead head = {.kernels = kernels,
                      .stride = sequence->stride,
                      .size = plan->head_size,
                      .token_count = sequence->token_count,
                      .scale = plan->scale};
    for (int part = 0; part < PART_COUNT; part++)
        head.part[part] = scratch + dense_offset(kernels, plan->head_size, (DensePart)part);
    for (uint32_t i = 0; i < plan->head_count; i++) {
        head.queries = sequence->rows + (size_t)i * plan->head_size;
        head.keys = head.queries + hidden;
        head.values = head.keys + hidden;
        for (uint32_t query = 0; query < sequence->token_count; query += BLOCK_QUERIES)
            dense_block(&head, query, dense_min(BLOCK_QUERIES, sequence->token_count - query));
    }
}
