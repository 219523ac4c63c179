#include "explain/rollout.h"

#include "attention/weights.h"
#include "explain/tape.h"

#include <string.h>

enum { TILE_ROWS = 36 }; /* whose weights are made together: a tile of attention's */

struct ExplainRollout {
    Tape tape;          /* first: the probe that looks on in passing */
    EncoderProbe probe; /* the one that sees a run again */
    ExplainSequence sequence;
    EncoderSequence tokens;
    uint32_t runs_left;
    float *rows;    /* [runs][tokens][H] */
    double *row;    /* [tokens]: r */
    double *next;   /* [tokens]: r times the run's weights */
    float *tile;    /* [tokens]: a tile's part of it */
    float *weights; /* [TILE_ROWS][tokens] */
    uint32_t *keys; /* [tokens] */
    float *scores;  /* [tokens] */
};

/* `spec`: an ExplainSequence. */
static void *rollout_lay_out(const void *spec, ExplainMemory *memory)
{
    const ExplainSequence *sequence = spec;
    uint64_t tokens = sequence->token_count;
    size_t size = (size_t)tokens * encoder_hidden_size(sequence->encoder);
    ExplainRollout *rollout = explain_take(memory, 1, sizeof *rollout);
    ExplainRollout made = {.sequence = *sequence, .runs_left = encoder_run_count(sequence->encoder)};
    made.rows = explain_take(memory, made.runs_left * (uint64_t)size, sizeof(float));
    made.row = explain_take(memory, tokens, sizeof(double));
    made.next = explain_take(memory, tokens, sizeof(double));
    made.tile = explain_take(memory, tokens, sizeof(float));
    made.weights = explain_take(memory, TILE_ROWS * tokens, sizeof(float));
    made.keys = explain_take(memory, tokens, sizeof(uint32_t));
    made.scores = explain_take(memory, tokens, sizeof(float));
    made.tape = tape_make(made.rows, size, size);
    if (rollout) *rollout = made;
    return rollout;
}

uint64_t explain_rollout_bytes(const ExplainSequence *sequence)
{
    return explain_made_bytes(rollout_lay_out, sequence);
}

/* Each run once more, of all rows, and the scores and sums of their weights. */
uint64_t explain_rollout_work(const ExplainSequence *sequence)
{
    uint32_t runs = encoder_run_count(sequence->encoder);
    uint64_t work = encoder_work(sequence->encoder, sequence->token_count, sequence->global_count);
    for (uint32_t run = 0; run < runs; run++)
        work += attention_work(encoder_run_plan(sequence->encoder, run), sequence->token_count,
                               sequence->global_count);
    return work;
}

/* Adds weights[key_count], of one row and head, `share` times. */
static void rollout_add(float *sums, float share, const float *weights, const uint32_t *keys, uint32_t key_count)
{
    for (uint32_t i = 0; keys && i < key_count; i++) sums[keys[i]] += share * weights[i];
    for (uint32_t i = 0; !keys && i < key_count; i++) sums[i] += share * weights[i];
}

/* The row of the sequence that is row `index` of the tile. */
static uint32_t rollout_row(const ExplainTile *tile, uint32_t index)
{
    return tile->shown ? tile->first + index : tile->globals->positions[tile->first + index];
}

static void rollout_add_tile(ExplainRollout *self, const ExplainTile *tile, uint32_t head_count)
{
    uint32_t tokens = self->sequence.token_count;
    memset(self->tile, 0, tokens * sizeof *self->tile);
    for (uint32_t head = 0; head < head_count; head++) {
        const float *weights = self->weights;
        explain_tile_weights(tile, head, self->weights);
        for (uint32_t i = 0; i < tile->count; i++) {
            const uint32_t *keys;
            uint32_t count = explain_tile_keys(tile, i, self->keys, &keys);
            rollout_add(self->tile, (float)(self->row[rollout_row(tile, i)] / head_count), weights, keys, count);
            weights += count;
        }
    }
    for (uint32_t i = 0; i < tokens; i++) self->next[i] += (double)self->tile[i];
}

static ExplainRollout *rollout_of(EncoderProbe *probe)
{
    return (ExplainRollout *)(void *)((char *)probe - offsetof(ExplainRollout, probe));
}

static bool rollout_is_wanted(const void *context, uint32_t row)
{
    return ((const ExplainRollout *)context)->row[row] != 0.0;
}

static void rollout_attend(EncoderProbe *probe, const ProbedRows *shown)
{
    ExplainRollout *self = rollout_of(probe);
    ExplainTile tile = {.sequence = &self->sequence, .shown = shown, .first = shown->rows->first_query};
    for (; explain_next_tile(&tile, rollout_is_wanted, self, TILE_ROWS); tile.first += tile.count)
        rollout_add_tile(self, &tile, shown->plan->head_count);
}

static void rollout_attend_globals(EncoderProbe *probe, const ProbedGlobals *shown)
{
    ExplainRollout *self = rollout_of(probe);
    ExplainTile tile = {.sequence = &self->sequence, .globals = shown};
    for (; tile.first < shown->count; tile.first += tile.count) {
        uint32_t left = shown->count - tile.first;
        tile.count = left < TILE_ROWS ? left : TILE_ROWS;
        rollout_add_tile(self, &tile, shown->head_count);
    }
}

Status explain_rollout_open(const ExplainSequence *sequence, const EncoderSequence *tokens, Arena *arena,
                            ExplainRollout **out_rollout, Error *out_error)
{
    ExplainRollout *rollout = explain_make(rollout_lay_out, sequence, arena, out_error);
    if (!rollout) return STATUS_RESOURCE_EXHAUSTED;
    double share = 1.0 / explain_pooled_count(sequence);
    for (uint32_t row = 0; row < sequence->token_count; row++)
        rollout->row[row] = sequence->is_pooled(sequence->context, row) ? share : 0.0;
    rollout->probe = (EncoderProbe){.attend = rollout_attend, .attend_globals = rollout_attend_globals};
    rollout->tokens = *tokens;
    rollout->tokens.probe = &rollout->probe;
    *out_rollout = rollout;
    return STATUS_OK;
}

EncoderProbe *explain_rollout_probe(ExplainRollout *rollout)
{
    return &rollout->tape.probe;
}

/* The caller does all of it, so that sums run in one order. */
bool explain_rollout_step(ExplainRollout *rollout, EncoderWorkspace *workspace)
{
    uint32_t tokens = rollout->sequence.token_count;
    uint32_t run = --rollout->runs_left;
    memset(rollout->next, 0, tokens * sizeof *rollout->next);
    (void)encoder_run_again(rollout->sequence.encoder, workspace, NULL, run, &rollout->tokens, 1,
                            tape_run(&rollout->tape, run));
    for (uint32_t i = 0; i < tokens; i++) {
        rollout->row[i] = 0.5 * rollout->row[i] + 0.5 * rollout->next[i];
        rollout->scores[i] = (float)rollout->row[i];
    }
    return run == 0;
}

const float *explain_rollout_scores(const ExplainRollout *rollout)
{
    return rollout->scores;
}
