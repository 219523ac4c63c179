/* Tokenize and Detokenize: no job of the encoder, but a large text still goes to a worker. */
#include "rpc/inference_state.h"

#include <stdio.h>

typedef struct TokensCall {
    InferenceTask task; /* first */
    Inference *inference;
    RpcMessage *message;
    Arena *arena;
    AdmissionHold hold;
    union {
        CodecTokenizeRequest tokenize;
        CodecDetokenizeRequest detokenize;
    };
    Status (*answer)(struct TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);
} TokensCall;

static TokensCall *call_open(Inference *inference, RpcMessage *message);
static void call_start(TokensCall *call, uint64_t size, uint64_t loop_size_max);
static void call_fail(TokensCall *call, const CodecFault *fault);
static Status tokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);
static Status detokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault);

void inference_tokens_tokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    Inference *inference = context;
    TokensCall *call = call_open(inference, message);
    if (!call) return;
    CodecTokenizeRequest *request = &call->tokenize;
    CodecFault fault = {.field = ""};
    Status status =
        codec_request_tokenize(call->arena, wire, size, inference->options.input_count_max, request, &fault);
    if (!status) status = inference_check_model(inference, request->model, &fault);
    if (status) {
        call_fail(call, &fault);
        return;
    }
    call->answer = tokenize_answer;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < request->input_count; i++) {
        bytes += request->inputs[i].text.size + request->inputs[i].pair.size;
    }
    call_start(call, bytes, INFERENCE_LOOP_TEXT_BYTES_MAX);
}

void inference_tokens_detokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    Inference *inference = context;
    TokensCall *call = call_open(inference, message);
    if (!call) return;
    CodecFault fault = {.field = ""};
    Status status = codec_request_detokenize(call->arena, wire, size, &call->detokenize, &fault);
    if (!status) status = inference_check_model(inference, call->detokenize.model, &fault);
    if (status) {
        call_fail(call, &fault);
        return;
    }
    call->answer = detokenize_answer;
    call_start(call, call->detokenize.id_count, INFERENCE_LOOP_ID_COUNT_MAX);
}

/* NULL: the message is gone. */
static TokensCall *call_open(Inference *inference, RpcMessage *message)
{
    if (!inference_admit(inference, message)) return NULL;
    TokensCall *call = arena_allocate_zeroed(rpc_message_arena(message), 1, sizeof *call);
    if (!call) {
        CodecFault fault = {.field = ""};
        error_set(&fault.error, STATUS_NO_MEMORY, "no memory for another request");
        inference_refuse(message, &fault);
        return NULL;
    }
    call->inference = inference;
    call->message = message;
    call->arena = rpc_message_arena(message);
    return call;
}

static void call_run(InferenceTask *task)
{
    TokensCall *call = (TokensCall *)task;
    CodecFault fault = {.field = ""};
    CodecReply reply;
    if (call->answer(call, &reply, &fault)) {
        call_fail(call, &fault);
        return;
    }
    admission_release(&call->inference->admission, &call->hold);
    inference_reply(call->message, reply);
}

static void call_drop(InferenceTask *task, Status reason)
{
    TokensCall *call = (TokensCall *)task;
    admission_release(&call->inference->admission, &call->hold);
    inference_dropped(call->message, reason);
}

/* Answers at once, or on a worker when the `size` of what was sent passes `loop_size_max`. */
static void call_start(TokensCall *call, uint64_t size, uint64_t loop_size_max)
{
    call->task.run = call_run;
    call->task.drop = call_drop;
    if (size <= loop_size_max) {
        call_run(&call->task);
        return;
    }
    CodecFault fault = {.field = ""};
    Status status =
        admission_hold(&call->inference->admission, &call->hold, call->arena->used_bytes, &fault.error);
    if (!status) status = inference_task_submit(call->inference, call->message, &call->task, size, &fault.error);
    if (status) call_fail(call, &fault);
}

static void call_fail(TokensCall *call, const CodecFault *fault)
{
    admission_release(&call->inference->admission, &call->hold);
    inference_refuse(call->message, fault);
}

/* The tokens of the reply are structs, several times their size on the wire: admitted once their count is known.
 */
static Status tokenize_admit(TokensCall *call, uint64_t token_count, CodecFault *out_fault)
{
    Inference *inference = call->inference;
    uint64_t bytes = codec_reply_tokenize_bytes(call->tokenize.input_count, token_count);
    Status status =
        admission_hold(&inference->admission, &call->hold, call->arena->used_bytes + bytes, &out_fault->error);
    if (!status) call->arena->budget_bytes += bytes + 64 * KIB;
    return status;
}

static Status tokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecTokenizeRequest *request = &call->tokenize;
    const Tokenizer *tokenizer = pipeline_tokenizer(call->inference->pipeline);
    const EncodeOptions options = {.without_special_tokens = request->without_special_tokens};
    Encoding *encodings = arena_allocate_zeroed(call->arena, request->input_count, sizeof *encodings);
    if (!encodings)
        return error_set(&out_fault->error, STATUS_RESOURCE_EXHAUSTED, "the request's memory is used up");
    uint64_t token_count = 0;
    for (uint32_t i = 0; i < request->input_count; i++) {
        const CodecText *input = &request->inputs[i];
        Status status =
            pipeline_encode(call->inference->pipeline, input->text, input->has_pair ? &input->pair : NULL,
                            &options, call->arena, &encodings[i], &out_fault->error);
        if (status) return inference_input_fault(i, input, out_fault);
        token_count += encodings[i].count;
    }
    Status status = tokenize_admit(call, token_count, out_fault);
    if (status) return status;
    if (codec_reply_tokenize(call->arena, tokenizer, encodings, request->input_count, out_reply)) return STATUS_OK;
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
}

static Status detokenize_answer(TokensCall *call, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecDetokenizeRequest *request = &call->detokenize;
    TextView text = {0};
    Status status =
        tokenizer_decode(pipeline_tokenizer(call->inference->pipeline), request->ids, request->id_count,
                         !request->keep_special_tokens, call->arena, &text, &out_fault->error);
    if (status) {
        snprintf(out_fault->field, sizeof out_fault->field, "ids");
        return status;
    }
    if (codec_reply_detokenize(call->arena, text, out_reply)) return STATUS_OK;
    return error_set(&out_fault->error, STATUS_NO_MEMORY, "no memory for the reply");
}
