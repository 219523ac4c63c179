/* A call's texts become sequences: one each, or one for each chunk of a text that is cut. */
#include "rpc/inference_task.h"

enum { TASK_TOKEN_BYTES = 20, TASK_ENCODING_BYTES = 128 }; /* what an Encoding takes in an arena, at most */

/* The budget of a message is in proportion to its bytes, but a query's tokens are there for each text. */
static Status query_admit(TaskCall *call, Error *out_error)
{
    const CodecInputs *inputs = &call->request.inputs;
    if (inputs->shape != CODEC_SHAPE_PAIRS) return STATUS_OK;
    uint64_t token_count = inputs->texts[0].text.size;
    uint32_t limit = pipeline_token_count_max(call->base.pipeline);
    if (token_count > limit) token_count = limit;
    return inference_call_admit(&call->base,
                                inputs->count * (token_count * TASK_TOKEN_BYTES + TASK_ENCODING_BYTES), out_error);
}

static Status wholes_prepare(TaskCall *call, CodecFault *out_fault)
{
    const CodecInputs *inputs = &call->request.inputs;
    const atomic_bool *cancelled = rpc_message_cancelled(call->base.message);
    for (uint32_t i = 0; i < inputs->count; i++) {
        if (atomic_load_explicit(cancelled, memory_order_relaxed)) {
            return error_set(&out_fault->error, STATUS_CANCELLED, "the client cancelled the request");
        }
        const CodecText *input = &inputs->texts[i];
        TaskText *text = &call->texts[i];
        Status status = pipeline_prepare(call->base.pipeline, input->text, input->has_pair ? &input->pair : NULL,
                                         &inputs->prepare, call->base.arena, &text->whole, &out_fault->error);
        if (status) return inference_input_fault(inputs, i, out_fault);
        text->first_job = call->job_count;
        text->job_count = pipeline_is_cut(&text->whole) ? text->whole.chunks.count : 1;
        call->job_count += text->job_count;
    }
    return STATUS_OK;
}

/* Chunks overlap and each repeats a query or a prompt, so they may pass the budget of a message. */
static Status chunks_admit(TaskCall *call, Error *out_error)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < call->text_count; i++) {
        if (pipeline_is_cut(&call->texts[i].whole)) bytes += pipeline_chunk_bytes(&call->texts[i].whole);
    }
    if (bytes == 0) return STATUS_OK;
    return inference_call_admit(&call->base, bytes + call->job_count * (uint64_t)sizeof *call->prepared,
                                out_error);
}

static Status chunks_prepare(TaskCall *call, uint32_t index, CodecFault *out_fault)
{
    const TaskText *text = &call->texts[index];
    Prepared *prepared = call->prepared + text->first_job;
    if (!pipeline_is_cut(&text->whole)) {
        *prepared = text->whole;
        return STATUS_OK;
    }
    const CodecInputs *inputs = &call->request.inputs;
    for (uint32_t i = 0; i < text->job_count; i++) {
        Status status = pipeline_chunk(call->base.pipeline, &inputs->prepare, &text->whole, i, call->base.arena,
                                       &prepared[i], &out_fault->error);
        if (status) return inference_input_fault(inputs, index, out_fault);
    }
    return STATUS_OK;
}

Status inference_texts_prepare(TaskCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.inputs.count;
    Arena *arena = call->base.arena;
    /* The arena's budget bounds what a client's bytes can cost. What we spend on the answer is bounded elsewhere:
     * here by the count of texts, then by chunks_admit and TaskSize. */
    arena->budget_bytes += count * (sizeof *call->texts + sizeof *call->prepared) + 64 * KIB;
    Status status = query_admit(call, &out_fault->error);
    if (status) return status;
    call->text_count = count;
    call->texts = arena_allocate_zeroed(arena, count, sizeof *call->texts);
    if (!call->texts) return inference_call_no_memory(out_fault);
    status = wholes_prepare(call, out_fault);
    if (!status) status = chunks_admit(call, &out_fault->error);
    if (status) return status;
    call->prepared = arena_allocate_zeroed(arena, call->job_count, sizeof *call->prepared);
    if (!call->prepared) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < count && !status; i++) status = chunks_prepare(call, i, out_fault);
    return status;
}

CodecUsage inference_texts_usage(const TaskCall *call, const TaskText *text)
{
    CodecUsage usage = {
        .text_token_count = text->whole.encoding.text_token_count,
        .chunk_count = text->job_count,
        .truncated = text->whole.encoding.truncated,
        .chunked = text->job_count > 1 || pipeline_is_cut(&text->whole),
    };
    for (uint32_t i = 0; i < text->job_count; i++) {
        usage.token_count += call->prepared[text->first_job + i].encoding.count;
    }
    return usage;
}
