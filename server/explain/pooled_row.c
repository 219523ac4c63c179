#include "explain/pooled_row.h"

#include "attention/weights.h"

#include <assert.h>
#include <string.h>

/* Rows by themselves cost as much as a mass of all where there is one in so many. */
enum { MASS_SPARSITY = 16 };

struct PooledRow {
    EncoderProbe probe; /* first */
    const ExplainSpec *spec;
    ExplainSequence sequence;
    uint32_t head_count;
    float share;           /* 1 / the number of pooled rows */
    float *shares;         /* [tokens]: 1 of pooled rows, for a mass; NULL: they are too few for one */
    AttentionMass *masses; /* [unit_count] */
    uint32_t unit_count;
    float *sums;        /* [unit_count][heads][tokens] */
    float *global_sums; /* likewise; NULL: there are no such rows */
};

bool pooled_row_has_globals(const ExplainSequence *sequence)
{
    bool any = false;
    if (encoder_attention(sequence->encoder) != ATTENTION_PATTERN_LONGFORMER) return false;
    for (uint32_t i = 0; i < sequence->global_count; i++)
        any |= sequence->is_pooled(sequence->context, sequence->global_positions[i]);
    return any;
}

/* Rows of global tokens have weights of their own, which are none of the mass. */
static void pooled_lay_out_mass(PooledRow *row, ExplainMemory *memory)
{
    const ExplainSequence *sequence = &row->sequence;
    row->shares = explain_take(memory, sequence->token_count, sizeof *row->shares);
    row->masses = explain_take(memory, row->unit_count, sizeof *row->masses);
    for (uint32_t i = 0; row->shares && i < sequence->token_count; i++)
        row->shares[i] =
            sequence->is_pooled(sequence->context, i) && !explain_is_global(sequence, i) ? 1.0f : 0.0f;
}

/* `spec`: an ExplainAsked. */
static void *pooled_lay_out(const void *spec, ExplainMemory *memory)
{
    const ExplainAsked *asked = spec;
    const ExplainSequence *sequence = asked->sequence;
    uint32_t pooled = explain_pooled_count(sequence);
    PooledRow *row = explain_take(memory, 1, sizeof *row);
    PooledRow made = {
        .spec = asked->spec,
        .sequence = *sequence,
        .head_count = encoder_run_plan(sequence->encoder, 0)->head_count,
        .share = 1.0f / (float)pooled,
        .unit_count = 1,
    };
    if (pooled > 1)
        made.unit_count = encoder_probe_units(sequence->encoder, sequence->token_count, sequence->global_count);
    uint64_t size = (uint64_t)made.unit_count * made.head_count * sequence->token_count;
    made.sums = explain_take(memory, size, sizeof *made.sums);
    if (pooled_row_has_globals(sequence)) made.global_sums = explain_take(memory, size, sizeof *made.global_sums);
    if (pooled > sequence->token_count / MASS_SPARSITY && pooled > 1) pooled_lay_out_mass(&made, memory);
    if (row) *row = made;
    return row;
}

static size_t pooled_size(const PooledRow *row)
{
    return (size_t)row->head_count * row->sequence.token_count;
}

static void pooled_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    PooledRow *row = (PooledRow *)probe;
    size_t bytes = row->unit_count * pooled_size(row) * sizeof *row->sums;
    (void)hidden;
    if (!explain_asks_run(row->spec, run)) return;
    memset(row->sums, 0, bytes);
    if (row->global_sums) memset(row->global_sums, 0, bytes);
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
    uint32_t tokens = row->sequence.token_count;
    float *space = explain_tile_room(tile)->space;
    for (uint32_t head = 0; head < row->head_count; head++) {
        float *weights = space + tokens;
        explain_tile_weights(tile, head, weights);
        for (uint32_t i = 0; i < tile->count; i++) {
            const uint32_t *keys;
            uint32_t count = explain_tile_keys(tile, i, (uint32_t *)space, &keys);
            pooled_add(sums + (size_t)head * tokens, weights, keys, count);
            weights += count;
        }
    }
}

