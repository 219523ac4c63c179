/* The weighted values of a token's heads stand side by side, so one product with the projection behind attention adds
 * them up: one more product a layer. */
#include "explain/value_norm.h"

#include <math.h>
#include <string.h>

enum { BLOCK_TOKENS = 72 };

struct ExplainValueNorm {
    EncoderProbe probe; /* first */
    const ExplainSpec *spec;
    ExplainSequence sequence;
    const PooledRow *pooled;
    uint32_t layer_count;
    float *scores;  /* [tokens] */
    float *mixed;   /* [BLOCK_TOKENS][Q]: weighted values */
    float *outputs; /* [BLOCK_TOKENS][H] */
    float
        *hidden; /* [tokens][H]: what the layer read, for the values that global rows see; NULL: there are none */
    float *values; /* [BLOCK_TOKENS][Q]: values, or those that global rows see */
};

static uint32_t norm_width(const ExplainSequence *sequence)
{
    const AttentionPlan *plan = encoder_run_plan(sequence->encoder, 0);
    return plan->head_count * plan->head_size;
}

static uint32_t norm_layer_count(const ExplainAsked *asked)
{
    return asked->spec->layer_count ? asked->spec->layer_count : encoder_run_count(asked->sequence->encoder);
}

/* `spec`: an ExplainAsked. */
static void *norm_lay_out(const void *spec, ExplainMemory *memory)
{
    const ExplainAsked *asked = spec;
    const ExplainSequence *sequence = asked->sequence;
    uint64_t tokens = sequence->token_count;
    uint64_t hidden = encoder_hidden_size(sequence->encoder);
    uint64_t width = norm_width(sequence);
    ExplainValueNorm *norm = explain_take(memory, 1, sizeof *norm);
    ExplainValueNorm made = {.spec = asked->spec, .sequence = *sequence, .layer_count = norm_layer_count(asked)};
    made.scores = explain_take(memory, tokens, sizeof(float));
    made.mixed = explain_take(memory, BLOCK_TOKENS * width, sizeof(float));
    made.outputs = explain_take(memory, BLOCK_TOKENS * hidden, sizeof(float));
    made.values = explain_take(memory, BLOCK_TOKENS * width, sizeof(float));
    if (pooled_row_has_globals(sequence)) made.hidden = explain_take(memory, tokens * hidden, sizeof(float));
    if (norm) *norm = made;
    return norm;
}

static void norm_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    ExplainValueNorm *self = (ExplainValueNorm *)probe;
    size_t size = (size_t)self->sequence.token_count * encoder_hidden_size(self->sequence.encoder);
    if (self->hidden && explain_asks_run(self->spec, run)) memcpy(self->hidden, hidden, size * sizeof *hidden);
}

/* mixed[count] += the values of the tokens from `first` on, each head's by its weight. `values` begin with those of
 * `first`, a head for `sharing` heads. */
static void norm_mix(const ExplainValueNorm *self, const float *weights, const float *values, size_t stride,
                     uint32_t sharing, uint32_t first, uint32_t count)
{
    const AttentionPlan *plan = encoder_run_plan(self->sequence.encoder, 0);
    size_t size = plan->head_size;
    float *mixed = self->mixed;
    for (uint32_t token = 0; token < count; token++, values += stride)
        for (uint32_t head = 0; head < plan->head_count; head++, mixed += size) {
            float weight = weights[head * (size_t)self->sequence.token_count + first + token];
            const float *value = values + head / sharing * size;
            for (size_t i = 0; i < size; i++) mixed[i] += weight * value[i];
        }
}

/* values[count][stride] = those of the tokens from `first` on. */
static void norm_read_values(const ExplainValueNorm *self, const AttentionPlan *plan, const AttentionRows *rows,
                             uint32_t first, uint32_t count, size_t stride)
{
    const Kernels *kernels = encoder_kernels(self->sequence.encoder);
    for (uint32_t token = 0; token < count; token++)
        for (uint32_t head = 0; head < plan->key_value_head_count; head++)
            attention_read_value(kernels, plan, rows, head, first + token,
                                 self->values + token * stride + (size_t)head * plan->head_size);
}

static void norm_block(ExplainValueNorm *self, uint32_t run, const AttentionRows *rows, uint32_t first,
                       uint32_t count)
{
    const Encoder *encoder = self->sequence.encoder;
    const AttentionPlan *plan = encoder_run_plan(encoder, run);
    size_t hidden = encoder_hidden_size(encoder);
    size_t width = norm_width(&self->sequence);
    memset(self->mixed, 0, count * width * sizeof *self->mixed);
    norm_read_values(self, plan, rows, first, count, width);
    norm_mix(self, pooled_row_sums(self->pooled), self->values, width,
             plan->head_count / plan->key_value_head_count, first, count);
    if (self->hidden) {
        encoder_global_values(encoder, run, self->hidden + first * hidden, count, self->values);
        norm_mix(self, pooled_row_global_sums(self->pooled), self->values, width, 1, first, count);
    }
    encoder_multiply_output(encoder, run, self->mixed, count, self->outputs);
    for (uint32_t token = 0; token < count; token++) {
        double sum = 0.0;
        for (size_t i = 0; i < hidden; i++) {
            double x = (double)self->outputs[token * hidden + i];
            sum += x * x;
        }
        self->scores[first + token] += (float)(sqrt(sum) / self->layer_count);
    }
}

static void norm_leave(EncoderProbe *probe, uint32_t run, const AttentionRows *rows)
{
    ExplainValueNorm *self = (ExplainValueNorm *)probe;
    if (!explain_asks_run(self->spec, run)) return;
    for (uint32_t first = 0; first < rows->token_count; first += BLOCK_TOKENS) {
        uint32_t left = rows->token_count - first;
        norm_block(self, run, rows, first, left < BLOCK_TOKENS ? left : BLOCK_TOKENS);
    }
}

uint64_t explain_value_norm_bytes(const ExplainAsked *asked)
{
    return explain_made_bytes(norm_lay_out, asked);
}

uint64_t explain_value_norm_work(const ExplainAsked *asked)
{
    uint64_t hidden = encoder_hidden_size(asked->sequence->encoder);
    return norm_layer_count(asked) * 2 * (uint64_t)asked->sequence->token_count * norm_width(asked->sequence) *
           hidden;
}

Status explain_value_norm_open(const ExplainAsked *asked, const PooledRow *pooled, Arena *arena,
                               ExplainValueNorm **out_norm, Error *out_error)
{
    ExplainValueNorm *norm = explain_make(norm_lay_out, asked, arena, out_error);
    if (!norm) return STATUS_RESOURCE_EXHAUSTED;
    norm->probe = (EncoderProbe){.enter = norm_enter, .leave = norm_leave};
    norm->pooled = pooled;
    memset(norm->scores, 0, asked->sequence->token_count * sizeof *norm->scores);
    *out_norm = norm;
    return STATUS_OK;
}

EncoderProbe *explain_value_norm_probe(ExplainValueNorm *norm)
{
    return &norm->probe;
}

const float *explain_value_norm_scores(const ExplainValueNorm *norm)
{
    return norm->scores;
}
