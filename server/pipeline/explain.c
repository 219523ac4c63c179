/* What the methods of explanation share: the table of them, what a request's methods cost together, and the order in
 * which they run. */
#include "explain/fan.h"
#include "pipeline/explain_methods.h"

#include <assert.h>

/* Behind the methods, what is none of its own: what several of them read, and the test of each attribution. */
enum { ROW_POOLED = EXPLAIN_METHOD_COUNT, ROW_FAITHFULNESS, ROW_COUNT };

#define ROW_BIT(row) (1u << (row))

static const ExplainRow *const explain_rows[ROW_COUNT] = {
    [EXPLAIN_ATTENTION] = &explain_attention_row,
    [EXPLAIN_ROLLOUT] = &explain_rollout_row,
    [EXPLAIN_VALUE_NORM] = &explain_value_norm_row,
    [EXPLAIN_OCCLUSION] = &explain_occlusion_row,
    [EXPLAIN_GRADIENT_INPUT] = &explain_gradient_row,
    [EXPLAIN_INTEGRATED_GRADIENTS] = &explain_gradient_row,
    [EXPLAIN_SURROGATE_LINEAR] = &explain_surrogate_row,
    [EXPLAIN_SURROGATE_TREE] = &explain_surrogate_row,
    [EXPLAIN_ANCHOR_RULE] = &explain_surrogate_row,
    [EXPLAIN_SUMMARY] = &explain_summary_row,
    [ROW_POOLED] = &explain_pooled_row,
    [ROW_FAITHFULNESS] = &explain_faithfulness_row,
};

/* As errors name them. */
static const char *const explain_names[ROW_COUNT] = {
    [EXPLAIN_ATTENTION] = "ATTENTION",
    [EXPLAIN_ROLLOUT] = "ROLLOUT",
    [EXPLAIN_VALUE_NORM] = "VALUE_NORM",
    [EXPLAIN_OCCLUSION] = "OCCLUSION",
    [EXPLAIN_GRADIENT_INPUT] = "GRADIENT_INPUT",
    [EXPLAIN_INTEGRATED_GRADIENTS] = "INTEGRATED_GRADIENTS",
    [EXPLAIN_SURROGATE_LINEAR] = "SURROGATE_LINEAR",
    [EXPLAIN_SURROGATE_TREE] = "SURROGATE_TREE",
    [EXPLAIN_ANCHOR_RULE] = "ANCHOR_RULE",
    [EXPLAIN_SUMMARY] = "SUMMARY",
    [ROW_POOLED] = "the pooled row",
    [ROW_FAITHFULNESS] = "faithfulness",
};

/* The rows of a request in the order in which they run, and how many of them are asked for: the rest are what a summary
 * is made of, and the summary. */
typedef struct ExplainOrder {
    uint8_t rows[ROW_COUNT];
    uint32_t count;
    uint32_t hidden_begin; /* [hidden_begin, hidden_end) are not to be returned */
    uint32_t hidden_end;
} ExplainOrder;

struct PipelineExplain {
    ExplainSubject subject;
    ExplainOrder order;
    void *states[ROW_COUNT]; /* by their places in the order */
    uint32_t at;             /* the place whose steps are due */
    ExplainFan fan;
    ExplainResult result;
};

/* ---- The order ---- */

static void order_add(ExplainOrder *order, uint32_t row)
{
    order->rows[order->count++] = (uint8_t)row;
}

/* What a summary is made of where nothing else is asked for that would do. */
static uint32_t summary_source(Task task)
{
    return EXPLAIN_TASKS_SCORED & EXPLAIN_TASK(task) ? EXPLAIN_OCCLUSION : EXPLAIN_VALUE_NORM;
}

static bool reads_pooled(uint32_t methods, const ExplainSpec *spec)
{
    return methods & ROW_BIT(EXPLAIN_VALUE_NORM) ||
           (methods & ROW_BIT(EXPLAIN_ATTENTION) && spec->rows == EXPLAIN_ROWS_POOLED);
}

static ExplainOrder order_make(Task task, const ExplainSpec *spec)
{
    ExplainOrder order = {0};
    bool summary = spec->methods & ROW_BIT(EXPLAIN_SUMMARY);
    bool needs_source = summary && !(spec->methods & EXPLAIN_ATTRIBUTIONS);
    uint32_t source = summary_source(task);
    if (reads_pooled(spec->methods | (needs_source ? ROW_BIT(source) : 0), spec)) order_add(&order, ROW_POOLED);
    for (uint32_t method = 0; method < EXPLAIN_SUMMARY; method++) {
        if (spec->methods & ROW_BIT(method)) order_add(&order, method);
    }
    if (spec->faithfulness) order_add(&order, ROW_FAITHFULNESS);
    order.hidden_begin = order.count;
    if (needs_source) order_add(&order, source);
    order.hidden_end = order.count;
    if (summary) order_add(&order, EXPLAIN_SUMMARY);
    return order;
}

