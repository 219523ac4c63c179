/* Rows are made as they attend, each tile of them in the room of whoever runs it, and written where they belong:
 * nothing is kept but what is returned. */
#include "explain/attention.h"

#include "attention/weights.h"
#include "base/ascending.h"
#include "explain/row_format.h"

#include <string.h>

/* One of the layers asked for. */
typedef struct AskedLayer {
    uint32_t run;
    uint32_t entry_count;        /* of each of its weights */
    uint32_t *row_offsets;       /* [row_count + 1]; NULL: dense */
    uint32_t *columns;           /* SPARSE: [entry_count], of all its heads */
    ExplainWeights *weights;     /* [weights_per_layer], as they are returned */
    struct AskedWeights *places; /* [weights_per_layer] */
} AskedLayer;

/* Where rows of weights are written. */
typedef struct AskedWeights {
    void *weights;
    float *dropped;
    uint32_t *columns;
} AskedWeights;

struct ExplainAttention {
    EncoderProbe probe; /* first */
    const ExplainSpec *spec;
    ExplainSequence sequence;
    AskedLayer *layers; /* [layer_count], ascending */
    uint32_t layer_count;
    const uint32_t *heads; /* [head_count] */
    uint32_t head_count;
    uint32_t weights_per_layer; /* as many as heads, or 1 of all together */
    uint32_t row_count;
    uint32_t single_row;     /* POOLED, of one row */
    bool is_mean;            /* POOLED, of several */
    uint32_t *rows;          /* [row_count]; NULL: is_mean */
    const PooledRow *pooled; /* POOLED */
    float *head_weights;     /* [tokens]: the pooled row of a head */
    float *joined_weights;   /* [tokens]: of all heads together */
    uint32_t *chosen;        /* [tokens], of the pooled row */
    bool *seen;              /* [tokens] */
    ExplainWeights *weights; /* [layer_count][weights_per_layer] */
};

/* ---- What is asked for ---- */

static uint32_t attention_listed(const uint32_t *list, uint32_t place)
{
    return list ? list[place] : place;
}

static uint32_t attention_run(const ExplainAttention *self, uint32_t place)
{
    return attention_listed(self->spec->layer_count ? self->spec->layers : NULL, place);
}

static uint32_t attention_row(const ExplainAttention *self, uint32_t place)
{
    if (self->spec->rows == EXPLAIN_ROWS_POOLED) return self->single_row;
    return attention_listed(self->spec->rows == EXPLAIN_ROWS_LISTED ? self->spec->row_indices : NULL, place);
}

static void attention_find_pooled(ExplainAttention *self)
{
    const ExplainSequence *sequence = &self->sequence;
    self->row_count = 1;
    self->is_mean = explain_pooled_count(sequence) > 1;
    while (!sequence->is_pooled(sequence->context, self->single_row)) self->single_row++;
}

static ExplainAttention attention_make(const ExplainAsked *asked)
{
    const ExplainSpec *spec = asked->spec;
    const ExplainSequence *sequence = asked->sequence;
    ExplainAttention self = {.spec = spec, .sequence = *sequence};
    uint32_t heads = encoder_run_plan(sequence->encoder, 0)->head_count;
    self.layer_count = spec->layer_count ? spec->layer_count : encoder_run_count(sequence->encoder);
    self.head_count = spec->head_count ? spec->head_count : heads;
    self.weights_per_layer = spec->aggregate == EXPLAIN_HEADS_EACH ? self.head_count : 1;
    if (spec->rows == EXPLAIN_ROWS_POOLED) attention_find_pooled(&self);
    if (spec->rows == EXPLAIN_ROWS_ALL) self.row_count = sequence->token_count;
    if (spec->rows == EXPLAIN_ROWS_LISTED)
        while (self.row_count < spec->row_count && spec->row_indices[self.row_count] < sequence->token_count)
            self.row_count++;
    return self;
}

/* ---- Sizes ---- */

