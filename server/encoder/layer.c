/* One layer, on a group of sequences in two phases, each of them units of rows that do not depend on each other:
 *
 *     1  keys, values = hidden * (key, value) + bias                  [GROUP][K], a long text's laid out in panels
 *        contexts of global rows, which come in place of attention's  [GLOBALS][Q]
 *     2  queries      = hidden * query + bias                         [UNIT][Q]
 *        attention replaces each query, over the keys and values of its sequence
 *        hidden       = norm(queries * attention_output + bias + hidden)
 *        intermediate = activation(hidden * intermediate + bias)      [BLOCK][I]
 *        hidden       = norm(intermediate * output + bias + hidden)
 *
 * A unit reads and writes its own rows of hidden alone, so the layer's result takes its input's place, and all that
 * grows with the text are its keys and values. Pre-norm layers take norm(hidden) as the input of the projections and
 * of intermediate, and leave the sums as they are. */
#include "encoder/layer.h"

#include "encoder/global_rows.h"
#include "encoder/steps.h"

#include <string.h>

/* Sequences end to end: together fewer than GROUP_TOKENS tokens, and one more of any length. */
typedef struct LayerGroup {
    const Encoder *encoder;
    const EncoderLayer *layer;
    uint32_t run;
    EncoderWorkspace *workspace;
    const Crew *crew;
    const EncoderSequence *sequences;
    uint32_t count;
    uint32_t rows_before; /* of all sequences but the last */
    float *hidden;        /* the group's first row */
} LayerGroup;

/* Rows of one sequence that belong to a unit. */
typedef struct LayerPiece {
    const EncoderSequence *sequence;
    uint32_t first; /* in the sequence */
    uint32_t count;
    size_t sequence_row; /* in the group: the sequence's first */
    size_t unit_row;     /* in the unit: the piece's first */
} LayerPiece;

/* hidden = MLP(input) + hidden */
static void layer_mlp(const LayerGroup *group, uint32_t member, const float *input, float *hidden, uint32_t count)
{
    const Encoder *encoder = group->encoder;
    const EncoderLayer *layer = group->layer;
    float *intermediate = workspace_scratch(group->workspace, member)->intermediate;
    size_t width = layer->intermediate.weights.columns;
    size_t hidden_size = encoder->config.hidden_size;
    GemmActivation activation = encoder->config.gated ? GEMM_NONE : encoder->activation;
    encoder_multiply(encoder, &layer->intermediate, input, hidden_size, count, intermediate, NULL, activation);
    if (encoder->config.gated) {
        bool values_first = encoder->layout->values_first;
        encoder->kernels->gate_rows(&(GatedRows){
            .gates = intermediate + (values_first ? width / 2 : 0),
            .values = intermediate + (values_first ? 0 : width / 2),
            .stride = width,
            .products = intermediate,
            .products_stride = width,
            .rows = count,
            .size = (uint32_t)(width / 2),
            .activation = encoder->activation,
        });
    }
    crew_pause(group->crew, member);
    encoder_multiply(encoder, &layer->output, intermediate, width, count, hidden, hidden, GEMM_NONE);
}

/* hidden = norm(norm(attention + hidden) + hidden) */
static void layer_attention_twice(const Encoder *encoder, const EncoderLayer *layer, const float *queries,
                                  float *rows, float *hidden, uint32_t count)
{
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->queries.weights.columns;
    encoder_multiply(encoder, &layer->attention_output, queries, width, count, rows, hidden, GEMM_NONE);
    encoder_normalize(encoder, &layer->attention_norm, rows, rows, count, size);
    for (size_t i = 0; i < (size_t)count * size; i++) hidden[i] += rows[i];
    encoder_normalize(encoder, &layer->second_norm, hidden, hidden, count, size);
}

