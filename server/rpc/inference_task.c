#include "rpc/inference_task.h"

#include "pipeline/vote.h"
#include "rpc/inference_explain.h"
#include "rpc/inference_explanations.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdio.h>

static Status call_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault);
static Status votes_check(const TaskCall *call, CodecFault *out_fault);
static Status chunking_check(const TaskCall *call, CodecFault *out_fault);
static void call_prepare_and_submit(InferenceCall *base);
static void call_computed(TaskCall *call);

void inference_task_start(const TaskMethod *method, Inference *inference, RpcMessage *message, const uint8_t *wire,
                          size_t size)
{
    TaskCall *call = inference_call_open(inference, message, sizeof *call);
    if (!call) return;
    call->method = method;
    CodecFault fault = {.field = ""};
    Status status = STATUS_OK;
    if (method->stream && !inference_stream_open(&call->base)) status = inference_call_no_memory(&fault);
    if (!status) status = call_read(call, wire, size, &fault);
    if (!status) {
        uint64_t bytes = codec_request_text_bytes(&call->request.inputs);
        if (bytes <= INFERENCE_LOOP_TEXT_BYTES_MAX) {
            call_prepare_and_submit(&call->base);
            return;
        }
        /* The loop must not be held up by a large text: a worker prepares it, and submits the jobs. */
        status = inference_call_defer(&call->base, call_prepare_and_submit, bytes, &fault.error);
    }
    if (status) inference_call_fail(&call->base, &fault);
}

void inference_task_job_done(TaskJob *job)
{
    TaskCall *call = job->call;
    /* Release what this job wrote; acquire what the others wrote before they were done. */
    if (atomic_fetch_sub_explicit(&call->pending, 1, memory_order_acq_rel) == 1) call_computed(call);
}

static Status call_check_globals(const TaskCall *call, CodecFault *out_fault)
{
    Status status = pipeline_check_globals(call->base.pipeline, &call->request.inputs.prepare, &out_fault->error);
    if (status) snprintf(out_fault->field, sizeof out_fault->field, "options.global_token_indices");
    return status;
}

/* Everything that can be refused without looking into the texts. */
static Status call_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    const TaskMethod *method = call->method;
    InferenceCall *base = &call->base;
    Status status = method->read(call, wire, size, out_fault);
    if (status) return status;
    status = inference_call_find_model(base, call->request.inputs.model, out_fault);
    if (status) return status;
    call->task = method->choose ? method->choose(call) : method->task;
    call->request.inputs.prepare.task = call->task;
    status = pipeline_check_task(base->pipeline, call->task, &out_fault->error);
    if (status) return status;
    call->sanitize = inference_sanitize_options(base->inference, text_view(model_name(base->model)),
                                                &call->request.inputs.sanitize);
    status = chunking_check(call, out_fault);
    if (!status) status = votes_check(call, out_fault);
    if (!status && method->check) status = method->check(call, out_fault);
    if (!status) status = call_check_globals(call, out_fault);
    if (!status) status = inference_explanations_check(call, out_fault);
    if (status) return status;
    return admission_hold(&base->inference->admission, &base->hold, base->arena->used_bytes, &out_fault->error);
}

static Status votes_check(const TaskCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.inputs.vote_count;
    Status status = STATUS_OK;
    if (count && call->method->task != TASK_CLASSIFY) {
        status = error_set(&out_fault->error, STATUS_INVALID_ARGUMENT,
                           "votes are on the labels of Classify: leave options.vote_count out");
    } else if (count) {
        status = pipeline_check_vote(call->base.pipeline, &out_fault->error);
    }
    if (status) snprintf(out_fault->field, sizeof out_fault->field, "options.vote_count");
    return status;
}

/* Only vectors are aggregated in more than one way. */
static Status chunking_check(const TaskCall *call, CodecFault *out_fault)
{
    const ChunkOptions *options = &call->request.inputs.prepare.chunking;
    const char *field = "options.chunking.token_count";
    Status status = pipeline_check_chunk_size(call->base.pipeline, options, &out_fault->error);
    bool dense = call->task == TASK_EMBED && !pipeline_is_sparse(call->base.pipeline);
    if (!status && options->aggregate != CHUNK_MEAN && !dense) {
        field = "options.chunking.aggregate";
        status = error_set(&out_fault->error, STATUS_INVALID_ARGUMENT,
                           "options.chunking.aggregate is of dense vectors: leave it out");
    }
    if (status) snprintf(out_fault->field, sizeof out_fault->field, "%s", field);
    return status;
}

/* ---- Faults ---- */

static bool text_is_well_formed(TextView text)
{
    size_t position;
    return text.size <= TEXT_BYTES_MAX && utf8_valid(text, &position);
}

