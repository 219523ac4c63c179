/* The life that the calls of every method share: opened on the loop, perhaps deferred to a worker, ended once. */
#include "rpc/inference_state.h"

#include <stdio.h>

void *inference_call_open(Inference *inference, RpcMessage *message, size_t size)
{
    Arena *arena = rpc_message_arena(message);
    InferenceCall *call = arena_allocate_zeroed(arena, 1, size);
    if (!call) {
        CodecFault fault = {.field = ""};
        error_set(&fault.error, STATUS_NO_MEMORY, "no memory for another request");
        inference_refuse(message, &fault);
        return NULL;
    }
    call->inference = inference;
    call->message = message;
    call->arena = arena;
    return call;
}

Status inference_call_find_model(InferenceCall *call, TextView name, CodecFault *out_fault)
{
    Status status = registry_find(call->inference->registry, name, &call->model, &out_fault->error);
    if (status) {
        if (status == STATUS_NOT_FOUND) snprintf(out_fault->field, sizeof out_fault->field, "model");
        return status;
    }
    call->pipeline = model_pipeline(call->model);
    return STATUS_OK;
}

Status inference_call_defer(InferenceCall *call, void (*run)(InferenceCall *call), uint64_t work, Error *out_error)
{
    call->run = run;
    call->job = (SchedulerJob){
        .flow = rpc_message_flow(call->message),
        .work = work,
        .deadline_ns = rpc_message_deadline_ns(call->message),
        .cancelled = rpc_message_cancelled(call->message),
    };
    SchedulerJob *job = &call->job;
    return scheduler_submit(call->inference->scheduler, &job, 1, out_error);
}

Status inference_call_admit(InferenceCall *call, uint64_t bytes, Error *out_error)
{
    bytes += 64 * KIB; /* of chunks that end half empty */
    Status status =
        admission_hold(&call->inference->admission, &call->hold, call->arena->used_bytes + bytes, out_error);
    if (!status) call->arena->budget_bytes += bytes;
    return status;
}

Status inference_call_no_memory(CodecFault *out_fault)
{
    return error_set(&out_fault->error, STATUS_RESOURCE_EXHAUSTED, "the request's memory is used up");
}

/* Before the answer: afterwards the client may count on the memory, and the process end. The model goes last: the
 * answer may point into it. */
static Model *call_let_go(InferenceCall *call)
{
    admission_release(&call->inference->admission, &call->hold);
    return call->model;
}

void inference_call_reply(InferenceCall *call, CodecReply reply)
{
    Model *model = call_let_go(call);
    rpc_message_reply(call->message, codec_reply_size(reply), codec_reply_pack, reply.message);
    model_release(model);
}

void inference_call_fail(InferenceCall *call, const CodecFault *fault)
{
    if (call->stream)
        inference_stream_fail(call, fault);
    else
        inference_call_end(call, fault);
}

void inference_call_end(InferenceCall *call, const CodecFault *fault)
{
    Model *model = call_let_go(call);
    inference_refuse(call->message, fault);
    model_release(model);
}

void inference_call_drop(InferenceCall *call, Status reason)
{
    CodecFault fault = {.field = ""};
    switch (reason) {
    case STATUS_CANCELLED:
        error_set(&fault.error, reason, "the client cancelled the request before it was computed");
        break;
    case STATUS_DEADLINE_EXCEEDED:
        error_set(&fault.error, reason, "the request's deadline passed before it was computed");
        break;
    default:
        error_set(&fault.error, reason, "the server is shutting down");
        break;
    }
    inference_call_fail(call, &fault);
}
