#include "rpc/inference_explanations.h"

#include <stdio.h>

typedef struct ExplanationSize {
    uint64_t wire_bytes;
    uint64_t memory_bytes;
} ExplanationSize;

/* A request that takes less, as an error says it. */
typedef struct CheaperSpec {
    const char *text;
    ExplainSpec spec;
} CheaperSpec;

static Status explanation_fault(CodecFault *fault, const char *field)
{
    snprintf(fault->field, sizeof fault->field, "options.explanation%s%s", *field ? "." : "", field);
    return fault->error.status;
}

Status inference_explanations_check(const TaskCall *call, CodecFault *out_fault)
{
    const CodecInputs *inputs = &call->request.inputs;
    const char *field = "";
    if (!inputs->explains) return STATUS_OK;
    Status status =
        pipeline_check_explain(call->base.pipeline, call->task, &inputs->explain, &field, &out_fault->error);
    return status ? explanation_fault(out_fault, field) : STATUS_OK;
}

/* ---- Sizes ---- */

/* What is explained of the sequence `index` of a text. Votes are not. */
static CodecExplanation explanation_of(const TaskCall *call, const TaskText *text, uint32_t index)
{
    const Prepared *prepared = &call->prepared[text->first_job + index];
    return (CodecExplanation){
        .pipeline = call->base.pipeline,
        .spec = &call->request.inputs.explain,
        .whole = &text->whole,
        .encoding = &prepared->encoding,
        .text = text->sources.text.sent,
        .pair = text->sources.pair.sent,
        .read_text = text->sources.text.text,
        .read_pair = text->sources.pair.text,
        .chunk = index,
    };
}

/* One chunk of the arena. */
static uint64_t explanation_memory_bytes(const ExplainCost *cost)
{
    return cost->memory_bytes + ARENA_CHUNK_HEADER_BYTES_MAX;
}

static uint64_t logits_bytes(const TaskCall *call)
{
    return pipeline_label_count(call->base.pipeline) * (uint64_t)sizeof(float);
}

/* out_costs[job_count] are the sequences'; NULL: not wanted. */
static ExplanationSize explanations_measure(const TaskCall *call, const ExplainSpec *spec, ExplainCost *out_costs)
{
    ExplanationSize size = {.memory_bytes =
                                call->job_count * (uint64_t)sizeof(CodecExplanation) + logits_bytes(call)};
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        for (uint32_t j = 0; j < text->job_count; j++) {
            uint32_t sequence = text->first_job + j;
            CodecExplanation explanation = explanation_of(call, text, j);
            explanation.spec = spec;
            const ExplainCost cost =
                pipeline_explain_cost(call->base.pipeline, call->task, spec, &call->prepared[sequence]);
            size.wire_bytes += codec_explanation_wire_bytes(&explanation, &cost.counts);
            size.memory_bytes += explanation_memory_bytes(&cost);
            if (out_costs) out_costs[sequence] = cost;
            if (!call->method->stream) size.memory_bytes += codec_explanation_bytes(&explanation, &cost.counts);
        }
    }
    return size;
}

/* What bounds an explanation. */
typedef struct ExplanationLimit {
    uint64_t bytes;
    const char *name;
    bool of_memory; /* not of the reply */
} ExplanationLimit;

static uint64_t limited_bytes(const ExplanationSize *size, const ExplanationLimit *limit)
{
    return limit->of_memory ? size->memory_bytes : size->wire_bytes;
}

/* The mildest change with which the explanations fit `limit`, else the one that leaves least of `bytes`. False: none
 * leaves less. */
