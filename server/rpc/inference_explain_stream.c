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
    CodecExplainStream parts;
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

static uint32_t explain_label_count(const TaskCall *call)
{
    bool classifies = call->task == TASK_CLASSIFY || call->task == TASK_RERANK;
    return classifies ? pipeline_label_count(call->base.pipeline) : 0;
}

/* Of the answer; parts have arenas of their own. */
static TaskSize explain_size(const TaskCall *call)
{
    uint64_t label_count = explain_label_count(call);
    return (TaskSize){.memory_bytes = codec_reply_classify_bytes(1, label_count) +
                                      label_count * (sizeof(LabelScore) + sizeof(float))};
}

/* ---- Sending; the loop's thread ---- */

static void stream_send(TaskCall *call, InferenceStream *stream)
{
    Arena arena;
    CodecReply part;
    arena_init(&arena, CODEC_EXPLAIN_PART_ARENA_BYTES);
    if (codec_explain_part(&arena, &stream->parts, &stream->cursor, &part, &stream->last_sent)) {
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

/* What the explained task's own method says of the text; of models that classify, their labels. NULL: the arena is
 * out. */
static const void *explain_answer(TaskCall *call, const TaskText *text)
{
    const Pipeline *pipeline = call->base.pipeline;
    uint32_t label_count = explain_label_count(call);
    LabelScore *scores = arena_allocate(call->base.arena, label_count * sizeof *scores);
    float *logits = arena_allocate(call->base.arena, label_count * sizeof *logits);
    if (!scores || !logits) return NULL;
    if (label_count) {
        pipeline_merge_logits(pipeline, &text->whole, inference_texts_outputs(call, text), logits);
        pipeline_classify(pipeline, logits, false, scores);
    }
    const CodecClassification answer = {
        .usage = inference_texts_usage(call, text),
        .report = inference_texts_report(call, text),
        .scores = scores,
        .score_count = label_count,
    };
    return codec_explain_answer(call->base.arena, pipeline, inference_attention(pipeline), &answer);
}

/* The arena's memory is the loop's from here on. */
static void explain_stream(TaskCall *call)
{
    InferenceStream *stream = call->base.stream;
    uint64_t bytes = call->base.inference->options.reply_bytes_max;
    stream->parts = (CodecExplainStream){
        .explanations = inference_explanations_of(call, &call->texts[0]),
        .model = text_view(model_name(call->base.model)),
        .answer = explain_answer(call, &call->texts[0]),
        .part_bytes = bytes < CODEC_EXPLAIN_PART_BYTES ? bytes : CODEC_EXPLAIN_PART_BYTES,
    };
    if (stream->parts.answer) {
        rpc_message_wake(call->base.message, &stream->ready);
        return;
    }
    CodecFault fault = {.field = ""};
    error_set(&fault.error, STATUS_NO_MEMORY, "no memory for the answer that is explained");
    inference_call_fail(&call->base, &fault);
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