static void pooled_attend(EncoderProbe *probe, const ProbedRows *shown)
{
    PooledRow *row = (PooledRow *)probe;
    const ExplainSequence *sequence = &row->sequence;
    if (!explain_asks_run(row->spec, shown->run)) return;
    if (row->shares && !shown->global) {
        AttentionMass *mass = &row->masses[shown->unit];
        *mass = (AttentionMass){row->shares, pooled_unit(row, row->sums, shown->unit)};
        assert(!shown->rows->mass);
        shown->rows->mass = mass;
        return;
    }
    uint32_t row_max = (uint32_t)(shown->room.space_size / sequence->token_count - 1);
    ExplainTile tile = {.sequence = sequence, .shown = shown, .first = shown->rows->first_query};
    for (; explain_next_tile(&tile, sequence->is_pooled, sequence->context, row_max); tile.first += tile.count)
        pooled_add_tile(row, &tile, pooled_unit(row, row->sums, shown->unit));
}

static void pooled_attend_globals(EncoderProbe *probe, const ProbedGlobals *shown)
{
    PooledRow *row = (PooledRow *)probe;
    const ExplainSequence *sequence = &row->sequence;
    if (!row->global_sums || !explain_asks_run(row->spec, shown->run)) return;
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

static void pooled_leave(EncoderProbe *probe, uint32_t run, const AttentionRows *rows)
{
    PooledRow *row = (PooledRow *)probe;
    (void)rows;
    if (!explain_asks_run(row->spec, run)) return;
    pooled_gather(row, row->sums);
    if (row->global_sums) pooled_gather(row, row->global_sums);
}

/* ---- Public ---- */

uint64_t pooled_row_bytes(const ExplainAsked *asked)
{
    return explain_made_bytes(pooled_lay_out, asked);
}

/* A mass, of several rows: what an operation for each pair takes is in memory, an eighth of their attention. */
static uint64_t pooled_run_work(const ExplainSequence *sequence, uint32_t run)
{
    const AttentionPlan *plan = encoder_run_plan(sequence->encoder, run);
    if (explain_pooled_count(sequence) > 1)
        return attention_work(plan, sequence->token_count, sequence->global_count) / 8;
    uint32_t row = 0;
    while (!sequence->is_pooled(sequence->context, row)) row++;
    return plan->head_count * attention_weights_work(plan, explain_key_count(sequence, run, row));
}

uint64_t pooled_row_work(const ExplainAsked *asked)
{
    uint64_t work = 0;
    for (uint32_t run = 0; run < encoder_run_count(asked->sequence->encoder); run++)
        if (explain_asks_run(asked->spec, run)) work += pooled_run_work(asked->sequence, run);
    return work;
}

PooledRow *pooled_row_open(const ExplainAsked *asked, Arena *arena, Error *out_error)
{
    PooledRow *row = explain_make(pooled_lay_out, asked, arena, out_error);
    if (!row) return NULL;
    row->probe = (EncoderProbe){pooled_enter, pooled_attend, pooled_attend_globals, pooled_leave};
    return row;
}

EncoderProbe *pooled_row_probe(PooledRow *row)
{
    return &row->probe;
}

const float *pooled_row_sums(const PooledRow *row)
{
    return row->sums;
}

const float *pooled_row_global_sums(const PooledRow *row)
{
    return row->global_sums;
}

void pooled_row_read(const PooledRow *row, uint32_t head, float *out_weights)
{
    uint32_t tokens = row->sequence.token_count;
    size_t first = (size_t)head * tokens;
    memcpy(out_weights, row->sums + first, tokens * sizeof *out_weights);
    for (uint32_t i = 0; row->global_sums && i < tokens; i++) out_weights[i] += row->global_sums[first + i];
}
