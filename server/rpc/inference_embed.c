/* Embed and EmbedStream. */
#include "rpc/inference_task.h"

#include <stdio.h>

static Status embed_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    call->embed = &call->request.embed.embed;
    return codec_request_embed(call->base.arena, wire, size, call->base.inference->options.input_count_max,
                               &call->request.embed, out_fault);
}

static Status field_fault(CodecFault *fault, const char *field)
{
    snprintf(fault->field, sizeof fault->field, "%s", field);
    return fault->error.status;
}

static Status embed_check(TaskCall *call, CodecFault *out_fault)
{
    TextView prompt_name = call->request.inputs.prepare.prompt_name;
    if (pipeline_check_prompt(call->base.pipeline, prompt_name, &out_fault->error))
        return field_fault(out_fault, "prompt_name");
    if (pipeline_check_embed(call->base.pipeline, call->embed, &out_fault->error))
        return field_fault(out_fault, "dimensions");
    return STATUS_OK;
}

static CodecVectors embed_vectors(const TaskCall *call)
{
    uint32_t dimensions = call->embed->dimensions;
    return (CodecVectors){
        .size = dimensions ? dimensions : pipeline_vector_size(call->base.pipeline),
        .row_size = pipeline_row_size(call->base.pipeline),
        .sparse = pipeline_is_sparse(call->base.pipeline),
    };
}

static TaskSize embed_size(const TaskCall *call)
{
    const CodecVectors vectors = embed_vectors(call);
    bool return_tokens = call->embed->return_tokens;
    uint64_t row_count = 0;
    for (uint32_t i = 0; return_tokens && i < call->job_count; i++) row_count += call->prepared[i].encoding.count;
    uint64_t value_count = row_count * vectors.row_size;
    if (!vectors.sparse) value_count += call->job_count * (uint64_t)vectors.size;
    return (TaskSize){
        .memory_bytes = codec_reply_embed_bytes(&vectors, call->job_count, row_count) +
                        call->job_count * sizeof(PipelineItem *),
        .reply_bytes = value_count * sizeof(float),
        .hint = return_tokens ? "leave out return_token_embeddings" : NULL,
    };
}

static Status embed_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecVectors vectors = embed_vectors(call);
    const PipelineItem **items = arena_allocate(call->base.arena, call->job_count * sizeof *items);
    if (!items) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->job_count; i++) items[i] = &call->jobs[i].item;
    if (codec_reply_embed(call->base.arena, head, &vectors, items, call->job_count, out_reply)) return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_embed_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_EMBED,
        .read = embed_read,
        .check = embed_check,
        .size = embed_size,
        .answer = embed_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