static bool cheaper_find(const TaskCall *call, uint64_t bytes, const ExplanationLimit *limit,
                         CheaperSpec *out_cheaper, uint64_t *out_bytes)
{
    const ExplainSpec *asked = &call->request.inputs.explain;
    CheaperSpec candidates[] = {
        {"weight_format FLOAT16", *asked}, {"weight_format UINT8", *asked},
        {"form SPARSE", *asked},           {"form TOP_K with its default top_k", *asked},
        {"aggregate MEAN", *asked},        {"rows POOLED", *asked},
    };
    candidates[0].spec.format = EXPLAIN_FLOAT16;
    candidates[1].spec.format = EXPLAIN_UINT8;
    candidates[2].spec.form = EXPLAIN_FORM_SPARSE;
    candidates[3].spec.form = EXPLAIN_FORM_TOP_K;
    candidates[3].spec.top_k = EXPLAIN_TOP_K_DEFAULT;
    candidates[4].spec.aggregate = EXPLAIN_HEADS_MEAN;
    candidates[5].spec.rows = EXPLAIN_ROWS_POOLED;
    *out_bytes = bytes;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0] && *out_bytes > limit->bytes; i++) {
        const ExplanationSize size = explanations_measure(call, &candidates[i].spec, NULL);
        uint64_t cheaper = limited_bytes(&size, limit);
        if (cheaper >= *out_bytes) continue;
        *out_bytes = cheaper;
        *out_cheaper = candidates[i];
    }
    return *out_bytes < bytes;
}

static Status limit_check(const TaskCall *call, const ExplanationSize *size, const ExplanationLimit *limit,
                          const char *advice, CodecFault *out_fault)
{
    uint64_t bytes = limited_bytes(size, limit);
    if (bytes <= limit->bytes) return STATUS_OK;
    CheaperSpec cheaper = {0};
    uint64_t cheaper_bytes;
    char hint[128] = "send fewer texts, or ask for less";
    if (cheaper_find(call, bytes, limit, &cheaper, &cheaper_bytes))
        snprintf(hint, sizeof hint, "%s takes %llu", cheaper.text, (unsigned long long)cheaper_bytes);
    error_set(&out_fault->error, STATUS_RESOURCE_EXHAUSTED,
              "the explanation would take %llu bytes%s, the limit is %llu (%s): %s%s", (unsigned long long)bytes,
              limit->of_memory ? " of memory" : "", (unsigned long long)limit->bytes, limit->name, hint, advice);
    return explanation_fault(out_fault, "");
}

static Status size_check(const TaskCall *call, const ExplanationSize *size, CodecFault *out_fault)
{
    const InferenceOptions *options = &call->base.inference->options;
    uint64_t asked = call->request.inputs.explain.bytes_max;
    const ExplanationLimit own = {asked ? asked : UINT64_MAX, "max_bytes", false};
    const ExplanationLimit reply = {options->reply_bytes_max, "--reply-limit", false};
    const ExplanationLimit memory = {options->request_memory_bytes, "--request-memory", true};
    Status status = limit_check(call, size, &own, "", out_fault);
    if (!status && !call->method->stream)
        status = limit_check(call, size, &reply, "; Explain streams what is larger than one message", out_fault);
    return status ? status : limit_check(call, size, &memory, "", out_fault);
}

/* Chunks and windows may be shorter than the rows that are asked for; what they have not is left out of theirs. */
static Status rows_check(const TaskCall *call, CodecFault *out_fault)
{
    const ExplainSpec *spec = &call->request.inputs.explain;
    if (spec->row_count == 0) return STATUS_OK;
    uint32_t last = spec->row_indices[spec->row_count - 1];
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        uint32_t count = text->whole.encoding.count;
        if (last < count || text->job_count > 1) continue;
        error_set(&out_fault->error, STATUS_INVALID_ARGUMENT,
                  "row_indices has %u, but text %u has %u tokens, counted from 0", last, i, count);
        return explanation_fault(out_fault, "row_indices");
    }
    return STATUS_OK;
}

static Status costs_allocate(TaskCall *call, CodecFault *out_fault)
{
    uint64_t bytes = call->job_count * (uint64_t)sizeof *call->explain_costs;
    Status status = inference_call_admit(&call->base, bytes, &out_fault->error);
    if (status) return status;
    call->explain_costs = arena_allocate(call->base.arena, bytes);
    return call->explain_costs ? STATUS_OK : inference_call_no_memory(out_fault);
}