static bool order_hides(const ExplainOrder *order, uint32_t place)
{
    return place >= order->hidden_begin && place < order->hidden_end;
}

/* ---- Checks ---- */

static CHECKED Status row_check(const Pipeline *pipeline, Task task, const ExplainSpec *spec, uint32_t index,
                                Error *out_error)
{
    const ExplainRow *row = explain_rows[index];
    if (!(row->tasks & EXPLAIN_TASK(task))) {
        char names[ERROR_MESSAGE_BYTES / 2] = "";
        for (uint32_t i = 0; i < EXPLAIN_METHOD_COUNT; i++) {
            if (explain_rows[i]->tasks & EXPLAIN_TASK(task))
                text_list_add(names, sizeof names, text_view(explain_names[i]));
        }
        return error_set(out_error, STATUS_UNSUPPORTED, "%s is not for %s; its methods: %s", explain_names[index],
                         task_name(task), names);
    }
    return row->check ? row->check(pipeline, spec, out_error) : STATUS_OK;
}

static CHECKED Status methods_check(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                    const char **out_field, Error *out_error)
{
    *out_field = "faithfulness";
    if (spec->faithfulness && !(spec->methods & EXPLAIN_ATTRIBUTIONS)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "faithfulness is that of scores of tokens: ask for a method that gives them as well, "
                         "such as VALUE_NORM");
    }
    const ExplainOrder order = order_make(task, spec);
    for (uint32_t place = 0; place < order.count; place++) {
        if (order.rows[place] != ROW_FAITHFULNESS) *out_field = "methods";
        Status status = row_check(pipeline, task, spec, order.rows[place], out_error);
        if (status) return status;
        *out_field = "faithfulness";
    }
    return STATUS_OK;
}

/* An ascending list of what there are `count` of. */
static CHECKED Status list_check(const char *field, const uint32_t *list, uint32_t list_count, uint32_t count,
                                 Error *out_error)
{
    if (list_count == 0 || list[list_count - 1] < count) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s has %u, but the model has %u, counted from 0", field,
                     list[list_count - 1], count);
}

static bool target_find(const Pipeline *pipeline, TextView label, uint32_t *out_label)
{
    uint32_t count = pipeline_label_count(pipeline);
    for (uint32_t i = 0; i < count; i++) {
        if (!text_equal(pipeline_label(pipeline, i), label)) continue;
        *out_label = i;
        return true;
    }
    return false;
}

static CHECKED Status target_check(const Pipeline *pipeline, Task task, const ExplainSpec *spec, Error *out_error)
{
    uint32_t label;
    if (!spec->has_target) return STATUS_OK;
    if (task != TASK_CLASSIFY && task != TASK_RERANK) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "target_label is one of the labels that Classify answers with: leave it out for %s",
                         task_name(task));
    }
    if (target_find(pipeline, spec->target_label, &label)) return STATUS_OK;
    char names[ERROR_MESSAGE_BYTES / 4] = "";
    for (uint32_t i = 0; i < pipeline_label_count(pipeline); i++)
        text_list_add(names, sizeof names, pipeline_label(pipeline, i));
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "the model has no label '%.*s'; it has %s",
                     (int)(spec->target_label.size < sizeof names ? spec->target_label.size : sizeof names),
                     spec->target_label.bytes, names);
}

Status pipeline_check_explain(const Pipeline *pipeline, Task task, const ExplainSpec *spec, const char **out_field,
                              Error *out_error)
{
    const ModelConfig *config = checkpoint_config(pipeline->checkpoint);
    if (methods_check(pipeline, task, spec, out_field, out_error)) return out_error->status;
    *out_field = "layers";
    if (list_check("layers", spec->layers, spec->layer_count, encoder_run_count(pipeline->encoder), out_error))
        return out_error->status;
    *out_field = "heads";
    if (list_check("heads", spec->heads, spec->head_count, config->head_count, out_error))
        return out_error->status;
    *out_field = "target_label";
    return target_check(pipeline, task, spec, out_error);
}

/* ---- Planning ---- */

ExplainCost pipeline_explain_cost(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                  const Prepared *prepared)
{
    const ExplainOrder order = order_make(task, spec);
    const ExplainSubject subject = {
        .pipeline = pipeline, .task = task, .spec = spec, .prepared = prepared, .target = EXPLAIN_NO_TARGET};
    ExplainCost cost = {.memory_bytes = arena_bytes(sizeof(PipelineExplain))};
    for (uint32_t place = 0; place < order.count; place++) {
        ExplainCounts returned = cost.counts;
        explain_rows[order.rows[place]]->add_cost(&subject, (ExplainMethod)order.rows[place], &cost);
        if (order_hides(&order, place)) cost.counts = returned;
    }
    return cost;
}

