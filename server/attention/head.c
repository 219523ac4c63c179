/* Panels of keys and values, and scores of tiles. */
#include "attention/head.h"

#include <assert.h>
#include <string.h>

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
    assert(ATTENTION_QUERY_BLOCK / 2 % kernels->panel_columns == 0);
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

/* Floats of one head's keys in the panels of a text. */
static size_t head_keys_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count)
{
    return plan->head_size * head_round_up(token_count, kernels->lanes);
}

static size_t head_values_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count)
{
    return token_count * head_round_up(plan->head_size, kernels->lanes);
}

size_t attention_panels_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count)
{
    return plan->key_value_head_count *
           (head_keys_size(kernels, plan, token_count) + head_values_size(kernels, plan, token_count));
}

/* Where in the panels of a text the values of a key-value head begin, behind the keys of all. */
static size_t head_values_offset(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count,
                                 size_t shared)
{
    return plan->key_value_head_count * head_keys_size(kernels, plan, token_count) +
           shared * head_values_size(kernels, plan, token_count);
}

/* Where in a head's panels of `count` values the columns of one are, from `column` on. */
static size_t head_value_offset(const Kernels *kernels, const AttentionPlan *plan, uint32_t count, uint32_t key,
                                uint32_t column)
{
    uint32_t columns = head_min(kernels->panel_columns, plan->head_size - column);
    return (size_t)column * count + key * head_round_up(columns, kernels->lanes);
}

/* Of a head that shares its keys with others. */
static HeadPanels head_laid_out(const Kernels *kernels, const AttentionPlan *plan, const float *panels,
                                uint32_t token_count, size_t shared)
{
    return (HeadPanels){
        .keys = panels + shared * head_keys_size(kernels, plan, token_count),
        .values = panels + head_values_offset(kernels, plan, token_count, shared),
        .count = token_count,
    };
}

void head_choose(AttentionHead *head, const AttentionRows *rows, uint32_t index)
{
    size_t shared = index / (head->plan->head_count / head->plan->key_value_head_count);
    head->index = head->positions.head = index;
    head->queries = rows->queries + (size_t)index * head->size;
    if (rows->panels) {
        head->laid_out = head_laid_out(head->kernels, head->plan, rows->panels, rows->token_count, shared);
        return;
    }
    head->keys = rows->keys + shared * head->size;
    head->values = rows->values ? rows->values + shared * head->size : NULL;
}

float *head_query(const AttentionHead *head, uint32_t query)
{
    return head->queries + (query - head->first_query) * head->query_stride;
}

KeyRange head_range(const AttentionHead *head, const ScoreBlock *block)
{
    KeyRange range = pattern_range(&head->pattern, block);
    uint32_t panel = head->kernels->panel_columns;
    range.first -= range.first % panel;
    if (range.end % panel) range.end += head_min(panel - range.end % panel, head->pattern.token_count - range.end);
    return range;
}

static const float *head_value(const AttentionHead *head, uint32_t key, uint32_t column)
{
    if (!head->laid_out.keys) return head->values + key * head->key_stride + column;
    return head->laid_out.values + head_value_offset(head->kernels, head->plan, head->laid_out.count, key, column);
}

/* The first number of a key; *out_stride floats lie between it and the next. */
static const float *head_key(const AttentionHead *head, uint32_t key, size_t *out_stride)
{
    *out_stride = 1;
    if (!head->laid_out.keys) return head->keys + key * head->key_stride;
    uint32_t panel = head->kernels->panel_columns;
    uint32_t first = key - key % panel;
    *out_stride = head_round_up(head_min(panel, head->laid_out.count - first), head->kernels->lanes);
    return head->laid_out.keys + (size_t)first * head->size + (key - first);
}

