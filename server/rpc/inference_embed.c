/* Embed and EmbedStream. One message is one call: its texts are prepared, become jobs of the scheduler all at
 * once, and the worker that finishes the last of them sends the reply, which was built beforehand around the
 * result buffers. */
#include "rpc/inference_state.h"

#include <assert.h>
#include <stdio.h>

typedef struct InferenceEmbedCall {
    InferenceCall base; /* first */
    CodecEmbedRequest request;
    InferenceEmbedJob *jobs; /* [request.input_count] */
    CodecReply reply;
    uint64_t tokenize_ns;
    uint64_t submitted_ns;
    atomic_uint_fast32_t pending; /* jobs that are not done */
} InferenceEmbedCall;

static Status call_read(InferenceEmbedCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault);
static void call_defer(InferenceEmbedCall *call);
static void call_prepare_and_submit(InferenceEmbedCall *call);
static void call_finish(InferenceEmbedCall *call);
static uint64_t inputs_bytes(const CodecText *inputs, uint32_t count);

void inference_embed_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    InferenceEmbedCall *call = inference_call_open(context, message, sizeof *call);
    if (!call) return;
    CodecFault fault = {.field = ""};
    if (call_read(call, wire, size, &fault)) {
        inference_call_fail(&call->base, &fault);
    } else if (inputs_bytes(call->request.inputs, call->request.input_count) > INFERENCE_LOOP_TEXT_BYTES_MAX) {
        call_defer(call);
    } else {
        call_prepare_and_submit(call);
    }
}

void inference_embed_job_done(InferenceEmbedJob *job)
{
    InferenceEmbedCall *call = job->call;
    /* Release what this job wrote; acquire what the others wrote before they were done. */
    if (atomic_fetch_sub_explicit(&call->pending, 1, memory_order_acq_rel) == 1) call_finish(call);
}

static Status field_fault(CodecFault *fault, const char *field)
{
    snprintf(fault->field, sizeof fault->field, "%s", field);
    return fault->error.status;
}

/* Everything that can be refused without looking into the texts. */
static Status call_read(InferenceEmbedCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    Inference *inference = call->base.inference;
    Status status = codec_request_embed(call->base.arena, wire, size, inference->options.input_count_max,
                                        &call->request, out_fault);
    if (status) return status;
    status = inference_call_find_model(&call->base, call->request.model, out_fault);
    if (status) return status;
    status = pipeline_check_prompt(call->base.pipeline, call->request.prepare.prompt_name, &out_fault->error);
    if (status) return field_fault(out_fault, "prompt_name");
    status = pipeline_check_embed(call->base.pipeline, &call->request.embed, &out_fault->error);
    if (status) return field_fault(out_fault, "dimensions");
    return admission_hold(&inference->admission, &call->base.hold, call->base.arena->used_bytes,
                          &out_fault->error);
}

static uint64_t inputs_bytes(const CodecText *inputs, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += inputs[i].text.size + inputs[i].pair.size;
    return bytes;
}

static void call_run(InferenceCall *base)
{
    call_prepare_and_submit((InferenceEmbedCall *)base);
}

/* The loop must not be held up by a large text: a worker prepares it, and submits the jobs. */
static void call_defer(InferenceEmbedCall *call)
{
    uint64_t bytes = inputs_bytes(call->request.inputs, call->request.input_count);
    CodecFault fault = {.field = ""};
    if (inference_call_defer(&call->base, call_run, bytes, &fault.error)) inference_call_fail(&call->base, &fault);
}

static Status call_prepare(InferenceEmbedCall *call, CodecFault *out_fault)
{
    const CodecEmbedRequest *request = &call->request;
    const atomic_bool *cancelled = rpc_message_cancelled(call->base.message);
    for (uint32_t i = 0; i < request->input_count; i++) {
        if (atomic_load_explicit(cancelled, memory_order_relaxed)) {
            return error_set(&out_fault->error, STATUS_CANCELLED, "the client cancelled the request");
        }
        const CodecText *input = &request->inputs[i];
        Status status =
            pipeline_prepare(call->base.pipeline, input->text, input->has_pair ? &input->pair : NULL,
                             &request->prepare, call->base.arena, &call->jobs[i].prepared, &out_fault->error);
        if (status) return inference_input_fault(i, input, out_fault);
    }
    return STATUS_OK;
}

static Status call_jobs_allocate(InferenceEmbedCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.input_count;
    /* The arena's budget bounds what a client's bytes can cost. What we spend on the answer is bounded elsewhere:
     * here by the count of inputs, then by reply_bytes_max. */
    call->base.arena->budget_bytes += count * (sizeof *call->jobs + 3 * sizeof(void *)) + 64 * KIB;
    call->jobs = arena_allocate_zeroed(call->base.arena, count, sizeof *call->jobs);
    if (call->jobs) return STATUS_OK;
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the request's %u texts", count);
}