Status inference_explanations_size(TaskCall *call, TaskSize *size, CodecFault *out_fault)
{
    if (!call->request.inputs.explains) return STATUS_OK;
    if (rows_check(call, out_fault) || costs_allocate(call, out_fault)) return out_fault->error.status;
    const ExplanationSize own = explanations_measure(call, &call->request.inputs.explain, call->explain_costs);
    if (size_check(call, &own, out_fault)) return out_fault->error.status;
    size->memory_bytes += own.memory_bytes;
    if (!call->method->stream) size->reply_bytes += own.wire_bytes;
    return STATUS_OK;
}

/* ---- Life ---- */

static Status explanation_open(TaskCall *call, const TaskText *text, uint32_t index, CodecFault *out_fault)
{
    TaskJob *job = &call->jobs[text->first_job + index];
    const ExplainSpec *spec = &call->request.inputs.explain;
    const Pipeline *pipeline = call->base.pipeline;
    const ExplainCost *cost = &call->explain_costs[text->first_job + index];
    if (!arena_reserve(call->base.arena, explanation_memory_bytes(cost)))
        return inference_call_no_memory(out_fault);
    call->explanations[text->first_job + index] = explanation_of(call, text, index);
    Status status =
        pipeline_explain_open(pipeline, call->task, spec, job->item.prepared, text->sources.text.text,
                              text->sources.pair.text, call->base.arena, &job->explain, &out_fault->error);
    if (status) return status;
    job->item.probe = pipeline_explain_probe(job->explain);
    job->passing_work = cost->passing_work;
    job->step_work = cost->step_work;
    return STATUS_OK;
}

Status inference_explanations_open(TaskCall *call, CodecFault *out_fault)
{
    Status status = STATUS_OK;
    if (!call->request.inputs.explains) return STATUS_OK;
    call->explanations = arena_allocate(call->base.arena, call->job_count * sizeof *call->explanations);
    call->explained_logits = arena_allocate(call->base.arena, logits_bytes(call));
    if (!call->explanations || !call->explained_logits) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count && !status; i++) {
        const TaskText *text = &call->texts[i];
        for (uint32_t j = 0; j < text->job_count && !status; j++)
            status = explanation_open(call, text, j, out_fault);
    }
    return status;
}

/* All chunks of a text are asked about the label that the text as a whole has. */
static void text_set_target(TaskCall *call, const TaskText *text)
{
    float *logits = call->explained_logits;
    pipeline_merge_logits(call->base.pipeline, &text->whole, inference_texts_outputs(call, text), logits);
    uint32_t best = pipeline_best_label(call->base.pipeline, logits);
    for (uint32_t i = 0; i < text->job_count; i++)
        pipeline_explain_set_target(call->jobs[text->first_job + i].explain, best);
}

bool inference_explanations_begin(TaskCall *call)
{
    bool has_steps = false;
    if (!call->explanations) return false;
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        if (call->task == TASK_CLASSIFY && text->job_count > 1) text_set_target(call, text);
        for (uint32_t j = 0; j < text->job_count; j++) {
            TaskJob *job = &call->jobs[text->first_job + j];
            bool done;
            Error error;
            if (pipeline_explain_has_steps(job->explain)) {
                has_steps = true;
            } else if (pipeline_explain_step(job->explain, &job->item, NULL, NULL, &done, &error)) {
                job->item.status = error.status;
            }
        }
    }
    return has_steps;
}

CodecExplanations inference_explanations_of(const TaskCall *call, const TaskText *text)
{
    if (!call->explanations) return (CodecExplanations){0};
    CodecExplanation *items = call->explanations + text->first_job;
    for (uint32_t i = 0; i < text->job_count; i++)
        items[i].result = pipeline_explain_result(call->jobs[text->first_job + i].explain);
    return (CodecExplanations){items, text->job_count};
}
