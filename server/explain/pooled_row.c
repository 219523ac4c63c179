#include "explain/pooled_row.h"

#include "attention/weights.h"

#include <string.h>

/* Rows by themselves cost as much as a mass of all where there is one in so many. */
enum { MASS_SPARSITY = 16 };

/* Rows of global tokens have weights of their own, which are none of the mass. */
static void pooled_make_mass(PooledRow *row, ExplainMemory *memory)
{
    const ExplainSequence *sequence = row->sequence;
    row->shares = explain_take(memory, sequence->token_count, sizeof *row->shares);
    row->masses = explain_take(memory, row->unit_count, sizeof *row->masses);
    for (uint32_t i = 0; row->shares && i < sequence->token_count; i++)
        row->shares[i] =
            sequence->is_pooled(sequence->context, i) && !explain_is_global(sequence, i) ? 1.0f : 0.0f;
}

PooledRow pooled_row_make(const ExplainSequence *sequence, const uint32_t *heads, uint32_t head_count,
                          ExplainMemory *memory)
{
    uint32_t pooled = explain_pooled_count(sequence);
    PooledRow row = {
        .sequence = sequence,
        .heads = heads,
        .head_count = head_count,
        .all_head_count = encoder_run_plan(sequence->encoder, 0)->head_count,
        .share = 1.0f / (float)pooled,
        .unit_count = 1,
    };
    if (pooled > 1)
        row.unit_count = encoder_probe_units(sequence->encoder, sequence->token_count, sequence->global_count);
    bool own = encoder_attention(sequence->encoder) == ATTENTION_PATTERN_LONGFORMER;
    for (uint32_t i = 0; own && i < sequence->global_count; i++)
        row.has_globals |= sequence->is_pooled(sequence->context, sequence->global_positions[i]);
    uint64_t size = (uint64_t)row.unit_count * row.all_head_count * sequence->token_count;
    row.sums = explain_take(memory, size, sizeof *row.sums);
    row.global_sums = row.has_globals ? explain_take(memory, size, sizeof *row.sums) : NULL;
    if (pooled > sequence->token_count / MASS_SPARSITY && pooled > 1) pooled_make_mass(&row, memory);
    return row;
}

static size_t pooled_size(const PooledRow *row)
{
    return (size_t)row->all_head_count * row->sequence->token_count;
}

void pooled_row_enter(PooledRow *row)
{
    size_t bytes = row->unit_count * pooled_size(row) * sizeof *row->sums;
    memset(row->sums, 0, bytes);
    if (row->has_globals) memset(row->global_sums, 0, bytes);
}

/* The sums that a unit adds to; of a single row, whichever unit has it. */
static float *pooled_unit(const PooledRow *row, float *sums, uint32_t unit)
{
    return sums + (row->unit_count > 1 ? unit : 0) * pooled_size(row);
}

static void pooled_add(float *sums, const float *weights, const uint32_t *keys, uint32_t key_count)
{
    for (uint32_t i = 0; keys && i < key_count; i++) sums[keys[i]] += weights[i];
    for (uint32_t i = 0; !keys && i < key_count; i++) sums[i] += weights[i];
}

/* The first row of the room is for keys, the others are for weights. */
static void pooled_add_tile(const PooledRow *row, const ExplainTile *tile, float *sums)
{
    uint32_t tokens = row->sequence->token_count;
    float *space = explain_tile_room(tile)->space;
    for (uint32_t i = 0; i < row->head_count; i++) {
        float *weights = space + tokens;
        float *head_sums = sums + (size_t)row->heads[i] * tokens;
        explain_tile_weights(tile, row->heads[i], weights);
        for (uint32_t j = 0; j < tile->count; j++) {
            const uint32_t *keys;
            uint32_t count = explain_tile_keys(tile, j, (uint32_t *)space, &keys);
            pooled_add(head_sums, weights, keys, count);
            weights += count;
        }
    }
}

void pooled_row_attend(PooledRow *row, const ProbedRows *shown)
{
    const ExplainSequence *sequence = row->sequence;
    if (row->shares && !shown->global) {
        AttentionMass *mass = &row->masses[shown->unit];
        *mass = (AttentionMass){row->shares, pooled_unit(row, row->sums, shown->unit), shown->rows->masses};
        shown->rows->masses = mass;
        return;
    }
    uint32_t row_max = (uint32_t)(shown->room.space_size / sequence->token_count - 1);
    ExplainTile tile = {.sequence = sequence, .shown = shown, .first = shown->rows->first_query};
    for (; explain_next_tile(&tile, sequence->is_pooled, sequence->context, row_max); tile.first += tile.count)
        pooled_add_tile(row, &tile, pooled_unit(row, row->sums, shown->unit));
}

void pooled_row_attend_globals(PooledRow *row, const ProbedGlobals *shown)
{
    const ExplainSequence *sequence = row->sequence;
    ExplainTile tile = {.sequence = sequence, .globals = shown, .count = 1};
    for (; tile.first < shown->count; tile.first++)
        if (sequence->is_pooled(sequence->context, shown->positions[tile.first]))
            pooled_add_tile(row, &tile, pooled_unit(row, row->global_sums, shown->unit));
}

#define NOTHING 1e-30f /* what hidden keys have is less */

static void pooled_gather(const PooledRow *row, float *sums)
{
    size_t size = pooled_size(row);
    for (uint32_t unit = 1; unit < row->unit_count; unit++)
        for (size_t i = 0; i < size; i++) sums[i] += sums[unit * size + i];
    for (size_t i = 0; i < size; i++) sums[i] = sums[i] > NOTHING ? sums[i] * row->share : 0.0f;
}

void pooled_row_leave(PooledRow *row)
{
    pooled_gather(row, row->sums);
    if (row->has_globals) pooled_gather(row, row->global_sums);
}

uint64_t pooled_row_work(const ExplainSequence *sequence, uint32_t run, uint32_t head_count)
{
    const AttentionPlan *plan = encoder_run_plan(sequence->encoder, run);
    uint32_t pooled = explain_pooled_count(sequence);
    if (pooled >
        1) { /* a mass: what an operation for each pair takes is in memory, an eighth of their attention */
        return attention_work(plan, sequence->token_count, sequence->global_count) / 8;
    }
    uint64_t keys = 0;
    for (uint32_t row = 0; row < sequence->token_count; row++)
        if (sequence->is_pooled(sequence->context, row)) keys += explain_key_count(sequence, run, row);
    return head_count * attention_weights_work(plan, (uint32_t)keys);
}
