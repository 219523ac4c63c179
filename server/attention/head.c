/* Panels of keys and values, and scores of tiles. */
#include "attention/head.h"

#include <assert.h>

enum { ALIGNMENT = 16 }; /* floats: a cache line */

/* Floats from the start of the scratch to `part`; to PART_COUNT, all of it. */
static size_t head_offset(const Kernels *kernels, const AttentionPlan *plan, AttentionPart part)
{
    const size_t sizes[PART_COUNT] = {
        [PART_KEYS] = plan->head_size * head_round_up(TILE_KEYS, kernels->lanes),
        [PART_VALUES] = TILE_KEYS * head_round_up(plan->head_size, kernels->lanes),
        [PART_SCORES] = TILE_QUERIES * TILE_KEYS,
        [PART_OUTPUTS] = (size_t)ATTENTION_QUERY_BLOCK * plan->head_size,
        [PART_MAXIMA] = ATTENTION_QUERY_BLOCK,
        [PART_SUMS] = ATTENTION_QUERY_BLOCK,
        [PART_FACTORS] = TILE_QUERIES,
        [PART_BY_QUERY] = positions_by_query_size(kernels, plan),
        [PART_BY_KEY] = positions_by_key_size(plan),
    };
    size_t offset = 0;
    for (int i = 0; i < (int)part; i++) offset += head_round_up(sizes[i], ALIGNMENT);
    return offset;
}

size_t attention_scratch_size(const Kernels *kernels, const AttentionPlan *plan)
{
    return head_offset(kernels, plan, PART_COUNT);
}

AttentionHead head_make(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                        float *scratch)
{
    assert(TILE_KEYS % kernels->panel_columns == 0);
    assert(plan->key_value_head_count && plan->head_count % plan->key_value_head_count == 0);
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
        head.part[part] = scratch + head_offset(kernels, plan, (AttentionPart)part);
    head.scores = head.part[PART_SCORES];
    head.positions.by_query = head.part[PART_BY_QUERY];
    head.positions.by_key = head.part[PART_BY_KEY];
    return head;
}

void head_choose(AttentionHead *head, const AttentionRows *rows, uint32_t index)
{
    size_t shared = index / (head->plan->head_count / head->plan->key_value_head_count);
    head->index = head->positions.head = index;
    head->queries = rows->queries + (size_t)index * head->size;
    head->keys = rows->keys + shared * head->size;
    head->values = rows->values ? rows->values + shared * head->size : NULL;
}

float *head_query(const AttentionHead *head, uint32_t query)
{
    return head->queries + (query - head->first_query) * head->query_stride;
}

/* Lays the block's values out as panels of the head's columns. */
static void head_pack_values(const AttentionHead *head, const ScoreBlock *block)
{
    for (uint32_t column = 0; column < head->size; column += head->kernels->panel_columns) {
        uint32_t columns = head_min(head->kernels->panel_columns, head->size - column);
        size_t width = head_round_up(columns, head->kernels->lanes);
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
static void head_fetch(const AttentionHead *head, const float *rows, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; row < end; row++)
        for (uint32_t column = 0; column < head->size; column += ALIGNMENT)
            __builtin_prefetch(rows + row * head->key_stride + column);
}

/* Lays the block's keys out as panels of keys, and asks for their values. */
static void head_pack_run(const AttentionHead *head, const ScoreBlock *block)
{
    uint32_t panel = head->kernels->panel_columns;
    uint32_t end = block->key + block->keys;
    for (uint32_t key = block->key; key < end; key += panel) {
        uint32_t next = key + head_min(panel, end - key);
        head_fetch(head, head->keys, next, next + head_min(panel, end - next));
        if (head->values) head_fetch(head, head->values, key, next);
        head->kernels->gemm_pack(head->keys + key * head->key_stride, head->key_stride, next - key, head->size,
                                 head->part[PART_KEYS] + (size_t)(key - block->key) * head->size);
    }
}

/* The same of the block's global keys. */
static void head_gather(const AttentionHead *head, const ScoreBlock *block)
{
    const Kernels *kernels = head->kernels;
    uint32_t panel = kernels->panel_columns;
    for (uint32_t key = 0; key < block->keys; key++) {
        const float *row = head->keys + block->positions[key] * head->key_stride;
        uint32_t columns = head_min(panel, block->keys - key / panel * panel);
        size_t width = head_round_up(columns, kernels->lanes);
        float *target = head->part[PART_KEYS] + (size_t)(key / panel * panel) * head->size + key % panel;
        for (uint32_t i = 0; i < head->size; i++) target[i * width] = row[i];
    }
}

void head_pack(AttentionHead *head, const ScoreBlock *block)
{
    if (block->positions)
        head_gather(head, block);
    else
        head_pack_run(head, block);
    if (head->values) head_pack_values(head, block);
    positions_multiply_keys(&head->positions, block, head->part[PART_KEYS]);
}

/* scores[queries][keys] = queries * keys^T + added, for whole panels around the tile. Returns where its own begin. */
static float *head_multiply(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile)
{
    uint32_t panel = head->kernels->panel_columns;
    uint32_t skipped = (tile->key - block->key) / panel * panel;
    ScoreBlock wide = *tile;
    wide.key = block->key + skipped;
    wide.keys = head_min((uint32_t)head_round_up(tile->key + tile->keys - wide.key, panel), block->keys - skipped);
    float added[TILE_KEYS];
    bool adds = pattern_add(&head->pattern, &wide, added);
    for (uint32_t key = 0; key < wide.keys; key += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = head_query(head, tile->query),
            .a_stride = head->query_stride,
            .panel = head->part[PART_KEYS] + (size_t)(skipped + key) * head->size,
            .c = head->scores + key,
            .c_stride = TILE_KEYS,
            .rows = tile->queries,
            .columns = head_min(panel, wide.keys - key),
            .depth = head->size,
            .bias = adds ? added + key : NULL,
        });
    return head->scores + (tile->key - wide.key);
}

float *head_scores(const AttentionHead *head, const ScoreBlock *block, const ScoreBlock *tile, float *out_scale)
{
    float *scores = head_multiply(head, block, tile);
    positions_add(&head->positions, tile, head_query(head, tile->query), head->query_stride, scores);
    *out_scale = bias_add(head->kernels, head->plan, head->index, tile, scores);
    return scores;
}
