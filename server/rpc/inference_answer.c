/* Answer: one question, one context, in as many windows as the context needs. */
#include "rpc/inference_explanations.h"

#include <stdio.h>

/* Windows overlap and each repeats the question, so their tokens may pass the budget of a message: by 1,000 windows of
 * 512 tokens. Admitted once they are there; until then, only one call a thread has them. */
#define ANSWER_WINDOWS_BYTES_MAX (8 * MIB)

/* What pipeline_answer takes of the arena a byte of the context, a token of the longest window, and a candidate of
 * each: twice top_k and some. */
enum {
    ANSWER_CONTEXT_BYTES_MAX = 8,
    ANSWER_TOKEN_BYTES_MAX = 256,
    ANSWER_CANDIDATE_BYTES_MAX = 64,
    ANSWER_SPARE_CANDIDATES_MAX = 16,
};

static Status answer_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    return codec_request_answer(call->base.arena, wire, size, &call->request.answer, out_fault);
}

static Status context_prepare(TaskCall *call, CodecFault *out_fault)
{
    SourcesDraft draft = {0};
    InferenceCall *base = &call->base;
    TaskText *text = &call->texts[0];
    const CodecInputs *inputs = &call->request.inputs;
    Status status = inference_sources_read(base, base->pipeline, TASK_ANSWER, &call->sanitize, inputs, 0, NULL,
                                           &draft, &text->sources, out_fault);
    if (status) return status;
    const CodecText read = inference_sources_input(&text->sources);
    status = pipeline_prepare_answer(base->pipeline, read.text, read.pair, &inputs->prepare, base->arena,
                                     &text->whole, &call->prepared, &call->job_count, &out_fault->error);
    if (status) return inference_input_fault(inputs, 0, &read, out_fault);
    text->job_count = call->job_count;
    text->sequence_count = call->job_count;
    if (call->sanitize.policy != SANITIZE_OFF) {
        for (uint32_t i = 0; i < call->job_count; i++)
            pipeline_set_origin(&call->prepared[i], &draft.text, &draft.pair);
    }
    status = inference_texts_finish(call, 0, &draft, out_fault);
    call->sanitize_ns = draft.spent_ns;
    return status;
}

/* A long context is read whole, in windows, as transformers does, unless the client wants it refused. Windows may be
 * shorter than what the model takes: their count does not tell. */
Status inference_windows_prepare(TaskCall *call, CodecFault *out_fault)
{
    const CodecInputs *inputs = &call->request.inputs;
    InferenceCall *base = &call->base;
    base->arena->budget_bytes += ANSWER_WINDOWS_BYTES_MAX;
    call->texts = arena_allocate_zeroed(base->arena, 1, sizeof *call->texts);
    if (!call->texts) return inference_call_no_memory(out_fault);
    call->text_count = 1;
    Status status = context_prepare(call, out_fault);
    if (status) return status;
    uint32_t token_count = call->texts[0].whole.encoding.text_token_count;
    uint32_t limit = pipeline_token_count_max(base->pipeline);
    if (token_count <= limit || inputs->prepare.length_policy != LENGTH_REFUSE) return STATUS_OK;
    snprintf(out_fault->field, sizeof out_fault->field, "context");
    return error_set(
        &out_fault->error, STATUS_INVALID_ARGUMENT,
        "question and context have %u tokens, the model's limit is %u: with options.length_policy AUTO "
        "they are read in overlapping windows",
        token_count, limit);
}

static TaskSize answer_size(const TaskCall *call)
{
    uint32_t top_k = call->request.answer.options.top_k;
    uint64_t candidate_count = call->job_count * (2 * (uint64_t)top_k + ANSWER_SPARE_CANDIDATES_MAX);
    uint64_t token_count = pipeline_token_count_max(call->base.pipeline);
    return (TaskSize){
        .memory_bytes = codec_reply_answer_bytes(top_k) +
                        call->texts[0].sources.pair.text.size * ANSWER_CONTEXT_BYTES_MAX +
                        token_count * ANSWER_TOKEN_BYTES_MAX + candidate_count * ANSWER_CANDIDATE_BYTES_MAX,
    };
}

static Status answer_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    InferenceCall *base = &call->base;
    const TaskText *text = &call->texts[0];
    CodecAnswers answers = {
        .usage = inference_texts_usage(call, text),
        .report = inference_texts_report(call, text),
        .explanations = inference_explanations_of(call, text),
        .context = text->sources.pair.sent,
    };
    AnswerScore *scores = NULL;
    if (pipeline_answer(call->prepared, call->outputs, call->job_count, text->sources.pair.text,
                        &call->request.answer.options, base->arena, &scores, &answers.answer_count,
                        &out_fault->error)) {
        return out_fault->error.status;
    }
    answers.answers = scores;
    if (codec_reply_answer(base->arena, head, &answers, out_reply)) return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_answer_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_ANSWER,
        .read = answer_read,
        .prepare = inference_windows_prepare,
        .size = answer_size,
        .answer = answer_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
