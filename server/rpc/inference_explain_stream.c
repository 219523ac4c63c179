/* Explain: the explanation of one text, streamed in parts. Jobs are those of the task that the model's head serves;
 * where other methods pack a reply, the worker that was last hands the call back to the loop, which sends part after
 * part as the client takes them. */
#include "rpc/inference_explanations.h"

#include "unicode/utf8.h"

/* In the arena of its call: the loop's, but for what is written before `ready` is set. */
struct InferenceStream {
    atomic_bool ready; /* there are parts to send, or there is a fault */
    bool failed;
    bool last_sent;
    CodecFault fault;
    CodecExplanations explanations;
    CodecExplainCursor cursor;
};

static Status explain_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    static const EmbedOptions embed_defaults = {0};
    CodecExplainRequest *request = &call->request.explain;
    call->embed = &embed_defaults;
    return codec_request_explain(call->base.arena, wire, size, request, out_fault);
}

static Task explain_choose(TaskCall *call)
{
    static const Task tasks[] = {TASK_RERANK, TASK_CLASSIFY, TASK_TAG, TASK_FILL, TASK_ANSWER};
    bool has_pair = call->request.inputs.texts[0].has_pair;
    Task chosen = TASK_EMBED;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        bool of_pair = tasks[i] == TASK_RERANK || tasks[i] == TASK_ANSWER;
        if ((of_pair && !has_pair) || !pipeline_has_task(call->base.pipeline, tasks[i])) continue;
        chosen = tasks[i];
        break;
    }
    if (chosen != TASK_EMBED) call->embed = NULL;
    if (chosen == TASK_FILL) call->fill_count = 1;
    return chosen;
}

static Status explain_prepare(TaskCall *call, CodecFault *out_fault)
{
    if (call->task == TASK_ANSWER) return inference_windows_prepare(call, out_fault);
    return inference_texts_prepare(call, out_fault);
}

/* Nothing but the explanation is returned. */
static TaskSize explain_size(const TaskCall *call)
{
    (void)call;
    return (TaskSize){0};
}

/* ---- Sending; the loop's thread ---- */

static void stream_send(TaskCall *call, InferenceStream *stream)
{
    Arena arena;
    CodecReply part;
    uint64_t bytes = call->base.inference->options.reply_bytes_max;
    if (bytes > CODEC_EXPLAIN_PART_BYTES) bytes = CODEC_EXPLAIN_PART_BYTES;
    arena_init(&arena, CODEC_EXPLAIN_PART_ARENA_BYTES);
    if (codec_explain_part(&arena, stream->explanations.items, stream->explanations.count, bytes, &stream->cursor,
                           &part, &stream->last_sent)) {
        rpc_message_push(call->base.message, codec_reply_size(part), codec_reply_pack, part.message);
    } else {
        error_set(&stream->fault.error, STATUS_NO_MEMORY, "no memory for a part of the explanation");
        inference_call_end(&call->base, &stream->fault);
    }
    arena_free(&arena);
}

void inference_explain_progress(void *context, RpcMessage *message)
{
    (void)context;
    TaskCall *call = rpc_message_note(message);
    InferenceStream *stream = call ? call->base.stream : NULL;
    if (!stream || !atomic_load_explicit(&stream->ready, memory_order_acquire)) return;
    if (!stream->failed && !stream->last_sent && !atomic_load(rpc_message_cancelled(message))) {
        stream_send(call, stream);
        return;
    }
    if (!stream->failed && !stream->last_sent)
        error_set(&stream->fault.error, STATUS_CANCELLED, "the client cancelled the request");
    inference_call_end(&call->base, &stream->fault);
}

/* ---- Ends; any thread ---- */

/* The arena's memory is the loop's from here on. */
static void explain_stream(TaskCall *call)
{
    InferenceStream *stream = call->base.stream;
    stream->explanations = inference_explanations_of(call, &call->texts[0]);
    rpc_message_wake(call->base.message, &stream->ready);
}

void inference_stream_fail(InferenceCall *call, const CodecFault *fault)
{
    InferenceStream *stream = call->stream;
    stream->failed = true;
    stream->fault = *fault;
    rpc_message_wake(call->message, &stream->ready);
}

bool inference_stream_open(InferenceCall *call)
{
    call->stream = arena_allocate_zeroed(call->arena, 1, sizeof *call->stream);
    rpc_message_set_note(call->message, call);
    return call->stream != NULL;
}

void inference_explain_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_COUNT,
        .read = explain_read,
        .choose = explain_choose,
        .prepare = explain_prepare,
        .size = explain_size,
        .stream = explain_stream,
    };
    inference_task_start(&method, context, message, wire, size);
}
