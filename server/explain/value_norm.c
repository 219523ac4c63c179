/* The weighted values of a token's heads stand side by side, so one product with the projection behind attention adds
 * them up: one more product a layer. */
#include "explain/value_norm.h"

#include "explain/pooled_row.h"

#include <math.h>
#include <string.h>

enum { BLOCK_TOKENS = 72 };

struct ExplainValueNorm {
    EncoderProbe probe; /* first */
    const ExplainSpec *spec;
    ExplainSequence sequence;
    PooledRow pooled; /* of all heads */
    uint32_t layer_count;
    float *scores;  /* [tokens] */
    float *mixed;   /* [BLOCK_TOKENS][Q]: weighted values */
    float *outputs; /* [BLOCK_TOKENS][H] */
    float *hidden;  /* [tokens][H]: what the layer read, for the values that global rows see */
    float *values;  /* [BLOCK_TOKENS][Q]: values, or those that global rows see */
};

static uint32_t norm_width(const ExplainSequence *sequence)
{
    const AttentionPlan *plan = encoder_run_plan(sequence->encoder, 0);
    return plan->head_count * plan->head_size;
}

static void norm_lay_out(ExplainValueNorm *self, ExplainMemory *memory)
{
    const ExplainSequence *sequence = &self->sequence;
    uint64_t tokens = sequence->token_count;
    uint64_t hidden = encoder_hidden_size(sequence->encoder);
    uint64_t width = norm_width(sequence);
    uint32_t head_count = encoder_run_plan(sequence->encoder, 0)->head_count;
    uint32_t *heads = explain_take(memory, head_count, sizeof *heads);
    for (uint32_t i = 0; heads && i < head_count; i++) heads[i] = i;
    self->pooled = pooled_row_make(sequence, heads, head_count, memory);
    self->scores = explain_take(memory, tokens, sizeof(float));
    self->mixed = explain_take(memory, BLOCK_TOKENS * width, sizeof(float));
    self->outputs = explain_take(memory, BLOCK_TOKENS * hidden, sizeof(float));
    self->values = explain_take(memory, BLOCK_TOKENS * width, sizeof(float));
    if (!self->pooled.has_globals) return;
    self->hidden = explain_take(memory, tokens * hidden, sizeof(float));
}

static ExplainValueNorm norm_make(const ExplainSpec *spec, const ExplainSequence *sequence)
{
    uint32_t runs = encoder_run_count(sequence->encoder);
    return (ExplainValueNorm){
        .spec = spec, .sequence = *sequence, .layer_count = spec->layer_count ? spec->layer_count : runs};
}

static bool norm_has_run(const ExplainValueNorm *self, uint32_t run)
{
    for (uint32_t i = 0; i < self->spec->layer_count; i++)
        if (self->spec->layers[i] == run) return true;
    return self->spec->layer_count == 0;
}

static void norm_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    ExplainValueNorm *self = (ExplainValueNorm *)probe;
    size_t size = (size_t)self->sequence.token_count * encoder_hidden_size(self->sequence.encoder);
    if (!norm_has_run(self, run)) return;
    pooled_row_enter(&self->pooled);
    if (self->hidden) memcpy(self->hidden, hidden, size * sizeof *hidden);
}

static void norm_attend(EncoderProbe *probe, const ProbedRows *shown)
{
    ExplainValueNorm *self = (ExplainValueNorm *)probe;
    if (norm_has_run(self, shown->run)) pooled_row_attend(&self->pooled, shown);
}

static void norm_attend_globals(EncoderProbe *probe, const ProbedGlobals *shown)
{
    ExplainValueNorm *self = (ExplainValueNorm *)probe;
    if (self->hidden && norm_has_run(self, shown->run)) pooled_row_attend_globals(&self->pooled, shown);
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
    norm_mix(self, self->pooled.sums, self->values, width, plan->head_count / plan->key_value_head_count, first,
             count);
    if (self->hidden) {
        encoder_global_values(encoder, run, self->hidden + first * hidden, count, self->values);
        norm_mix(self, self->pooled.global_sums, self->values, width, 1, first, count);
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
    if (!norm_has_run(self, run)) return;
    pooled_row_leave(&self->pooled);
    for (uint32_t first = 0; first < rows->token_count; first += BLOCK_TOKENS) {
        uint32_t left = rows->token_count - first;
        norm_block(self, run, rows, first, left < BLOCK_TOKENS ? left : BLOCK_TOKENS);
    }
}

static uint64_t norm_count(const ExplainValueNorm *self)
{
    ExplainValueNorm counted = *self;
    ExplainMemory memory = {0};
    explain_take(&memory, 1, sizeof counted);
    norm_lay_out(&counted, &memory);
    return memory.used_bytes;
}

uint64_t explain_value_norm_bytes(const ExplainSpec *spec, const ExplainSequence *sequence)
{
    const ExplainValueNorm self = norm_make(spec, sequence);
    return explain_memory_bytes(norm_count(&self));
}

uint64_t explain_value_norm_work(const ExplainSpec *spec, const ExplainSequence *sequence)
{
    const ExplainValueNorm self = norm_make(spec, sequence);
    uint64_t hidden = encoder_hidden_size(sequence->encoder);
    uint64_t products = 2 * (uint64_t)sequence->token_count * norm_width(sequence) * hidden;
    uint64_t work = 0;
    for (uint32_t run = 0; run < encoder_run_count(sequence->encoder); run++) {
        uint32_t head_count = encoder_run_plan(sequence->encoder, run)->head_count;
        if (norm_has_run(&self, run)) work += products + pooled_row_work(sequence, run, head_count);
    }
    return work;
}

Status explain_value_norm_open(const ExplainSpec *spec, const ExplainSequence *sequence, Arena *arena,
                               ExplainValueNorm **out_norm, Error *out_error)
{
    const ExplainValueNorm self = norm_make(spec, sequence);
    ExplainMemory memory;
    Status status = explain_memory_open(norm_count(&self), arena, &memory, out_error);
    if (status) return status;
    ExplainValueNorm *norm = explain_take(&memory, 1, sizeof *norm);
    *norm = self;
    norm->probe = (EncoderProbe){norm_enter, norm_attend, norm_attend_globals, norm_leave};
    norm->sequence = *sequence;
    norm_lay_out(norm, &memory);
    memset(norm->scores, 0, sequence->token_count * sizeof *norm->scores);
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
