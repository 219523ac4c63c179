#include "explain/sequence.h"

#include "attention/weights.h"
#include "base/ascending.h"

bool explain_asks_run(const ExplainSpec *spec, uint32_t run)
{
    return spec->layer_count == 0 || ascending_has(spec->layers, spec->layer_count, run);
}

bool explain_is_global(const ExplainSequence *sequence, uint32_t row)
{
    return ascending_has(sequence->global_positions, sequence->global_count, row);
}

uint32_t explain_pooled_count(const ExplainSequence *sequence)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < sequence->token_count; row++)
        count += sequence->is_pooled(sequence->context, row);
    return count;
}

bool explain_runs_alike(const ExplainSequence *sequence, uint32_t run, uint32_t other)
{
    const AttentionPlan *a = encoder_run_plan(sequence->encoder, run);
    const AttentionPlan *b = encoder_run_plan(sequence->encoder, other);
    return a->window_reach == b->window_reach && a->block_size == b->block_size &&
           a->block_repeats == b->block_repeats;
}

static AttentionRows sequence_rows(const ExplainSequence *sequence)
{
    return (AttentionRows){.token_count = sequence->token_count,
                           .global_positions = sequence->global_positions,
                           .global_count = sequence->global_count};
}

uint32_t explain_key_count(const ExplainSequence *sequence, uint32_t run, uint32_t row)
{
    const AttentionRows rows = sequence_rows(sequence);
    if (explain_is_global(sequence, row)) return sequence->token_count;
    return attention_key_count(encoder_run_plan(sequence->encoder, run), &rows, row);
}

void explain_list_keys(const ExplainSequence *sequence, uint32_t run, uint32_t row, uint32_t *out_keys)
{
    const AttentionRows rows = sequence_rows(sequence);
    if (!explain_is_global(sequence, row)) {
        attention_list_keys(encoder_run_plan(sequence->encoder, run), &rows, row, out_keys);
        return;
    }
    for (uint32_t key = 0; key < sequence->token_count; key++) out_keys[key] = key;
}

const ProbeRoom *explain_tile_room(const ExplainTile *tile)
{
    return tile->shown ? &tile->shown->room : &tile->globals->room;
}

/* A global row's queries, one for each head, stand beside each other and see hidden rows as they are. */
static AttentionRows tile_global_rows(const ProbedGlobals *globals, uint32_t head)
{
    size_t hidden = globals->plan->head_size;
    return (AttentionRows){.queries = globals->folded + head * hidden,
                           .query_stride = globals->head_count * hidden,
                           .query_count = globals->count,
                           .keys = globals->hidden,
                           .key_stride = hidden,
                           .token_count = globals->token_count};
}

void explain_tile_weights(const ExplainTile *tile, uint32_t head, float *out_weights)
{
    const Kernels *kernels = encoder_kernels(tile->sequence->encoder);
    float *scratch = explain_tile_room(tile)->scratch;
    if (tile->shown) {
        attention_weights(kernels, tile->shown->plan, tile->shown->rows, head, tile->first, tile->count,
                          out_weights, scratch);
        return;
    }
    const AttentionRows rows = tile_global_rows(tile->globals, head);
    attention_weights(kernels, tile->globals->plan, &rows, 0, tile->first, tile->count, out_weights, scratch);
}

uint32_t explain_tile_keys(const ExplainTile *tile, uint32_t index, uint32_t *keys, const uint32_t **out_keys)
{
    const ProbedRows *shown = tile->shown;
    uint32_t count = tile->sequence->token_count;
    if (shown) count = attention_key_count(shown->plan, shown->rows, tile->first + index);
    *out_keys = count < tile->sequence->token_count ? keys : NULL;
    if (*out_keys) attention_list_keys(shown->plan, shown->rows, tile->first + index, keys);
    return count;
}

/* The rows of global tokens are made elsewhere. */
static bool tile_has(const ExplainTile *tile, uint32_t row)
{
    return tile->shown->global || !explain_is_global(tile->sequence, row);
}

bool explain_next_tile(ExplainTile *tile, bool (*is_wanted)(const void *context, uint32_t row),
                       const void *context, uint32_t row_max)
{
    const AttentionRows *rows = tile->shown->rows;
    uint32_t end = rows->first_query + rows->query_count;
    while (tile->first < end && !(is_wanted(context, tile->first) && tile_has(tile, tile->first))) tile->first++;
    for (tile->count = 0; tile->count < row_max && tile->first + tile->count < end; tile->count++) {
        uint32_t row = tile->first + tile->count;
        if (!is_wanted(context, row) || !tile_has(tile, row)) break;
    }
    return tile->count > 0;
}
