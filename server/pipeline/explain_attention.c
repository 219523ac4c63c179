/* What is read in passing: attention's weights, and the norms of weighted values. */
#include "explain/attention.h"
#include "explain/value_norm.h"
#include "pipeline/explain_methods.h"

/* An embedding is read from one row where each of its poolings takes one. */
static bool pooled_by_embed(const ExplainSubject *subject, uint32_t row)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(subject->pipeline->checkpoint);
    const Prepared *prepared = subject->prepared;
    if (row < prepared->prompt_token_count) return false;
    bool pooled = sentence->sparse;
    for (uint32_t i = 0; i < sentence->pooling_count; i++) {
        if (sentence->poolings[i] == POOLING_CLS)
            pooled |= row == prepared->prompt_token_count;
        else
            pooled |= sentence->poolings[i] != POOLING_LAST || row == prepared->encoding.count - 1;
    }
    return pooled;
}

static bool pooled_has(const void *context, uint32_t row)
{
    const ExplainSubject *subject = context;
    switch (subject->task) {
    case TASK_EMBED:
        return pooled_by_embed(subject, row);
    case TASK_CLASSIFY:
    case TASK_RERANK:
        return row == 0 || checkpoint_head_config(subject->pipeline->checkpoint)->pooling != HEAD_POOLING_FIRST;
    case TASK_FILL:
        return task_is_mask(subject->pipeline, &subject->prepared->encoding, row);
    default:
        return true;
    }
}

ExplainSequence explain_sequence(const ExplainSubject *subject)
{
    return (ExplainSequence){.encoder = subject->pipeline->encoder,
                             .token_count = subject->prepared->encoding.count,
                             .global_positions = subject->prepared->global_positions,
                             .global_count = subject->prepared->global_count,
                             .is_pooled = pooled_has,
                             .context = subject};
}

static void pooled_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    const ExplainAsked asked = {subject->spec, &sequence};
    cost->memory_bytes += pooled_row_bytes(&asked);
    cost->passing_work += pooled_row_work(&asked);
}

static Status pooled_open(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                          Error *out_error)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    *out_state = pooled_row_open(&(ExplainAsked){subject->spec, &sequence}, arena, out_error);
    return *out_state ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static EncoderProbe *pooled_probe(void *state)
{
    return pooled_row_probe(state);
}

const ExplainRow explain_pooled_row = {
    .tasks = EXPLAIN_TASKS_ALL,
    .add_cost = pooled_add_cost,
    .open = pooled_open,
    .probe = pooled_probe,
};

static void attention_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    ExplainAttentionCost added = explain_attention_cost(&(ExplainAsked){subject->spec, &sequence});
    cost->counts.weights_count += added.weights_count;
    cost->counts.row_count += added.row_count;
    cost->counts.entry_count += added.entry_count;
    cost->counts.dense = subject->spec->form == EXPLAIN_FORM_DENSE;
    cost->memory_bytes += added.memory_bytes;
    cost->passing_work += added.work;
}

static Status attention_open(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                             Error *out_error)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    ExplainAttention *attention;
    Status status = explain_attention_open(&(ExplainAsked){subject->spec, &sequence}, subject->pooled, arena,
                                           &attention, out_error);
    if (!status) *out_state = attention;
    return status;
}

static EncoderProbe *attention_probe(void *state)
{
    return explain_attention_probe(state);
}

static Status attention_finish(void *state, ExplainResult *result, Error *out_error)
{
    (void)out_error;
    result->weights = explain_attention_weights(state, &result->weights_count);
    return STATUS_OK;
}

const ExplainRow explain_attention_row = {
    .tasks = EXPLAIN_TASKS_ALL,
    .add_cost = attention_add_cost,
    .open = attention_open,
    .probe = attention_probe,
    .finish = attention_finish,
};

static void norm_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    const ExplainAsked asked = {subject->spec, &sequence};
    cost->counts.attribution_count++;
    cost->memory_bytes += explain_value_norm_bytes(&asked);
    cost->passing_work += explain_value_norm_work(&asked);
}

static Status norm_open(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                        Error *out_error)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    ExplainValueNorm *norm;
    Status status = explain_value_norm_open(&(ExplainAsked){subject->spec, &sequence}, subject->pooled, arena,
                                            &norm, out_error);
    if (!status) *out_state = norm;
    return status;
}

static EncoderProbe *norm_probe(void *state)
{
    return explain_value_norm_probe(state);
}

static Status norm_finish(void *state, ExplainResult *result, Error *out_error)
{
    (void)out_error;
    explain_add_attribution(result, EXPLAIN_VALUE_NORM)->scores = explain_value_norm_scores(state);
    return STATUS_OK;
}

const ExplainRow explain_value_norm_row = {
    .tasks = EXPLAIN_TASKS_ALL,
    .add_cost = norm_add_cost,
    .open = norm_open,
    .probe = norm_probe,
    .finish = norm_finish,
};