/* The pooled row of several sees no more than all of them by themselves. */
static uint32_t attention_mean_keys(const ExplainSequence *sequence, uint32_t run)
{
    uint64_t keys = 0;
    for (uint32_t row = 0; row < sequence->token_count && keys < sequence->token_count; row++)
        if (sequence->is_pooled(sequence->context, row)) keys += explain_key_count(sequence, run, row);
    return keys < sequence->token_count ? (uint32_t)keys : sequence->token_count;
}

static uint64_t attention_row_entries(const ExplainAttention *self, uint32_t run, uint32_t place)
{
    const ExplainSequence *sequence = &self->sequence;
    if (self->spec->form == EXPLAIN_FORM_DENSE) return sequence->token_count;
    uint32_t keys = self->is_mean ? attention_mean_keys(sequence, run)
                                  : explain_key_count(sequence, run, attention_row(self, place));
    return row_format_count(self->spec, sequence->token_count, keys);
}

/* An earlier of the layers whose rows see the same keys; `place` itself: there is none. */
static uint32_t attention_twin(const ExplainAttention *self, uint32_t place)
{
    uint32_t run = attention_run(self, place);
    uint32_t twin = 0;
    while (twin < place && !explain_runs_alike(&self->sequence, attention_run(self, twin), run)) twin++;
    return twin;
}

enum { SUM_COUNT_MAX = 256 };

/* Something of all rows, by the places of the layers: of layers that are alike it is counted once. */
typedef struct RowSums {
    uint64_t (*of_row)(const ExplainAttention *self, uint32_t run, uint32_t place);
    uint64_t sums[SUM_COUNT_MAX];
} RowSums;

static uint64_t attention_sum(const ExplainAttention *self, uint32_t place, RowSums *sums)
{
    uint32_t twin = attention_twin(self, place);
    uint64_t sum = 0;
    if (twin < place && twin < SUM_COUNT_MAX)
        sum = sums->sums[twin];
    else
        for (uint32_t row = 0; row < self->row_count; row++)
            sum += sums->of_row(self, attention_run(self, place), row);
    if (place < SUM_COUNT_MAX) sums->sums[place] = sum;
    return sum;
}

/* ---- Laying out ---- */

static void attention_lay_out_heads(ExplainAttention *self, ExplainMemory *memory)
{
    uint32_t *numbers = self->spec->head_count ? NULL : explain_take(memory, self->head_count, sizeof *numbers);
    for (uint32_t i = 0; numbers && i < self->head_count; i++) numbers[i] = i;
    self->heads = self->spec->head_count ? self->spec->heads : numbers;
}

static void attention_lay_out_rows(ExplainAttention *self, ExplainMemory *memory)
{
    if (self->is_mean) return;
    self->rows = explain_take(memory, self->row_count, sizeof *self->rows);
    for (uint32_t i = 0; self->rows && i < self->row_count; i++) self->rows[i] = attention_row(self, i);
}

/* What the layer's heads, and those of layers like it, have in common. */
static void attention_lay_out_columns(const ExplainAttention *self, uint32_t place, AskedLayer *layer,
                                      ExplainMemory *memory)
{
    if (self->spec->form == EXPLAIN_FORM_DENSE) return;
    uint32_t twin = attention_twin(self, place);
    if (twin < place) {
        if (self->layers) layer->row_offsets = self->layers[twin].row_offsets;
        if (self->layers) layer->columns = self->layers[twin].columns;
        return;
    }
    layer->row_offsets = explain_take(memory, self->row_count + (uint64_t)1, sizeof *layer->row_offsets);
    if (self->spec->form == EXPLAIN_FORM_SPARSE)
        layer->columns = explain_take(memory, layer->entry_count, sizeof *layer->columns);
}

static void attention_lay_out_weights(const ExplainAttention *self, uint32_t index, const AskedLayer *layer,
                                      ExplainMemory *memory)
{
    ExplainWeights weights = {
        .layer = layer->run,
        .head = self->spec->aggregate == EXPLAIN_HEADS_EACH ? attention_listed(self->heads, index) : 0,
        .row_count = self->row_count,
        .rows = self->rows,
        .row_offsets = layer->row_offsets,
    };
    AskedWeights place = {.columns = layer->columns};
    place.weights = explain_take(memory, layer->entry_count, row_format_size(self->spec->format));
    place.dropped = explain_take(memory, self->row_count, sizeof *place.dropped);
    if (self->spec->form == EXPLAIN_FORM_TOP_K)
        place.columns = explain_take(memory, layer->entry_count, sizeof *place.columns);
    if (!layer->weights) return;
    weights.weights = place.weights;
    weights.dropped = place.dropped;
    weights.columns = place.columns;
    layer->weights[index] = weights;
    layer->places[index] = place;
}