Status pipeline_explain_open(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                             const Prepared *prepared, TextView text, TextView pair, Arena *arena,
                             PipelineExplain **out_explain, Error *out_error)
{
    PipelineExplain *explain = arena_allocate_zeroed(arena, 1, sizeof *explain);
    if (!explain) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the explanation");
    }
    explain->order = order_make(task, spec);
    explain->subject = (ExplainSubject){
        .pipeline = pipeline,
        .task = task,
        .spec = spec,
        .prepared = prepared,
        .text = text,
        .pair = pair,
        .target = EXPLAIN_NO_TARGET,
    };
    if (spec->has_target) (void)target_find(pipeline, spec->target_label, &explain->subject.target);
    for (uint32_t place = 0; place < explain->order.count; place++) {
        uint32_t row = explain->order.rows[place];
        Status status = explain_rows[row]->open(&explain->subject, (ExplainMethod)row, arena,
                                                &explain->states[place], out_error);
        if (status) return status;
        if (row == ROW_POOLED) explain->subject.pooled = explain->states[place];
        if (explain_rows[row]->probe)
            explain_fan_add(&explain->fan, explain_rows[row]->probe(explain->states[place]));
    }
    *out_explain = explain;
    return STATUS_OK;
}

EncoderProbe *pipeline_explain_probe(PipelineExplain *explain)
{
    return explain_fan_probe(&explain->fan);
}

/* ---- Steps ---- */

void pipeline_explain_set_target(PipelineExplain *explain, uint32_t label)
{
    if (!explain->subject.spec->has_target) explain->subject.target = label;
}

bool pipeline_explain_has_steps(const PipelineExplain *explain)
{
    for (uint32_t place = explain->at; place < explain->order.count; place++) {
        if (explain_rows[explain->order.rows[place]]->step) return true;
    }
    return false;
}

/* The label of the highest score, unless another was named. */
static void target_default(PipelineExplain *explain, const PipelineItem *item)
{
    ExplainSubject *subject = &explain->subject;
    bool labelled = subject->task == TASK_CLASSIFY || subject->task == TASK_RERANK;
    if (!labelled || subject->target != EXPLAIN_NO_TARGET) return;
    subject->target = pipeline_best_label(subject->pipeline, item->output);
}

/* What a summary alone needed is not returned. */
static void result_hide(ExplainResult *result, uint32_t methods)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < result->attribution_count; i++) {
        if (methods & ROW_BIT(result->attributions[i].method))
            result->attributions[kept++] = result->attributions[i];
    }
    result->attribution_count = kept;
}

Status pipeline_explain_step(PipelineExplain *explain, const PipelineItem *item, PipelineWorkspace *workspace,
                             const Crew *crew, bool *out_done, Error *out_error)
{
    ExplainSubject *subject = &explain->subject;
    const ExplainStep step = {.item = item, .workspace = workspace, .crew = crew, .result = &explain->result};
    bool stepped = false;
    *out_done = false;
    target_default(explain, item);
    if (subject->target != EXPLAIN_NO_TARGET) {
        explain->result.target_label = pipeline_label(subject->pipeline, subject->target);
        explain->result.target_score =
            scores_value(subject->pipeline, subject->task, item->output, subject->target);
        explain->result.target_is_other =
            subject->spec->has_target && pipeline_best_label(subject->pipeline, item->output) != subject->target;
    }
    for (; explain->at < explain->order.count; explain->at++) {
        const ExplainRow *row = explain_rows[explain->order.rows[explain->at]];
        void *state = explain->states[explain->at];
        bool done = true;
        Status status = STATUS_OK;
        if (row->step && stepped) return STATUS_OK;
        if (row->step) status = row->step(state, &step, &done, out_error);
        stepped = stepped || row->step;
        if (status || !done) return status;
        if (row->finish) status = row->finish(state, &explain->result, out_error);
        if (status) return status;
    }
    result_hide(&explain->result, subject->spec->methods);
    *out_done = true;
    return STATUS_OK;
}

const ExplainResult *pipeline_explain_result(const PipelineExplain *explain)
{
    assert(explain->at == explain->order.count);
    return &explain->result;
}

bool pipeline_explain_has_target(ExplainMethod method)
{
    return explain_rows[method]->has_target;
}

ExplainAttribution *explain_add_attribution(ExplainResult *result, ExplainMethod method)
{
    assert(result->attribution_count < EXPLAIN_METHOD_COUNT);
    ExplainAttribution *attribution = &result->attributions[result->attribution_count++];
    *attribution = (ExplainAttribution){.method = method};
    return attribution;
}

ByteRange pipeline_explain_token_range(const Prepared *whole, const Encoding *encoding, uint32_t token)
{
    uint8_t segment = encoding->segments[token];
    ByteRange range = encoding->offsets[token];
    if (segment == ENCODING_SEGMENT_NONE) return (ByteRange){0, 0};
    uint32_t skipped = segment == 0 ? whole->prompt_bytes : 0;
    range = byte_range_behind(range, skipped);
    if (range.end <= range.begin) return (ByteRange){0, 0}; /* a token of the prompt */
    return sanitizer_original_range(segment == 0 ? whole->origin : whole->pair_origin, range);
}
