/* Sanitize: what would be found in texts and made of them, without a run of the encoder. */
#include "rpc/inference_sources.h"
#include "unicode/utf8.h"

enum { SANITIZE_TOKEN_BYTES = 32 }; /* what a text's tokens take for each of its bytes, at most */

typedef struct SanitizeCall {
    InferenceCall base; /* first */
    CodecSanitizeRequest request;
    SanitizeOptions options;
} SanitizeCall;

/* Who asks for a policy or a level gets that one; who does not, the server's, and at least a report. */
static SanitizeOptions options_resolve(const SanitizeCall *call)
{
    const InferenceCall *base = &call->base;
    const CodecSanitize *asked = &call->request.inputs.sanitize;
    TextView model = text_view(base->model ? model_name(base->model) : "");
    SanitizeOptions options = inference_sanitize_options(base->inference, model, asked);
    if (options.policy == SANITIZE_OFF) options.policy = SANITIZE_REPORT;
    if (asked->policy_given) options.policy = asked->options.policy;
    if (asked->level_given) options.level = asked->options.level;
    return options;
}

/* The tokens of a text by itself: whether the model takes pairs, and how long texts may be, is no matter here. */
static Status tokens_check(const SanitizeCall *call, Sanitized *found, Error *out_error)
{
    const InferenceCall *base = &call->base;
    if (found->text.size == 0) return STATUS_OK;
    uint64_t bytes = MIB + SANITIZE_TOKEN_BYTES * (uint64_t)found->text.size;
    const EncodeOptions options = {0};
    Prepared prepared = {0};
    AdmissionHold hold = 0;
    Arena arena;
    Status status = admission_hold(&base->inference->admission, &hold, bytes, out_error);
    if (status) return status;
    arena_init(&arena, bytes);
    status = pipeline_encode(base->pipeline, found->text, NULL, &options, &arena, &prepared.encoding, out_error);
    if (!status) {
        pipeline_set_origin(&prepared, found, NULL);
        pipeline_check_tokens(base->pipeline, &prepared, false, &call->options, found);
    }
    arena_free(&arena);
    admission_release(&base->inference->admission, &hold);
    return status;
}

/* The one thing that OFF does not let pass. */
static Status utf8_check(const CodecInputs *inputs, uint32_t index, CodecFault *out_fault)
{
    const CodecText *input = &inputs->texts[index];
    size_t position;
    bool of_pair = utf8_valid(input->text, &position);
    if (of_pair && (!input->has_pair || utf8_valid(input->pair, &position))) return STATUS_OK;
    error_set(&out_fault->error, STATUS_INVALID_ARGUMENT, "not valid UTF-8 at byte %zu", position);
    return codec_request_fault(inputs, index, of_pair, out_fault);
}

static Status input_sanitize(SanitizeCall *call, uint32_t index, SourcesDraft *draft, Sources *sources,
                             CodecFault *out_fault)
{
    InferenceCall *base = &call->base;
    const CodecInputs *inputs = &call->request.inputs;
    if (call->options.policy == SANITIZE_OFF) return utf8_check(inputs, index, out_fault);
    Status status = inference_sources_read(base, base->pipeline, TASK_EMBED, &call->options, inputs, index, NULL,
                                           draft, sources, out_fault);
    if (status) return status;
    if (base->pipeline && tokens_check(call, &draft->text, &out_fault->error))
        return codec_request_fault(inputs, index, false, out_fault);
    if (base->pipeline && sources->has_pair && tokens_check(call, &draft->pair, &out_fault->error))
        return codec_request_fault(inputs, index, true, out_fault);
    return inference_sources_finish(base, &call->options, inputs, index, draft, sources, out_fault);
}

/* ---- The call ---- */

static Status inputs_sanitize(SanitizeCall *call, CodecReport *reports, CodecFault *out_fault)
{
    InferenceCall *base = &call->base;
    const atomic_bool *cancelled = rpc_message_cancelled(base->message);
    SourcesDraft draft = {0};
    uint64_t part_count = 0;
    for (uint32_t i = 0; i < call->request.inputs.count; i++) {
        Sources sources = {0};
        if (atomic_load_explicit(cancelled, memory_order_relaxed))
            return error_set(&out_fault->error, STATUS_CANCELLED, "the client cancelled the request");
        Status status = input_sanitize(call, i, &draft, &sources, out_fault);
        if (status) return status;
        const CodecReport report = inference_sources_report(&call->options, &sources, true);
        part_count += report.text.count + report.text.total_count + report.pair.count + report.pair.total_count;
        reports[i] = report;
    }
    uint64_t bytes = codec_reply_sanitize_bytes(call->request.inputs.count, part_count);
    return inference_call_admit(base, bytes, &out_fault->error);
}

static void call_run(InferenceCall *base)
{
    SanitizeCall *call = (SanitizeCall *)base;
    CodecFault fault = {.field = ""};
    CodecReply reply;
    uint32_t count = call->request.inputs.count;
    CodecReport *reports = NULL;
    Status status = inference_call_admit(base, count * sizeof *reports, &fault.error);
    if (!status) {
        reports = arena_allocate(base->arena, count * sizeof *reports);
        status = reports ? inputs_sanitize(call, reports, &fault) : inference_call_no_memory(&fault);
    }
    if (!status && !codec_reply_sanitize(base->arena, reports, count, &reply))
        status = inference_call_no_memory(&fault);
    if (status) {
        inference_call_fail(base, &fault);
    } else {
        inference_call_reply(base, reply);
    }
}

static Status call_read(SanitizeCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    InferenceCall *base = &call->base;
    Status status = codec_request_sanitize(base->arena, wire, size, base->inference->options.input_count_max,
                                           &call->request, out_fault);
    if (!status && call->request.inputs.model.size)
        status = inference_call_find_model(base, call->request.inputs.model, out_fault);
    if (!status) call->options = options_resolve(call);
    return status;
}

void inference_sanitize_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    SanitizeCall *call = inference_call_open(context, message, sizeof *call);
    if (!call) return;
    InferenceCall *base = &call->base;
    CodecFault fault = {.field = ""};
    Status status = call_read(call, wire, size, &fault);
    if (!status) {
        uint64_t bytes = codec_request_text_bytes(&call->request.inputs);
        if (bytes <= INFERENCE_LOOP_TEXT_BYTES_MAX) {
            call_run(base);
            return;
        }
        status = admission_hold(&base->inference->admission, &base->hold, base->arena->used_bytes, &fault.error);
        if (!status) status = inference_call_defer(base, call_run, bytes, &fault.error);
    }
    if (status) inference_call_fail(base, &fault);
}