static void attention_lay_out_layer(ExplainAttention *self, uint32_t place, RowSums *entries,
                                    ExplainMemory *memory)
{
    AskedLayer layer = {.run = attention_run(self, place)};
    layer.entry_count = (uint32_t)attention_sum(self, place, entries);
    layer.weights = self->weights ? self->weights + (size_t)place * self->weights_per_layer : NULL;
    layer.places = explain_take(memory, self->weights_per_layer, sizeof *layer.places);
    attention_lay_out_columns(self, place, &layer, memory);
    for (uint32_t i = 0; i < self->weights_per_layer; i++) attention_lay_out_weights(self, i, &layer, memory);
    if (self->layers) self->layers[place] = layer;
}

/* `spec`: an ExplainAsked. Where `memory` only counts, nothing is written. */
static void *attention_lay_out(const void *spec, ExplainMemory *memory)
{
    ExplainAttention *attention = explain_take(memory, 1, sizeof *attention);
    ExplainAttention made = attention_make(spec);
    uint32_t tokens = made.sequence.token_count;
    RowSums entries = {.of_row = attention_row_entries};
    attention_lay_out_heads(&made, memory);
    attention_lay_out_rows(&made, memory);
    made.layers = explain_take(memory, made.layer_count, sizeof *made.layers);
    made.weights = explain_take(memory, (uint64_t)made.layer_count * made.weights_per_layer, sizeof *made.weights);
    for (uint32_t i = 0; i < made.layer_count; i++) attention_lay_out_layer(&made, i, &entries, memory);
    if (made.spec->rows == EXPLAIN_ROWS_POOLED) {
        made.head_weights = explain_take(memory, tokens, sizeof *made.head_weights);
        made.joined_weights = explain_take(memory, tokens, sizeof *made.joined_weights);
        made.chosen = explain_take(memory, tokens, sizeof *made.chosen);
        made.seen = explain_take(memory, tokens, sizeof *made.seen);
    }
    if (attention) *attention = made;
    return attention;
}

/* Which keys the pooled rows see together. Returns how many. */
static uint32_t attention_list_mean(ExplainAttention *self, const AskedLayer *layer)
{
    const ExplainSequence *sequence = &self->sequence;
    uint32_t count = 0;
    memset(self->seen, 0, sequence->token_count * sizeof *self->seen);
    for (uint32_t row = 0; row < sequence->token_count; row++) {
        if (!sequence->is_pooled(sequence->context, row)) continue;
        uint32_t keys = explain_key_count(sequence, layer->run, row);
        explain_list_keys(sequence, layer->run, row, self->chosen);
        for (uint32_t i = 0; i < keys; i++) self->seen[self->chosen[i]] = true;
    }
    for (uint32_t key = 0; key < sequence->token_count; key++)
        if (self->seen[key]) self->chosen[count++] = key;
    if (layer->columns) memcpy(layer->columns, self->chosen, count * sizeof *layer->columns);
    return count;
}

/* Fills in what is known beforehand. */
static void attention_list(ExplainAttention *self, const AskedLayer *layer)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < self->row_count; i++) {
        layer->row_offsets[i] = sum;
        if (self->is_mean)
            sum = row_format_count(self->spec, self->sequence.token_count, attention_list_mean(self, layer));
        else {
            uint32_t row = attention_row(self, i);
            if (layer->columns) explain_list_keys(&self->sequence, layer->run, row, layer->columns + sum);
            sum += (uint32_t)attention_row_entries(self, layer->run, i);
        }
    }
    layer->row_offsets[self->row_count] = sum;
}

/* ---- Looking on ---- */

static const AskedLayer *attention_layer(const ExplainAttention *self, uint32_t run)
{
    for (uint32_t i = 0; i < self->layer_count; i++)
        if (self->layers[i].run == run) return &self->layers[i];
    return NULL;
}