/* Everything that follows attention, on `count` rows: queries[count][Q], hidden[count][H]. */
static void layer_block(const LayerGroup *group, uint32_t member, const float *queries, float *hidden,
                        uint32_t count)
{
    const Encoder *encoder = group->encoder;
    const EncoderLayer *layer = group->layer;
    const EncoderScratch *scratch = workspace_scratch(group->workspace, member);
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->queries.weights.columns;
    if (layer->second_norm.gain)
        layer_attention_twice(encoder, layer, queries, scratch->rows, hidden, count);
    else
        encoder_multiply(encoder, &layer->attention_output, queries, width, count, hidden, hidden, GEMM_NONE);
    crew_pause(group->crew, member);
    if (encoder->layout->norm_order == NORM_BEFORE) {
        encoder_normalize(encoder, &layer->output_norm, hidden, scratch->rows, count, size);
        layer_mlp(group, member, scratch->rows, hidden, count);
        return;
    }
    if (!layer->second_norm.gain) encoder_normalize(encoder, &layer->attention_norm, hidden, hidden, count, size);
    layer_mlp(group, member, hidden, hidden, count);
    encoder_normalize(encoder, &layer->output_norm, hidden, hidden, count, size);
}

/* Blocks of queries of a group's last sequence, each with a unit of its own; a short end has none. */
static uint32_t layer_unit_count(const LayerGroup *group)
{
    uint32_t tokens = group->sequences[group->count - 1].token_count;
    uint32_t blocks = tokens / ATTENTION_QUERY_BLOCK;
    uint32_t end = tokens % ATTENTION_QUERY_BLOCK;
    return blocks == 0 || end >= GROUP_TOKENS ? blocks + 1 : blocks;
}

/* The group's row at which unit `unit` starts; unit_count: all rows. */
static size_t layer_unit_row(const LayerGroup *group, uint32_t unit)
{
    if (unit == 0) return 0;
    if (unit == layer_unit_count(group))
        return (size_t)group->rows_before + group->sequences[group->count - 1].token_count;
    return group->rows_before + (size_t)unit * ATTENTION_QUERY_BLOCK;
}

/* Makes `piece` the next one of unit `unit`; false: there is none. Zeroed, it is in front of the first. */
static bool layer_next_piece(const LayerGroup *group, uint32_t unit, LayerPiece *piece)
{
    const EncoderSequence *last = &group->sequences[group->count - 1];
    if (piece->sequence == last) return false;
    size_t start = layer_unit_row(group, unit);
    size_t end = layer_unit_row(group, unit + 1);
    LayerPiece next = {.sequence = group->sequences};
    if (piece->sequence) {
        next.sequence = piece->sequence + 1;
        next.sequence_row = piece->sequence_row + piece->sequence->token_count;
        next.unit_row = piece->unit_row + piece->count;
    } else if (unit > 0) {
        next.sequence = last;
        next.sequence_row = group->rows_before;
        next.first = (uint32_t)(start - group->rows_before);
    }
    size_t left = end - start - next.unit_row;
    next.count = next.sequence->token_count - next.first;
    if (next.count > left) next.count = (uint32_t)left;
    *piece = next;
    return true;
}

/* What the projections read of `count` rows: hidden itself, or its norm. */
static const float *layer_input(const LayerGroup *group, const EncoderScratch *scratch, const float *hidden,
                                uint32_t count)
{
    const Encoder *encoder = group->encoder;
    const EncoderNorm *norm = &group->layer->attention_norm;
    if (encoder->layout->norm_order != NORM_BEFORE || !norm->gain) return hidden;
    encoder_normalize(encoder, norm, hidden, scratch->rows, count, encoder->config.hidden_size);
    return scratch->rows;
}

/* Norm and rotation of queries or keys before they meet. rows[piece->count] are `stride` floats apart. */
static void layer_turn(const LayerGroup *group, const LayerPiece *piece, const EncoderNorm *norm, float *rows,
                       size_t stride, uint32_t head_count)
{
    const Encoder *encoder = group->encoder;
    uint32_t size = head_count * encoder->config.head_size;
    for (uint32_t i = 0; norm->gain && i < piece->count; i++)
        encoder_normalize(encoder, norm, rows + i * stride, rows + i * stride, 1, size);
    if (!group->layer->rotary) return;
    rotary_apply(group->layer->rotary, encoder->kernels,
                 &(RotaryRows){.rows = rows,
                               .stride = stride,
                               .first = piece->first,
                               .row_count = piece->count,
                               .token_count = piece->sequence->token_count,
                               .head_count = head_count,
                               .head_size = encoder->config.head_size});
}

/* Whether the group's last sequence is so long that several blocks of queries read its keys: its keys and values are
 * laid out for them, in panels that begin where its rows would. */