static Status call_results_allocate(InferenceEmbedCall *call, CodecFault *out_fault)
{
    Inference *inference = call->base.inference;
    const EmbedOptions *options = &call->request.embed;
    uint32_t count = call->request.input_count;
    uint64_t row_size = pipeline_row_size(call->base.pipeline);
    uint64_t vector_size = options->dimensions ? options->dimensions : pipeline_vector_size(call->base.pipeline);
    uint64_t row_count = 0;
    for (uint32_t i = 0; options->return_tokens && i < count; i++)
        row_count += call->jobs[i].prepared.encoding.count;
    uint64_t float_bytes = (count * vector_size + row_count * row_size) * sizeof(float);
    if (float_bytes > inference->options.reply_bytes_max) {
        return error_set(&out_fault->error, STATUS_RESOURCE_EXHAUSTED,
                         "the reply would take %llu bytes, the limit is %llu (--reply-limit): send fewer inputs%s",
                         (unsigned long long)float_bytes, (unsigned long long)inference->options.reply_bytes_max,
                         options->return_tokens ? ", or leave out return_token_embeddings" : "");
    }
    uint64_t reply_bytes = codec_reply_embed_bytes(count, row_count);
    uint64_t total_bytes = call->base.arena->used_bytes + float_bytes + reply_bytes;
    Status status = admission_hold(&inference->admission, &call->base.hold, total_bytes, &out_fault->error);
    if (status) return status;
    call->base.arena->budget_bytes += float_bytes + reply_bytes + 64 * KIB;
    float *values = arena_allocate(call->base.arena, float_bytes);
    if (!values) return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the request's results");
    for (uint32_t i = 0; i < count; i++) {
        PipelineItem *item = &call->jobs[i].item;
        *item = (PipelineItem){.prepared = &call->jobs[i].prepared, .embed = options, .output = values};
        values += vector_size;
        if (!options->return_tokens) continue;
        item->tokens = values;
        values += call->jobs[i].prepared.encoding.count * row_size;
    }
    return STATUS_OK;
}

static Status call_reply_build(InferenceEmbedCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.input_count;
    const PipelineItem **items = arena_allocate(call->base.arena, count * sizeof *items);
    if (!items) return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
    for (uint32_t i = 0; i < count; i++) items[i] = &call->jobs[i].item;
    if (codec_reply_embed(call->base.arena, text_view(model_name(call->base.model)), items, count,
                          pipeline_vector_size(call->base.pipeline), pipeline_row_size(call->base.pipeline),
                          &call->reply)) {
        return STATUS_OK;
    }
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
}

/* After success the call may be gone. */
static Status call_submit(InferenceEmbedCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.input_count;
    SchedulerJob **list = arena_allocate(call->base.arena, count * sizeof(SchedulerJob *));
    if (!list)
        return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the request's %u texts", count);
    for (uint32_t i = 0; i < count; i++) {
        InferenceEmbedJob *job = &call->jobs[i];
        job->call = call;
        job->job = (SchedulerJob){
            .batch_key = call->base.model,
            .flow = rpc_message_flow(call->base.message),
            .token_count = job->prepared.encoding.count,
            .work = job->prepared.work,
            .deadline_ns = rpc_message_deadline_ns(call->base.message),
            .cancelled = rpc_message_cancelled(call->base.message),
        };
        list[i] = &job->job;
    }
    atomic_init(&call->pending, count);
    call->submitted_ns = clock_now_ns(&clock_monotonic);
    return scheduler_submit(call->base.inference->scheduler, list, count, &out_fault->error);
}

/* On the loop or, for a large request, on a worker. */
static void call_prepare_and_submit(InferenceEmbedCall *call)
{
    CodecFault fault = {.field = ""};
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    Status status = call_jobs_allocate(call, &fault);
    if (!status) status = call_prepare(call, &fault);
    call->tokenize_ns = clock_now_ns(&clock_monotonic) - started_ns;
    if (!status) status = call_results_allocate(call, &fault);
    if (!status) status = call_reply_build(call, &fault);
    if (!status) status = call_submit(call, &fault);
    if (status) inference_call_fail(&call->base, &fault);
}

/* One text that was not computed fails the message: a caller could not tell which vectors are there. */
static bool call_failed(InferenceEmbedCall *call)
{
    for (uint32_t i = 0; i < call->request.input_count; i++) {
        Status status = call->jobs[i].item.status;
        if (status == STATUS_OK) continue;
        if (status != STATUS_INTERNAL) {
            inference_call_drop(&call->base, status);
            return true;
        }
        CodecFault fault;
        snprintf(fault.field, sizeof fault.field, "inputs[%u].text", i);
        error_set(&fault.error, status,
                  "inputs[%u]: the model's answer is not finite; no vector is returned for it", i);
        inference_call_fail(&call->base, &fault);
        return true;
    }
    return false;
}

/* Queue and compute meet where the first batch with a text of the call starts; a batch is the largest of the
 * call's. */
static CodecTiming call_timing(const InferenceEmbedCall *call)
{
    uint64_t started_ns = UINT64_MAX;
    uint64_t finished_ns = 0;
    CodecTiming timing = {.tokenize_ns = call->tokenize_ns};
    for (uint32_t i = 0; i < call->request.input_count; i++) {
        const InferenceEmbedJob *job = &call->jobs[i];
        if (job->started_ns < started_ns) started_ns = job->started_ns;
        if (job->finished_ns > finished_ns) finished_ns = job->finished_ns;
        if (job->batch_sequences > timing.batch_sequences) timing.batch_sequences = job->batch_sequences;
        if (job->batch_tokens > timing.batch_tokens) timing.batch_tokens = job->batch_tokens;
    }
    timing.compute_ns = finished_ns - started_ns;
    timing.total_ns = finished_ns - rpc_message_arrived_ns(call->base.message);
    uint64_t known_ns = timing.compute_ns + timing.tokenize_ns;
    timing.queue_ns = timing.total_ns > known_ns ? timing.total_ns - known_ns : 0;
    return timing;
}

/* On the worker that finished the last job; the call is gone afterwards. */
static void call_finish(InferenceEmbedCall *call)
{
    if (call_failed(call)) return;
    CodecTiming timing = call_timing(call);
    codec_reply_embed_timing(call->reply, &timing);
    inference_call_reply(&call->base, call->reply);
}