/* What concerns both, such as their length in tokens, is said of the text, or of what differs between pairs. */
Status inference_input_fault(const CodecInputs *inputs, uint32_t index, const CodecText *read, CodecFault *fault)
{
    bool of_pair = read->has_pair;
    if (of_pair && fault->error.status != STATUS_UNSUPPORTED) { /* that is: the model takes no pairs */
        bool text_well = text_is_well_formed(read->text);
        bool pair_well = text_is_well_formed(read->pair);
        of_pair = text_well && (!pair_well || inputs->shape == CODEC_SHAPE_PAIRS);
    }
    return codec_request_fault(inputs, index, of_pair, fault);
}

/* ---- Results ---- */

static uint64_t output_count(const TaskCall *call, const Prepared *prepared)
{
    return pipeline_output_size(call->base.pipeline, call->task, prepared,
                                call->embed ? call->embed->dimensions : 0);
}

/* Floats of a text's token rows. */
static uint64_t rows_count(const TaskCall *call, const Prepared *prepared)
{
    if (!call->embed || !call->embed->return_tokens) return 0;
    return (uint64_t)prepared->encoding.count * pipeline_row_size(call->base.pipeline);
}

/* Floats of a text's late chunks. */
static uint64_t chunks_count(const TaskCall *call, const Prepared *prepared)
{
    if (!call->embed || !call->embed->return_chunks || !prepared->chunks.late) return 0;
    return prepared->chunks.count * output_count(call, prepared);
}

static uint64_t results_bytes(const TaskCall *call)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < call->job_count; i++) {
        const Prepared *prepared = &call->prepared[i];
        uint64_t count = output_count(call, prepared) + rows_count(call, prepared) + chunks_count(call, prepared);
        bytes += count * sizeof(float);
        bytes += (uint64_t)prepared->mask_count * call->fill_count * sizeof(FillScore);
    }
    return bytes;
}

/* What the reports add to the answer. */
static void size_add_reports(const TaskCall *call, TaskSize *size)
{
    uint64_t part_count = 0;
    for (uint32_t i = 0; i < call->text_count; i++) {
        const CodecReport report = inference_texts_report(call, &call->texts[i]);
        part_count += report.text.count + report.text.total_count + report.pair.count + report.pair.total_count;
        if (report.has_cleaned) size->reply_bytes += report.cleaned_text.size + report.cleaned_pair.size;
    }
    size->memory_bytes += codec_report_bytes(call->text_count, part_count);
}

static Status reply_check(const TaskCall *call, const TaskSize *size, Error *out_error)
{
    uint64_t limit = call->base.inference->options.reply_bytes_max;
    if (size->reply_bytes <= limit) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the reply would take %llu bytes, the limit is %llu (--reply-limit): send fewer inputs%s%s",
                     (unsigned long long)size->reply_bytes, (unsigned long long)limit, size->hint ? ", or " : "",
                     size->hint ? size->hint : "");
}

static void items_init(TaskCall *call, float *values, FillScore *fills)
{
    for (uint32_t i = 0; i < call->job_count; i++) {
        const Prepared *prepared = &call->prepared[i];
        call->jobs[i].call = call;
        PipelineItem *item = &call->jobs[i].item;
        *item = (PipelineItem){
            .prepared = prepared,
            .task = call->task,
            .embed = call->embed,
            .fill_count = call->fill_count,
            .output = values,
            .fills = fills,
        };
        call->outputs[i] = values;
        values += output_count(call, prepared);
        if (rows_count(call, prepared)) item->tokens = values;
        values += rows_count(call, prepared);
        if (chunks_count(call, prepared)) item->chunks = values;
        values += chunks_count(call, prepared);
        fills += (size_t)prepared->mask_count * call->fill_count;
    }
}

static Status call_results_allocate(TaskCall *call, CodecFault *out_fault)
{
    TaskSize size = call->method->size(call);
    size_add_reports(call, &size);
    Status status = inference_explanations_size(call, &size, out_fault);
    if (!status) status = reply_check(call, &size, &out_fault->error);
    if (status) return status;
    uint64_t bytes = results_bytes(call);
    uint64_t jobs_bytes =
        call->job_count * (uint64_t)(sizeof *call->jobs + sizeof(SchedulerJob *) + sizeof(float *));
    status = inference_call_admit(&call->base, bytes + jobs_bytes + size.memory_bytes, &out_fault->error);
    if (status) return status;
    call->jobs = arena_allocate_zeroed(call->base.arena, call->job_count, sizeof *call->jobs);
    call->outputs = arena_allocate(call->base.arena, call->job_count * sizeof *call->outputs);
    void *results = arena_allocate(call->base.arena, bytes);
    if (!call->jobs || !call->outputs || !results) return inference_call_no_memory(out_fault);
    /* A task has floats or fills, never both. */
    items_init(call, results, results);
    return inference_explanations_open(call, out_fault);
}

/* ---- Jobs ---- */

