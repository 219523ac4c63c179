/* TagTokens: the entities of each text. */
#include "rpc/inference_explanations.h"

enum {
    TAG_TOKEN_BYTES_MAX =
        2 * sizeof(Entity), /* what pipeline_tag takes of the arena a token, a label and a text */
    TAG_LABEL_BYTES_MAX = 2 * 12,
    TAG_TEXT_BYTES_MAX = 256,
};

static Status tag_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    return codec_request_tag(call->base.arena, wire, size, call->base.inference->options.input_count_max,
                             &call->request.tag, out_fault);
}

/* No text has more entities than tokens. */
static TaskSize tag_size(const TaskCall *call)
{
    uint64_t token_count = 0;
    for (uint32_t i = 0; i < call->text_count; i++) token_count += call->texts[i].whole.encoding.count;
    uint64_t text_bytes = sizeof(CodecTagging) + TAG_TEXT_BYTES_MAX +
                          (uint64_t)pipeline_label_count(call->base.pipeline) * TAG_LABEL_BYTES_MAX;
    return (TaskSize){
        .memory_bytes = codec_reply_tag_bytes(call->text_count, token_count) + call->text_count * text_bytes +
                        token_count * TAG_TOKEN_BYTES_MAX,
    };
}

static Status tag_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    Arena *arena = call->base.arena;
    const CodecInputs *inputs = &call->request.inputs;
    CodecTagging *results = arena_allocate(arena, call->text_count * sizeof *results);
    if (!results) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        Entity *entities = NULL;
        uint32_t count = 0;
        Status status = pipeline_tag(call->base.pipeline, &text->whole, text->sources.text.text,
                                     inference_texts_outputs(call, text), call->request.tag.aggregation, arena,
                                     &entities, &count, &out_fault->error);
        if (status) return codec_request_fault(inputs, i, false, out_fault);
        results[i] = (CodecTagging){
            .usage = inference_texts_usage(call, text),
            .report = inference_texts_report(call, text),
            .explanations = inference_explanations_of(call, text),
            .text = text->sources.text.sent,
            .entities = entities,
            .entity_count = count,
        };
    }
    if (codec_reply_tag(arena, head, results, call->text_count, out_reply)) return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_tag_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_TAG,
        .read = tag_read,
        .size = tag_size,
        .answer = tag_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