/* Writes the weights of a row to its place. */
static void attention_write(const ExplainAttention *self, const AskedLayer *layer, uint32_t index, uint32_t place,
                            const FormatRow *row)
{
    const AskedWeights *weights = &layer->places[index];
    uint32_t tokens = self->sequence.token_count;
    FormatPlace target = {
        .weights = weights->weights,
        .first = layer->row_offsets ? layer->row_offsets[place] : (size_t)place * tokens,
        .dropped = weights->dropped + place,
    };
    if (layer->row_offsets) {
        target.columns = weights->columns + target.first;
        target.column_count = layer->row_offsets[place + 1] - layer->row_offsets[place];
    }
    row_format_write(self->spec, row, &target);
}

/* The parts of a room: a row for keys, one to choose in, and rows of one head and of all. */
typedef struct AttentionRoom {
    uint32_t *keys;
    uint32_t *chosen;
    float *weights; /* [row_max][tokens] */
    float *joined;  /* likewise */
    uint32_t row_max;
} AttentionRoom;

static AttentionRoom attention_room(const ExplainAttention *self, const ProbeRoom *room)
{
    size_t tokens = self->sequence.token_count;
    uint32_t rows = (uint32_t)(room->space_size / tokens);
    AttentionRoom parts = {.keys = (uint32_t *)room->space, .row_max = (rows - 2) / 2};
    parts.chosen = parts.keys + tokens;
    parts.weights = room->space + 2 * tokens;
    parts.joined = parts.weights + parts.row_max * tokens;
    return parts;
}

/* The rows of a tile, the first of them at `place`. */
static void attention_write_rows(const ExplainAttention *self, const AskedLayer *layer, const ExplainTile *tile,
                                 const AttentionRoom *room, uint32_t index, uint32_t place, const float *weights)
{
    for (uint32_t i = 0; i < tile->count; i++) {
        FormatRow row = {.weights = weights, .token_count = self->sequence.token_count, .chosen = room->chosen};
        row.key_count = explain_tile_keys(tile, i, room->keys, &row.keys);
        attention_write(self, layer, index, place + i, &row);
        weights += row.key_count;
    }
}

static void attention_write_tile(const ExplainAttention *self, const AskedLayer *layer, const ExplainTile *tile,
                                 uint32_t place)
{
    const AttentionRoom room = attention_room(self, explain_tile_room(tile));
    bool each = self->spec->aggregate == EXPLAIN_HEADS_EACH;
    size_t count = 0;
    for (uint32_t i = 0; i < tile->count; i++) {
        const uint32_t *keys;
        count += explain_tile_keys(tile, i, room.keys, &keys);
    }
    for (uint32_t i = 0; i < self->head_count; i++) {
        explain_tile_weights(tile, self->heads[i], room.weights);
        if (each)
            attention_write_rows(self, layer, tile, &room, i, place, room.weights);
        else
            row_format_join(self->spec, self->head_count, i, room.weights, count, room.joined);
    }
    if (!each) attention_write_rows(self, layer, tile, &room, 0, place, room.joined);
}

/* The place of the first row asked for that is not before `row`. */
static uint32_t attention_place(const ExplainAttention *self, uint32_t row)
{
    return ascending_place(self->rows, self->row_count, row);
}

static bool attention_has_row(const void *context, uint32_t row)
{
    const ExplainAttention *self = context;
    return ascending_has(self->rows, self->row_count, row);
}

static void attention_attend(EncoderProbe *probe, const ProbedRows *shown)
{
    ExplainAttention *self = (ExplainAttention *)probe;
    const AskedLayer *layer = attention_layer(self, shown->run);
    if (!layer) return;
    uint32_t row_max = attention_room(self, &shown->room).row_max;
    ExplainTile tile = {.sequence = &self->sequence, .shown = shown, .first = shown->rows->first_query};
    for (; explain_next_tile(&tile, attention_has_row, self, row_max); tile.first += tile.count)
        attention_write_tile(self, layer, &tile, attention_place(self, tile.first));
}