static bool layer_lays_out(const LayerGroup *group)
{
    return group->sequences[group->count - 1].token_count > ATTENTION_QUERY_BLOCK;
}

static bool layer_is_laid_out(const LayerGroup *group, const LayerPiece *piece)
{
    return layer_lays_out(group) && piece->sequence == &group->sequences[group->count - 1];
}

/* rows[count] = keys and values of input[count]. */
static void layer_project_keys(const LayerGroup *group, uint32_t member, const float *input, uint32_t count,
                               float *rows)
{
    const Encoder *encoder = group->encoder;
    uint32_t size = encoder->config.hidden_size;
    size_t width = group->layer->keys_values.weights.columns;
    for (uint32_t i = 0; i < count; i += KEY_ROWS) {
        crew_pause(group->crew, member);
        encoder_multiply(encoder, &group->layer->keys_values, input + (size_t)i * size, size,
                         count - i < KEY_ROWS ? count - i : KEY_ROWS, rows + i * width, NULL, GEMM_NONE);
    }
}

/* Keys and values of a piece pass through the room of queries, which come later. */
static void layer_lay_out(const LayerGroup *group, uint32_t member, const float *input, const LayerPiece *piece)
{
    const Encoder *encoder = group->encoder;
    size_t width = group->layer->keys_values.weights.columns;
    float *rows = workspace_scratch(group->workspace, member)->queries;
    float *panels = group->workspace->keys_values + piece->sequence_row * width;
    for (uint32_t i = 0; i < piece->count; i += KEY_ROWS) {
        LayerPiece part = *piece;
        part.first += i;
        part.count = piece->count - i < KEY_ROWS ? piece->count - i : KEY_ROWS;
        layer_project_keys(group, member, input + (size_t)i * encoder->config.hidden_size, part.count, rows);
        layer_turn(group, &part, &group->layer->key_norm, rows, width, encoder->config.key_value_head_count);
        attention_panels_pack(encoder->kernels, &group->layer->plan,
                              &(AttentionRows){.keys = rows,
                                               .values = rows + width / 2,
                                               .key_stride = width,
                                               .token_count = piece->sequence->token_count},
                              part.first, part.count, panels);
    }
}

/* Phase 1. */
static void layer_run_keys(void *context, uint32_t unit, uint32_t member)
{
    const LayerGroup *group = context;
    const Encoder *encoder = group->encoder;
    const EncoderScratch *scratch = workspace_scratch(group->workspace, member);
    uint32_t size = encoder->config.hidden_size;
    size_t width = group->layer->keys_values.weights.columns;
    size_t row = layer_unit_row(group, unit);
    uint32_t count = (uint32_t)(layer_unit_row(group, unit + 1) - row);
    float *rows = group->workspace->keys_values + row * width;
    const float *input = layer_input(group, scratch, group->hidden + row * size, count);
    uint32_t kept = !layer_lays_out(group) ? count : unit == 0 ? group->rows_before : 0;
    layer_project_keys(group, member, input, kept, rows);
    LayerPiece piece = {0};
    while (layer_next_piece(group, unit, &piece)) {
        if (layer_is_laid_out(group, &piece))
            layer_lay_out(group, member, input + piece.unit_row * size, &piece);
        else
            layer_turn(group, &piece, &group->layer->key_norm, rows + piece.unit_row * width, width,
                       encoder->config.key_value_head_count);
    }
}

/* What the piece's queries see. */
static AttentionRows layer_rows(const LayerGroup *group, const LayerPiece *piece, float *queries)
{
    size_t width = group->layer->keys_values.weights.columns;
    const float *keys = group->workspace->keys_values + piece->sequence_row * width;
    bool laid_out = layer_is_laid_out(group, piece);
    return (AttentionRows){
        .queries = queries,
        .query_stride = group->layer->queries.weights.columns,
        .first_query = piece->first,
        .query_count = piece->count,
        .keys = laid_out ? NULL : keys,
        .values = laid_out ? NULL : keys + width / 2,
        .panels = laid_out ? keys : NULL,
        .key_stride = width,
        .token_count = piece->sequence->token_count,
        .global_positions = piece->sequence->global_positions,
        .global_count = piece->sequence->global_count,
    };
}

