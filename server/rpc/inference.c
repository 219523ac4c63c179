#include "rpc/inference_state.h"

#include "base/limits.h"
#include "rpc/models.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void inference_list_models(void *context, RpcMessage *message, const uint8_t *wire, size_t size);

Status inference_open(const InferenceOptions *options, Inference **out_inference, Error *out_error)
{
    assert(options->worker_count >= 1 && options->batch_items >= 1);
    Inference *inference = calloc(1, sizeof *inference);
    if (inference) {
        inference->items = calloc(options->worker_count, options->batch_items * sizeof *inference->items);
    }
    if (!inference || !inference->items) {
        inference_close(inference);
        return error_set(out_error, STATUS_NO_MEMORY, "inference: out of memory");
    }
    inference->options = *options;
    inference->registry = options->registry;
    admission_init(&inference->admission, options->request_memory_bytes);
    *out_inference = inference;
    return STATUS_OK;
}

void inference_close(Inference *inference)
{
    if (!inference) return;
    free(inference->items);
    free(inference);
}

void inference_methods(Inference *inference, RpcMethod out_methods[INFERENCE_METHOD_COUNT])
{
    const RpcMethod methods[] = {
        {.path = "/headlight.v1.Inference/Embed", .handle = inference_embed_handle},
        {.path = "/headlight.v1.Inference/EmbedStream", .shape = RPC_BIDI, .handle = inference_embed_handle},
        {.path = "/headlight.v1.Inference/Classify", .handle = inference_classify_handle},
        {.path = "/headlight.v1.Inference/ClassifyStream", .shape = RPC_BIDI, .handle = inference_classify_handle},
        {.path = "/headlight.v1.Inference/Rerank", .handle = inference_rerank_handle},
        {.path = "/headlight.v1.Inference/TagTokens", .handle = inference_tag_handle},
        {.path = "/headlight.v1.Inference/FillMask", .handle = inference_fill_handle},
        {.path = "/headlight.v1.Inference/Answer", .handle = inference_answer_handle},
        {.path = "/headlight.v1.Inference/Explain",
         .shape = RPC_SERVER_STREAM,
         .handle = inference_explain_handle,
         .progress = inference_explain_progress},
        {.path = "/headlight.v1.Inference/Sanitize", .handle = inference_sanitize_handle},
        {.path = "/headlight.v1.Inference/Tokenize", .handle = inference_tokens_tokenize},
        {.path = "/headlight.v1.Inference/Detokenize", .handle = inference_tokens_detokenize},
        {.path = "/headlight.v1.Inference/ListModels", .handle = inference_list_models},
    };
    static_assert(sizeof methods / sizeof methods[0] == INFERENCE_METHOD_COUNT, "every method has a row");
    for (size_t i = 0; i < INFERENCE_METHOD_COUNT; i++) {
        out_methods[i] = methods[i];
        out_methods[i].context = inference;
    }
}

SchedulerCallbacks inference_callbacks(Inference *inference)
{
    return (SchedulerCallbacks){.context = inference, .run = inference_batch_run, .drop = inference_batch_drop};
}

void inference_serve(Inference *inference, Scheduler *scheduler)
{
    inference->scheduler = scheduler;
}

uint64_t inference_memory_bytes(const Inference *inference)
{
    return atomic_load_explicit(&inference->admission.bytes, memory_order_relaxed);
}

InferenceSanitized inference_sanitized(const Inference *inference)
{
    const InferenceCounters *counters = &inference->counters;
    InferenceSanitized sanitized = {
        .texts_changed = atomic_load_explicit(&counters->texts_changed, memory_order_relaxed),
        .requests_refused = atomic_load_explicit(&counters->requests_refused, memory_order_relaxed),
    };
    for (int policy = 0; policy <= SANITIZE_REJECT; policy++)
        sanitized.texts[policy] = atomic_load_explicit(&counters->texts[policy], memory_order_relaxed);
    for (int rule = 0; rule < RULE_COUNT; rule++)
        sanitized.findings[rule] = atomic_load_explicit(&counters->findings[rule], memory_order_relaxed);
    return sanitized;
}

SanitizeOptions inference_sanitize_options(const Inference *inference, TextView model, const CodecSanitize *asked)
{
    return sanitize_policies_tighten(sanitize_policies_of(&inference->options.sanitize, model), asked->options);
}

TextView inference_attention(const Pipeline *pipeline)
{
    static const char *const names[] = {
        [ATTENTION_PATTERN_DENSE] = "dense",
        [ATTENTION_PATTERN_SLIDING_WINDOW] = "sliding_window",
        [ATTENTION_PATTERN_LONGFORMER] = "longformer",
        [ATTENTION_PATTERN_BIGBIRD] = "bigbird",
    };
    return text_view(names[encoder_attention(pipeline_encoder(pipeline))]);
}

void inference_refuse(RpcMessage *message, const CodecFault *fault)
{
    const char *field = fault->field[0] ? fault->field : NULL;
    uint8_t bytes[CODEC_REFUSAL_BYTES_MAX];
    size_t size = fault->report ? codec_refusal_pack(rpc_message_arena(message), fault->report, bytes) : 0;
    if (size == 0) {
        rpc_message_fail(message, &fault->error, field);
        return;
    }
    const RpcDetail detail = {codec_refusal_type, bytes, size};
    rpc_message_refuse(message, &fault->error, field, &detail);
}

static Status models_answer(const Inference *inference, Arena *arena, CodecReply *out_reply, Error *out_error)
{
    size_t count = registry_count(inference->registry);
    arena->budget_bytes += count * sizeof(CodecModel) + 64 * KIB;
    CodecModel *models = arena_allocate(arena, count * sizeof *models);
    for (size_t i = 0; models && i < count; i++) {
        const RegistryView view = registry_view(inference->registry, i);
        models[i] = models_describe(&view);
    }
    if (models) arena->budget_bytes += codec_models_bytes(models, count);
    if (models && codec_models_list(arena, models, count, out_reply)) return STATUS_OK;
    return error_set(out_error, STATUS_NO_MEMORY, "no memory for the reply");
}

/* Answers while a model loads as well: its name, and that it is not ready. */
static void inference_list_models(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    InferenceCall *call = inference_call_open(context, message, sizeof *call);
    if (!call) return;
    CodecFault fault = {.field = ""};
    CodecReply reply;
    Status status = codec_models_read_list(call->arena, wire, size, &fault);
    if (!status) status = models_answer(call->inference, call->arena, &reply, &fault.error);
    if (status) {
        inference_call_fail(call, &fault);
        return;
    }
    inference_call_reply(call, reply);
}