static void attention_attend_globals(EncoderProbe *probe, const ProbedGlobals *shown)
{
    ExplainAttention *self = (ExplainAttention *)probe;
    const AskedLayer *layer = attention_layer(self, shown->run);
    if (!layer) return;
    ExplainTile tile = {.sequence = &self->sequence, .globals = shown, .count = 1};
    for (; tile.first < shown->count; tile.first++)
        if (attention_has_row(self, shown->positions[tile.first]))
            attention_write_tile(self, layer, &tile, attention_place(self, shown->positions[tile.first]));
}

/* POOLED. */
static void attention_leave(EncoderProbe *probe, uint32_t run, const AttentionRows *rows)
{
    ExplainAttention *self = (ExplainAttention *)probe;
    const AskedLayer *layer = attention_layer(self, run);
    uint32_t tokens = rows->token_count;
    if (!layer) return;
    FormatRow row = {
        .weights = self->head_weights, .key_count = tokens, .token_count = tokens, .chosen = self->chosen};
    for (uint32_t i = 0; i < self->head_count; i++) {
        pooled_row_read(self->pooled, self->heads[i], self->head_weights);
        if (self->spec->aggregate == EXPLAIN_HEADS_EACH)
            attention_write(self, layer, i, 0, &row);
        else
            row_format_join(self->spec, self->head_count, i, self->head_weights, tokens, self->joined_weights);
    }
    row.weights = self->joined_weights;
    if (self->spec->aggregate != EXPLAIN_HEADS_EACH) attention_write(self, layer, 0, 0, &row);
}

/* ---- Public ---- */

static uint64_t attention_row_keys(const ExplainAttention *self, uint32_t run, uint32_t place)
{
    return explain_key_count(&self->sequence, run, attention_row(self, place));
}

/* The pooled row has been made. */
static uint64_t attention_rows_work(const ExplainAttention *self)
{
    uint64_t work = 0;
    RowSums keys = {.of_row = attention_row_keys};
    if (self->spec->rows == EXPLAIN_ROWS_POOLED) return 0;
    for (uint32_t i = 0; i < self->layer_count; i++) {
        const AttentionPlan *plan = encoder_run_plan(self->sequence.encoder, attention_run(self, i));
        work += self->head_count * attention_weights_work(plan, 1) * attention_sum(self, i, &keys);
    }
    return work;
}

ExplainAttentionCost explain_attention_cost(const ExplainAsked *asked)
{
    ExplainAttention self = attention_make(asked);
    ExplainAttentionCost cost = {.weights_count = self.layer_count * self.weights_per_layer};
    RowSums entries = {.of_row = attention_row_entries};
    cost.row_count = (uint64_t)cost.weights_count * self.row_count;
    for (uint32_t i = 0; i < self.layer_count; i++)
        cost.entry_count += attention_sum(&self, i, &entries) * self.weights_per_layer;
    cost.memory_bytes = explain_made_bytes(attention_lay_out, asked);
    cost.work = attention_rows_work(&self);
    return cost;
}

Status explain_attention_open(const ExplainAsked *asked, const PooledRow *pooled, Arena *arena,
                              ExplainAttention **out_attention, Error *out_error)
{
    ExplainAttention *attention = explain_make(attention_lay_out, asked, arena, out_error);
    if (!attention) return STATUS_RESOURCE_EXHAUSTED;
    for (uint32_t i = 0; i < attention->layer_count; i++)
        if (attention->layers[i].row_offsets) attention_list(attention, &attention->layers[i]);
    attention->pooled = pooled;
    attention->probe =
        asked->spec->rows == EXPLAIN_ROWS_POOLED
            ? (EncoderProbe){.leave = attention_leave}
            : (EncoderProbe){.attend = attention_attend, .attend_globals = attention_attend_globals};
    *out_attention = attention;
    return STATUS_OK;
}

EncoderProbe *explain_attention_probe(ExplainAttention *attention)
{
    return &attention->probe;
}

const ExplainWeights *explain_attention_weights(const ExplainAttention *attention, uint32_t *out_count)
{
    *out_count = attention->layer_count * attention->weights_per_layer;
    return attention->weights;
}