/* After success the call may be gone. */
static Status call_submit(TaskCall *call, CodecFault *out_fault)
{
    SchedulerJob **list = arena_allocate(call->base.arena, call->job_count * sizeof *list);
    if (!list) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->job_count; i++) {
        call->jobs[i].job = (SchedulerJob){
            .batch_key = call->base.model,
            .flow = rpc_message_flow(call->base.message),
            .token_count = call->prepared[i].encoding.count,
            .work = call->prepared[i].work + call->jobs[i].passing_work,
            .deadline_ns = rpc_message_deadline_ns(call->base.message),
            .cancelled = rpc_message_cancelled(call->base.message),
        };
        list[i] = &call->jobs[i].job;
    }
    atomic_init(&call->pending, call->job_count);
    return scheduler_submit(call->base.inference->scheduler, list, call->job_count, &out_fault->error);
}

/* On the loop or, for a large request, on a worker. */
static void call_prepare_and_submit(InferenceCall *base)
{
    TaskCall *call = (TaskCall *)base;
    CodecFault fault = {.field = ""};
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    Status status =
        call->method->prepare ? call->method->prepare(call, &fault) : inference_texts_prepare(call, &fault);
    call->tokenize_ns = clock_now_ns(&clock_monotonic) - started_ns - call->sanitize_ns;
    if (!status) status = call_results_allocate(call, &fault);
    if (!status) status = inference_explain_reserve(call, &fault);
    if (!status) status = call_submit(call, &fault);
    if (!status) return;
    inference_explain_release(call);
    inference_call_fail(base, &fault);
}

/* One text that was not computed fails the message: a caller could not tell which results are there. */
static bool call_failed(TaskCall *call)
{
    const CodecInputs *inputs = &call->request.inputs;
    uint32_t text = 0;
    for (uint32_t i = 0; i < call->job_count; i++) {
        if (i == call->texts[text].first_job + call->texts[text].sequence_count) text++;
        Status status = call->jobs[i].item.status;
        if (status == STATUS_OK) continue;
        if (status != STATUS_INTERNAL) {
            inference_call_drop(&call->base, status);
            return true;
        }
        CodecFault fault = {.field = ""};
        error_set(&fault.error, status, "the model's answer is not finite; no result is returned for it");
        codec_request_fault(inputs, text, inputs->shape >= CODEC_SHAPE_PAIRS, &fault);
        inference_call_fail(&call->base, &fault);
        return true;
    }
    return false;
}

/* Queue and compute meet where the first batch with a text of the call starts; a batch is the largest of the
 * call's. */
static CodecTiming call_timing(const TaskCall *call)
{
    uint64_t started_ns = UINT64_MAX;
    uint64_t finished_ns = 0;
    CodecTiming timing = {.sanitize_ns = call->sanitize_ns, .tokenize_ns = call->tokenize_ns};
    for (uint32_t i = 0; i < call->job_count; i++) {
        const TaskJob *job = &call->jobs[i];
        if (job->started_ns < started_ns) started_ns = job->started_ns;
        if (job->finished_ns > finished_ns) finished_ns = job->finished_ns;
        if (job->batch_sequences > timing.batch_sequences) timing.batch_sequences = job->batch_sequences;
        if (job->batch_tokens > timing.batch_tokens) timing.batch_tokens = job->batch_tokens;
    }
    timing.compute_ns = finished_ns - started_ns;
    timing.total_ns = finished_ns - rpc_message_arrived_ns(call->base.message);
    uint64_t known_ns = timing.compute_ns + timing.sanitize_ns + timing.tokenize_ns;
    timing.queue_ns = timing.total_ns > known_ns ? timing.total_ns - known_ns : 0;
    return timing;
}

static bool call_went_well(const TaskCall *call)
{
    for (uint32_t i = 0; i < call->job_count; i++) {
        if (call->jobs[i].item.status) return false;
    }
    return true;
}

/* All that there was to compute is done, or has failed: answers. The call is gone afterwards. */
static void call_finish(TaskCall *call)
{
    if (call_failed(call)) return;
    if (call->method->stream) {
        call->method->stream(call);
        return;
    }
    const CodecHead head = {
        .model = text_view(model_name(call->base.model)),
        .attention = inference_attention(call->base.pipeline),
        .timing = call_timing(call),
    };
    CodecFault fault = {.field = ""};
    CodecReply reply;
    if (call->method->answer(call, &head, &reply, &fault)) {
        inference_call_fail(&call->base, &fault);
    } else {
        inference_call_reply(&call->base, reply);
    }
}

/* On the worker that finished the last job. Explanations that take more than that come behind; the call is gone
 * afterwards, or theirs. */
static void call_computed(TaskCall *call)
{
    if (!call->explaining && call_went_well(call) && inference_explanations_begin(call)) {
        inference_explain_start(call);
        return;
    }
    inference_explain_release(call);
    call_finish(call);
}
