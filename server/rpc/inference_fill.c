/* FillMask: candidates for each mask token of a text. */
#include "rpc/inference_explanations.h"

static Status fill_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    return codec_request_fill(call->base.arena, wire, size, call->base.inference->options.input_count_max,
                              &call->request.fill, out_fault);
}

/* Who asks for more than the vocabulary has gets all of it. */
static Status fill_check(TaskCall *call, CodecFault *out_fault)
{
    (void)out_fault;
    uint32_t vocabulary_size = checkpoint_config(pipeline_checkpoint(call->base.pipeline))->vocabulary_size;
    uint32_t top_k = call->request.fill.top_k;
    call->fill_count = top_k < vocabulary_size ? top_k : vocabulary_size;
    return STATUS_OK;
}

static uint64_t mask_count(const TaskCall *call)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < call->text_count; i++) count += call->texts[i].whole.mask_count;
    return count;
}

/* On the wire a candidate has its id, a float, three tags and two sizes. */
static TaskSize fill_size(const TaskCall *call)
{
    enum { FILL_WIRE_BYTES_MIN = 9 };
    uint64_t masks = mask_count(call);
    return (TaskSize){
        .memory_bytes = codec_reply_fill_bytes(call->text_count, masks, call->fill_count) +
                        call->text_count * sizeof(CodecFill) + masks * sizeof(FillScore *),
        .reply_bytes = masks * call->fill_count * FILL_WIRE_BYTES_MIN,
        .hint = "set a smaller top_k",
    };
}

/* Each mask's candidates, as the chunk has them in which it stands farthest from a border. */
static void masks_collect(const TaskCall *call, const TaskText *text, const FillScore **out_masks)
{
    uint32_t mask_id = tokenizer_mask_id(pipeline_tokenizer(call->base.pipeline));
    const Encoding *encoding = &text->whole.encoding;
    ChunkPlace place = {0, 0};
    const TaskJob *job = NULL;
    uint32_t row = 0;    /* of the job's encoding; */
    uint64_t before = 0; /* masks in front of it */
    for (uint32_t token = 0; token < encoding->count; token++) {
        if (encoding->ids[token] != mask_id) continue;
        place = pipeline_chunk_place(&text->whole, token, place.chunk);
        const TaskJob *at = &call->jobs[text->first_job + place.chunk];
        if (at != job) {
            row = 0;
            before = 0;
        }
        job = at;
        for (; row < place.row; row++) before += job->item.prepared->encoding.ids[row] == mask_id;
        *out_masks++ = job->item.fills + before * call->fill_count;
    }
}

/* The candidates' texts are known only now. */
static Status texts_admit(TaskCall *call, const CodecFill *results, Error *out_error)
{
    const Tokenizer *tokenizer = pipeline_tokenizer(call->base.pipeline);
    uint64_t bytes = codec_reply_fill_bytes(call->text_count, mask_count(call), call->fill_count);
    for (uint32_t i = 0; i < call->text_count; i++)
        for (uint32_t mask = 0; mask < results[i].mask_count; mask++)
            for (uint32_t fill = 0; fill < call->fill_count; fill++)
                bytes += codec_reply_fill_text_bytes(tokenizer, results[i].masks[mask][fill].token_id);
    return inference_call_admit(&call->base, bytes, out_error);
}

static Status fill_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    Arena *arena = call->base.arena;
    CodecFill *results = arena_allocate(arena, call->text_count * sizeof *results);
    const FillScore **masks = arena_allocate(arena, mask_count(call) * sizeof *masks);
    if (!results || !masks) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        masks_collect(call, text, masks);
        results[i] = (CodecFill){
            .usage = inference_texts_usage(call, text),
            .report = inference_texts_report(call, text),
            .explanations = inference_explanations_of(call, text),
            .masks = masks,
            .mask_count = text->whole.mask_count,
            .fill_count = call->fill_count,
        };
        masks += text->whole.mask_count;
    }
    if (texts_admit(call, results, &out_fault->error)) return out_fault->error.status;
    const Tokenizer *tokenizer = pipeline_tokenizer(call->base.pipeline);
    if (codec_reply_fill(arena, head, tokenizer, results, call->text_count, out_reply)) return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_fill_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_FILL,
        .read = fill_read,
        .check = fill_check,
        .size = fill_size,
        .answer = fill_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
