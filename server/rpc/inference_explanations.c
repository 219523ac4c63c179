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

/* What methods take lies behind each other. */
static uint64_t explanation_memory_bytes(const ExplainCost *cost)
{
    enum { ALLOCATION_COUNT_MAX = 128, CHUNK_BYTES = 64 };
    return cost->memory_bytes + ALLOCATION_COUNT_MAX * ARENA_ALIGNMENT + CHUNK_BYTES;
}

static uint64_t logits_bytes(const TaskCall *call)
{
    return pipeline_label_count(call->base.pipeline) * (uint64_t)sizeof(float);
}

static ExplanationSize explanations_measure(const TaskCall *call, const ExplainSpec *spec)
{
    ExplanationSize size = {.memory_bytes =
                                call->job_count * (uint64_t)sizeof(CodecExplanation) + logits_bytes(call)};
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        for (uint32_t j = 0; j < text->job_count; j++) {
            CodecExplanation explanation = explanation_of(call, text, j);
            explanation.spec = spec;
            ExplainCost cost =
                pipeline_explain_cost(call->base.pipeline, call->task, spec, &call->prepared[text->first_job + j]);
            size.wire_bytes += codec_explanation_wire_bytes(&explanation, &cost.counts);
            size.memory_bytes += explanation_memory_bytes(&cost);
            if (!call->method->stream) size.memory_bytes += codec_explanation_bytes(&explanation, &cost.counts);
        }
    }
    return size;
}

/* The mildest change with which the explanations fit `limit`, else the one that leaves least. False: none leaves less
 * than `bytes`. */
static bool cheaper_find(const TaskCall *call, uint64_t bytes, uint64_t limit, CheaperSpec *out_cheaper,
                         uint64_t *out_bytes)
{
    const ExplainSpec *asked = &call->request.inputs.explain;
    CheaperSpec candidates[] = {
        {"weight_format FLOAT16", *asked}, {"weight_format UINT8", *asked},
        {"form SPARSE", *asked},           {"form TOP_K", *asked},
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
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0] && *out_bytes > limit; i++) {
        uint64_t cheaper = explanations_measure(call, &candidates[i].spec).wire_bytes;
        if (cheaper >= *out_bytes) continue;
        *out_bytes = cheaper;
        *out_cheaper = candidates[i];
    }
    return *out_bytes < bytes;
}

static Status size_refuse(const TaskCall *call, uint64_t bytes, uint64_t limit, const char *limit_name,
                          CodecFault *out_fault)
{
    CheaperSpec cheaper = {0};
    uint64_t cheaper_bytes;
    char hint[128] = "ask for less at once";
    if (cheaper_find(call, bytes, limit, &cheaper, &cheaper_bytes)) {
        snprintf(hint, sizeof hint, "%s takes %llu", cheaper.text, (unsigned long long)cheaper_bytes);
    }
    error_set(&out_fault->error, STATUS_RESOURCE_EXHAUSTED,
              "the explanation would take %llu bytes, the limit is %llu (%s): %s%s", (unsigned long long)bytes,
              (unsigned long long)limit, limit_name, hint,
              call->method->stream ? "" : "; Explain streams what is larger than one message");
    return explanation_fault(out_fault, "");
}

/* The error names a stream's bytes on the wire: what it takes of the memory is about as much. */
static Status size_check(const TaskCall *call, const ExplanationSize *size, CodecFault *out_fault)
{
    const InferenceOptions *options = &call->base.inference->options;
    uint64_t asked = call->request.inputs.explain.bytes_max;
    if (asked && size->wire_bytes > asked)
        return size_refuse(call, size->wire_bytes, asked, "max_bytes", out_fault);
    if (!call->method->stream && size->wire_bytes > options->reply_bytes_max)
        return size_refuse(call, size->wire_bytes, options->reply_bytes_max, "--reply-limit", out_fault);
    if (size->memory_bytes > options->request_memory_bytes)
        return size_refuse(call, size->wire_bytes, options->request_memory_bytes, "--request-memory", out_fault);
    return STATUS_OK;
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

Status inference_explanations_size(TaskCall *call, TaskSize *size, CodecFault *out_fault)
{
    if (!call->request.inputs.explains) return STATUS_OK;
    if (rows_check(call, out_fault)) return out_fault->error.status;
    const ExplanationSize own = explanations_measure(call, &call->request.inputs.explain);
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
    const ExplainCost cost = pipeline_explain_cost(pipeline, call->task, spec, job->item.prepared);
    if (!arena_reserve(call->base.arena, explanation_memory_bytes(&cost)))
        return inference_call_no_memory(out_fault);
    call->explanations[text->first_job + index] = explanation_of(call, text, index);
    Status status =
        pipeline_explain_open(pipeline, call->task, spec, job->item.prepared, text->sources.text.text,
                              text->sources.pair.text, call->base.arena, &job->explain, &out_fault->error);
    if (status) return status;
    job->item.probe = pipeline_explain_probe(job->explain);
    job->passing_work = cost.passing_work;
    job->step_work = cost.step_work;
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
    uint32_t best = 0;
    pipeline_merge_logits(call->base.pipeline, &text->whole, inference_texts_outputs(call, text), logits);
    for (uint32_t i = 1; i < pipeline_label_count(call->base.pipeline); i++) {
        if (logits[i] > logits[best]) best = i;
    }
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
