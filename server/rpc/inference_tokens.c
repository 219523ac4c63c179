/* Tokenize and Detokenize: no job of the encoder, but a large text still goes to a worker. */
#include "rpc/inference_state.h"

#include <stdio.h>

typedef struct TokensCall {
    InferenceCall base; /* first */
    union {
        CodecTokenizeRequest tokenize;
        CodecDetokenizeRequest detokenize;
    };
    Status (*answer)(struct TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);
} TokensCall;

static void call_start(TokensCall *call, uint64_t size, uint64_t loop_size_max);
static Status tokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);
static Status detokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);

void inference_tokens_tokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    Inference *inference = context;
    TokensCall *call = inference_call_open(inference, message, sizeof *call);
    if (!call) return;
    CodecTokenizeRequest *request = &call->tokenize;
    CodecFault fault = {.field = ""};
    Status status =
        codec_request_tokenize(call->base.arena, wire, size, inference->options.input_count_max, request, &fault);
    if (!status) status = inference_call_find_model(&call->base, request->inputs.model, &fault);
    if (status) {
        inference_call_fail(&call->base, &fault);
        return;
    }
    call->answer = tokenize_answer;
    call_start(call, codec_request_text_bytes(&request->inputs), INFERENCE_LOOP_TEXT_BYTES_MAX);
}

void inference_tokens_detokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    TokensCall *call = inference_call_open(context, message, sizeof *call);
    if (!call) return;
    CodecFault fault = {.field = ""};
    Status status = codec_request_detokenize(call->base.arena, wire, size, &call->detokenize, &fault);
    if (!status) status = inference_call_find_model(&call->base, call->detokenize.model, &fault);
    if (status) {
        inference_call_fail(&call->base, &fault);
        return;
    }
    call->answer = detokenize_answer;
    call_start(call, call->detokenize.id_count, INFERENCE_LOOP_ID_COUNT_MAX);
}

static void call_run(InferenceCall *base)
{
    TokensCall *call = (TokensCall *)base;
    CodecFault fault = {.field = ""};
    CodecReply reply;
    if (call->answer(call, &reply, &fault)) {
        inference_call_fail(base, &fault);
    } else {
        inference_call_reply(base, reply);
    }
}

/* Answers at once, or on a worker when the `size` of what was sent passes `loop_size_max`. */
static void call_start(TokensCall *call, uint64_t size, uint64_t loop_size_max)
{
    InferenceCall *base = &call->base;
    if (size <= loop_size_max) {
        call_run(base);
        return;
    }
    CodecFault fault = {.field = ""};
    Status status =
        admission_hold(&base->inference->admission, &base->hold, base->arena->used_bytes, &fault.error);
    if (!status) status = inference_call_defer(base, call_run, size, &fault.error);
    if (status) inference_call_fail(base, &fault);
}

static Status tokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecTokenizeRequest *request = &call->tokenize;
    const Tokenizer *tokenizer = pipeline_tokenizer(call->base.pipeline);
    const EncodeOptions options = {.without_special_tokens = request->without_special_tokens};
    Encoding *encodings = arena_allocate_zeroed(call->base.arena, request->inputs.count, sizeof *encodings);
    if (!encodings) return inference_call_no_memory(out_fault);
    uint64_t token_count = 0;
    for (uint32_t i = 0; i < request->inputs.count; i++) {
        const CodecText *input = &request->inputs.texts[i];
        Status status = pipeline_encode(call->base.pipeline, input->text, input->has_pair ? &input->pair : NULL,
                                        &options, call->base.arena, &encodings[i], &out_fault->error);
        if (status) return inference_input_fault(&request->inputs, i, input, out_fault);
        token_count += encodings[i].count;
    }
    /* The tokens of the reply are structs, several times their size on the wire. */
    uint64_t bytes = codec_reply_tokenize_bytes(request->inputs.count, token_count);
    Status status = inference_call_admit(&call->base, bytes, &out_fault->error);
    if (status) return status;
    if (codec_reply_tokenize(call->base.arena, tokenizer, encodings, request->inputs.count, out_reply))
        return STATUS_OK;
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
}

static Status detokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecDetokenizeRequest *request = &call->detokenize;
    TextView text = {0};
    Status status = tokenizer_decode(pipeline_tokenizer(call->base.pipeline), request->ids, request->id_count,
                                     !request->keep_special_tokens, call->base.arena, &text, &out_fault->error);
    if (status) {
        snprintf(out_fault->field, sizeof out_fault->field, "ids");
        return status;
    }
    if (codec_reply_detokenize(call->base.arena, text, out_reply)) return STATUS_OK;
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
}