/* What a probe may use while a unit of `member` attends: the MLP's rows come later. */
static ProbeRoom layer_room(const LayerGroup *group, uint32_t member)
{
    const EncoderScratch *scratch = workspace_scratch(group->workspace, member);
    return (ProbeRoom){scratch->attention, scratch->intermediate, scratch->intermediate_size};
}

/* Replaces queries[piece->count] by what they see of their sequence; `global`: the one row is a global token's. */
static void layer_attend(const LayerGroup *group, const AttentionPlan *plan, const LayerPiece *piece, bool global,
                         uint32_t unit, float *queries, uint32_t member)
{
    const Encoder *encoder = group->encoder;
    const EncoderLayer *layer = group->layer;
    const EncoderSequence *sequence = piece->sequence;
    AttentionRows rows = layer_rows(group, piece, queries);
    layer_turn(group, piece, &layer->query_norm, queries, rows.query_stride, encoder->config.head_count);
    float *scratch = workspace_scratch(group->workspace, member)->attention;
    rows.tiles = workspace_scratch(group->workspace, member)->tiles;
    if (sequence->probe && sequence->probe->attend)
        sequence->probe->attend(sequence->probe, &(ProbedRows){.run = group->run,
                                                               .unit = unit,
                                                               .plan = plan,
                                                               .rows = &rows,
                                                               .global = global,
                                                               .room = layer_room(group, member)});
    rows.head_count = group->crew ? 1 : 0;
    do { /* heads one by one where there is something to pause for */
        crew_pause(group->crew, member);
        attention_forward(encoder->kernels, plan, &rows, scratch);
        rows.first_head++;
    } while (group->crew && rows.first_head < encoder->config.head_count);
}

/* Window mode: global rows see all keys by the projections that all rows have. */
static void layer_see_all(const LayerGroup *group, const EncoderSequence *sequence, size_t sequence_row,
                          const GlobalRows *rows, uint32_t member)
{
    const Encoder *encoder = group->encoder;
    const EncoderScratch *scratch = workspace_scratch(group->workspace, member);
    uint32_t size = encoder->config.hidden_size;
    uint32_t width = group->layer->queries.weights.columns;
    AttentionPlan plan = group->layer->plan;
    plan.window_reach = ATTENTION_UNLIMITED;
    for (uint32_t i = 0; i < rows->count; i++) {
        LayerPiece piece = {sequence, rows->positions[i], 1, sequence_row, 0};
        float *query = rows->contexts + i * (size_t)width;
        const float *input = layer_input(group, scratch, rows->hidden + rows->positions[i] * (size_t)size, 1);
        encoder_multiply(encoder, &group->layer->queries, input, size, 1, query, NULL, GEMM_NONE);
        layer_attend(group, &plan, &piece, true, rows->unit, query, member);
    }
}

/* Between the phases, while hidden is still the layer's input. */
static void layer_run_globals(void *context, uint32_t unit, uint32_t member)
{
    const LayerGroup *group = context;
    const Encoder *encoder = group->encoder;
    const EncoderSequence *sequence = group->sequences;
    size_t row = 0;
    size_t before = 0; /* global rows */
    for (; unit >= global_rows_units(encoder, sequence->global_count); sequence++) {
        unit -= global_rows_units(encoder, sequence->global_count);
        row += sequence->token_count;
        before += sequence->global_count;
    }
    uint32_t block = global_rows_block(encoder);
    uint32_t first = unit * block;
    uint32_t left = sequence->global_count - first;
    GlobalRows rows = {
        .hidden = group->hidden + row * encoder->config.hidden_size,
        .token_count = sequence->token_count,
        .positions = sequence->global_positions + first,
        .count = left < block ? left : block,
        .contexts = group->workspace->contexts + (before + first) * group->layer->queries.weights.columns,
        .scratch = workspace_scratch(group->workspace, member)->globals,
        .unit = unit,
        .room = layer_room(group, member),
        .run = group->run,
        .probe = sequence->probe,
    };
    if (encoder->windowed)
        layer_see_all(group, sequence, row, &rows, member);
    else
        global_rows_attend(encoder, group->layer, &rows);
}

