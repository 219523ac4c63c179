#include "attention/mass.h"

#include <math.h>

enum {
    SLOT_SCORES = ATTENTION_QUERY_BLOCK * TILE_KEYS,
    SLOT_ROWS = ATTENTION_QUERY_BLOCK * sizeof(MassRow) / sizeof(float),
    SLOT_FLOATS = SLOT_SCORES + SLOT_ROWS,
};

size_t attention_tiles_size(uint32_t token_count, uint32_t global_count)
{
    size_t slots = ((size_t)token_count + TILE_KEYS - 1) / TILE_KEYS;
    return (slots + (global_count + TILE_KEYS - 1) / TILE_KEYS) * SLOT_FLOATS;
}

static float *mass_slot(const MassBlock *block, uint32_t slot)
{
    return block->tiles + (size_t)slot * SLOT_FLOATS;
}

static MassRow *mass_rows(const MassBlock *block, uint32_t slot)
{
    return (MassRow *)(mass_slot(block, slot) + SLOT_SCORES);
}

void mass_begin_slot(MassBlock *block, bool global)
{
    if (!block->mass) return;
    MassRow *rows = mass_rows(block, block->slot_count++);
    block->global_slots += global;
    for (uint32_t i = 0; i < block->queries; i++) rows[i] = (MassRow){0};
}

float *mass_scores(const MassBlock *block, const ScoreBlock *tile)
{
    return mass_slot(block, block->slot_count - 1) + (size_t)(tile->query - block->query) * TILE_KEYS;
}

void mass_keep(const MassBlock *block, const AttentionHead *head, const ScoreBlock *tile, const float *scores)
{
    uint32_t first = tile->query - block->query;
    MassRow *rows = mass_rows(block, block->slot_count - 1) + first;
    uint32_t key = tile->positions ? (uint32_t)(tile->positions - head->pattern.global_positions) : tile->key;
    for (uint32_t i = 0; i < tile->queries; i++)
        rows[i] = (MassRow){.maximum = head->part[PART_MAXIMA][first + i],
                            .key = key,
                            .keys = tile->keys,
                            .offset = (uint32_t)(scores - head->scores)};
}

/* Rows of one tile. */
typedef struct MassTile {
    const float *weights; /* of the first row */
    const MassRow *rows;
    uint32_t row; /* in the block, the first */
    uint32_t count;
    const uint32_t *positions; /* [keys] of global keys, or NULL */
} MassTile;

static void mass_add_tile(const AttentionHead *head, const MassBlock *block, const MassTile *tile)
{
    float factors[TILE_QUERIES];
    float gathered[TILE_KEYS] = {0};
    const MassRow *first = tile->rows;
    float *sums = block->mass->sums + (size_t)head->index * head->pattern.token_count;
    bool any = false;
    for (uint32_t i = 0; i < tile->count; i++) {
        uint32_t row = tile->row + i;
        float worth = expf(tile->rows[i].maximum - head->part[PART_MAXIMA][row]) / head->part[PART_SUMS][row];
        factors[i] = block->mass->shares[block->query + row] * worth;
        any |= factors[i] != 0.0f;
    }
    if (!any) return;
    head->kernels->rows_gather(tile->weights, TILE_KEYS, tile->count, first->keys, factors,
                               tile->positions ? gathered : sums + first->key);
    for (uint32_t i = 0; tile->positions && i < first->keys; i++) sums[tile->positions[i]] += gathered[i];
}

/* Rows belong to one tile that have the same keys, up to a tile's height. */
static uint32_t mass_tile_rows(const MassRow *rows, uint32_t left)
{
    uint32_t count = 1;
    while (count < left && count < TILE_QUERIES && rows[count].key == rows->key &&
           rows[count].keys == rows->keys && rows[count].offset == rows->offset)
        count++;
    return count;
}

void mass_add(const MassBlock *block, const AttentionHead *head)
{
    if (!block->mass) return;
    for (uint32_t slot = 0; slot < block->slot_count; slot++) {
        const MassRow *rows = mass_rows(block, slot);
        for (uint32_t row = 0, count; row < block->queries; row += count) {
            count = mass_tile_rows(rows + row, block->queries - row);
            if (rows[row].keys == 0) continue;
            MassTile tile = {
                .weights = mass_slot(block, slot) + (size_t)row * TILE_KEYS + rows[row].offset,
                .rows = rows + row,
                .row = row,
                .count = count,
                .positions = slot < block->global_slots ? head->pattern.global_positions + rows[row].key : NULL,
            };
            mass_add_tile(head, block, &tile);
        }
    }
}
