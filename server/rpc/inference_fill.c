/* FillMask: candidates for each mask token of a text. */
#include "rpc/inference_task.h"

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
    for (uint32_t i = 0; i < call->job_count; i++) count += call->prepared[i].mask_count;
    return count;
}

/* On the wire a candidate has its id, a float, three tags and two sizes. */
static TaskSize fill_size(const TaskCall *call)
{
    enum { FILL_WIRE_BYTES_MIN = 9 };
    uint64_t masks = mask_count(call);
    return (TaskSize){
        .memory_bytes =
            codec_reply_fill_bytes(call->job_count, masks, call->fill_count) + call->job_count * sizeof(CodecFill),
        .reply_bytes = masks * call->fill_count * FILL_WIRE_BYTES_MIN,
        .hint = "set a smaller top_k",
    };
}

/* The candidates' texts are known only now. */
static Status texts_admit(TaskCall *call, Error *out_error)
{
    const Tokenizer *tokenizer = pipeline_tokenizer(call->base.pipeline);
    uint64_t bytes = codec_reply_fill_bytes(call->job_count, mask_count(call), call->fill_count);
    for (uint32_t i = 0; i < call->job_count; i++) {
        uint64_t count = (uint64_t)call->prepared[i].mask_count * call->fill_count;
        const FillScore *fills = call->jobs[i].item.fills;
        for (uint64_t fill = 0; fill < count; fill++)
            bytes += codec_reply_fill_text_bytes(tokenizer, fills[fill].token_id);
    }
    return inference_call_admit(&call->base, bytes, out_error);
}

static Status fill_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    Arena *arena = call->base.arena;
    if (texts_admit(call, &out_fault->error)) return out_fault->error.status;
    CodecFill *results = arena_allocate(arena, call->job_count * sizeof *results);
    if (!results) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->job_count; i++) {
        const Prepared *prepared = &call->prepared[i];
        results[i] =
            (CodecFill){&prepared->encoding, call->jobs[i].item.fills, prepared->mask_count, call->fill_count};
    }
    const Tokenizer *tokenizer = pipeline_tokenizer(call->base.pipeline);
    if (codec_reply_fill(arena, head, tokenizer, results, call->job_count, out_reply)) return STATUS_OK;
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