/* Lays the block's values out as panels of the head's columns. */
static void head_pack_values(const AttentionHead *head, const ScoreBlock *block)
{
    for (uint32_t column = 0; column < head->size; column += head->kernels->panel_columns) {
        uint32_t columns = head_min(head->kernels->panel_columns, head->size - column);
        size_t width = head_round_up(columns, head->kernels->lanes);
        float *panel = head->part[PART_VALUES] + (size_t)column * block->keys;
        if (!block->positions)
            head->kernels->rows_pack(head_value(head, block->key, column), head->key_stride, block->keys, columns,
                                     panel);
        for (uint32_t key = 0; block->positions && key < block->keys; key++)
            head->kernels->rows_pack(head_value(head, block->positions[key], column), 0, 1, columns,
                                     panel + key * width);
    }
}

/* Lays the block's keys out as panels of keys. */
static void head_pack_keys(const AttentionHead *head, const ScoreBlock *block)
{
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t key = 0; key < block->keys; key += panel)
        head->kernels->gemm_pack(head->keys + (block->key + key) * head->key_stride, head->key_stride,
                                 head_min(panel, block->keys - key), head->size,
                                 head->part[PART_KEYS] + (size_t)key * head->size);
}

/* The same of the block's global keys. */
static void head_gather(const AttentionHead *head, const ScoreBlock *block)
{
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t key = 0; key < block->keys; key++) {
        size_t stride;
        const float *from = head_key(head, block->positions[key], &stride);
        uint32_t columns = head_min(panel, block->keys - key / panel * panel);
        size_t width = head_round_up(columns, head->kernels->lanes);
        float *target = head->part[PART_KEYS] + (size_t)(key / panel * panel) * head->size + key % panel;
        for (uint32_t i = 0; i < head->size; i++) target[i * width] = from[i * stride];
    }
}

void head_pack(AttentionHead *head, const ScoreBlock *block)
{
    if (head->laid_out.keys && !block->positions) {
        head->panels = head->laid_out;
        head->panels.keys += (size_t)block->key * head->size;
    } else {
        head->panels = (HeadPanels){head->part[PART_KEYS], head->part[PART_VALUES], block->key, block->keys};
        if (block->positions)
            head_gather(head, block);
        else
            head_pack_keys(head, block);
        if (head->values || head->laid_out.values) head_pack_values(head, block);
    }
    positions_multiply_keys(&head->positions, block, head->panels.keys);
}

void attention_panels_pack(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                           uint32_t first, uint32_t count, float *panels)
{
    uint32_t panel = kernels->panel_columns;
    for (size_t head = 0; head < plan->key_value_head_count; head++) {
        float *keys =
            panels + head * head_keys_size(kernels, plan, rows->token_count) + (size_t)first * plan->head_size;
        float *values = panels + head_values_offset(kernels, plan, rows->token_count, head);
        for (uint32_t i = 0; i < count; i += panel)
            kernels->gemm_pack(rows->keys + i * rows->key_stride + head * plan->head_size, rows->key_stride,
                               head_min(panel, count - i), plan->head_size, keys + (size_t)i * plan->head_size);
        for (uint32_t column = 0; column < plan->head_size; column += panel) {
            kernels->rows_pack(rows->values + head * plan->head_size + column, rows->key_stride, count,
                               head_min(panel, plan->head_size - column),
                               values + head_value_offset(kernels, plan, rows->token_count, first, column));
        }
    }
}

void attention_read_value(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                          uint32_t index, uint32_t token, float *out_value)
{
    uint32_t panel = kernels->panel_columns;
    if (!rows->panels) {
        memcpy(out_value, rows->values + token * rows->key_stride + (size_t)index * plan->head_size,
               plan->head_size * sizeof *out_value);
        return;
    }
    HeadPanels panels = head_laid_out(kernels, plan, rows->panels, rows->token_count, index);
    for (uint32_t column = 0; column < plan->head_size; column += panel) {
        uint32_t columns = head_min(panel, plan->head_size - column);
        size_t offset = head_value_offset(kernels, plan, panels.count, token, column);
        memcpy(out_value + column, panels.values + offset, columns * sizeof *out_value);
    }
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
            .panel = head->panels.keys + (size_t)(skipped + key) * head->size,
            .next = head->panels.keys + (size_t)(skipped + key + panel) * head->size,
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