/* The global rows of a piece replace what attention left in queries[piece->count]. */
static void layer_put_globals(const LayerGroup *group, const LayerPiece *piece, float *queries)
{
    const EncoderSequence *sequence = piece->sequence;
    if (sequence->global_count == 0) return;
    size_t width = group->layer->queries.weights.columns;
    const float *contexts = group->workspace->contexts;
    for (const EncoderSequence *before = group->sequences; before < sequence; before++)
        contexts += before->global_count * width;
    for (uint32_t i = 0; i < sequence->global_count; i++) {
        uint32_t position = sequence->global_positions[i];
        if (position < piece->first || position - piece->first >= piece->count) continue;
        memcpy(queries + (position - piece->first) * width, contexts + i * width, width * sizeof *queries);
    }
}

/* Phase 2. */
static void layer_run_queries(void *context, uint32_t unit, uint32_t member)
{
    const LayerGroup *group = context;
    const Encoder *encoder = group->encoder;
    const EncoderScratch *scratch = workspace_scratch(group->workspace, member);
    uint32_t size = encoder->config.hidden_size;
    size_t width = group->layer->queries.weights.columns;
    size_t row = layer_unit_row(group, unit);
    uint32_t count = (uint32_t)(layer_unit_row(group, unit + 1) - row);
    float *hidden = group->hidden + row * size;
    const float *input = layer_input(group, scratch, hidden, count);
    encoder_multiply(encoder, &group->layer->queries, input, size, count, scratch->queries, NULL, GEMM_NONE);
    LayerPiece piece = {0};
    while (layer_next_piece(group, unit, &piece)) {
        float *queries = scratch->queries + piece.unit_row * width;
        layer_attend(group, &group->layer->plan, &piece, false, piece.first / ATTENTION_QUERY_BLOCK, queries,
                     member);
        layer_put_globals(group, &piece, queries);
    }
    uint32_t blocks = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t start = count * i / blocks;
        uint32_t end = count * (i + 1) / blocks;
        crew_pause(group->crew, member);
        layer_block(group, member, scratch->queries + start * width, hidden + (size_t)start * size, end - start);
    }
}

/* Tells the group's probes that the run begins. */
static void layer_enter(const LayerGroup *group)
{
    const float *hidden = group->hidden;
    for (uint32_t i = 0; i < group->count; i++) {
        EncoderProbe *probe = group->sequences[i].probe;
        if (probe && probe->enter) probe->enter(probe, group->run, hidden);
        hidden += (size_t)group->sequences[i].token_count * group->encoder->config.hidden_size;
    }
}

/* And that it is over. */
static void layer_leave(const LayerGroup *group)
{
    LayerPiece piece = {.sequence = group->sequences};
    for (uint32_t i = 0; i < group->count; i++, piece.sequence++) {
        EncoderProbe *probe = piece.sequence->probe;
        if (probe && probe->leave) {
            AttentionRows rows = layer_rows(group, &piece, NULL);
            probe->leave(probe, group->run, &rows);
        }
        piece.sequence_row += piece.sequence->token_count;
    }
}

void encoder_layer(const Encoder *encoder, const EncoderLayer *layer, uint32_t run, EncoderWorkspace *workspace,
                   const Crew *crew, const EncoderSequence *sequences, uint32_t count)
{
    LayerGroup group = {.encoder = encoder,
                        .layer = layer,
                        .run = run,
                        .workspace = workspace,
                        .crew = crew,
                        .hidden = workspace->hidden};
    for (uint32_t first = 0; first < count; first += group.count) {
        group.sequences = sequences + first;
        group.count = 1;
        group.rows_before = 0;
        uint32_t tokens = group.sequences[0].token_count;
        uint32_t global_units = global_rows_units(encoder, group.sequences[0].global_count);
        while (first + group.count < count && tokens < GROUP_TOKENS) {
            group.rows_before = tokens;
            global_units += global_rows_units(encoder, group.sequences[group.count].global_count);
            tokens += group.sequences[group.count++].token_count;
        }
        uint32_t units = layer_unit_count(&group);
        layer_enter(&group);
        crew_run(crew, units, layer_run_keys, &group);
        crew_run(crew, global_units, layer_run_globals, &group);
        crew_run(crew, units, layer_run_queries, &group);
        layer_leave(&group);
        group.hidden += (size_t)tokens * encoder->config.hidden_size;
    }
}
