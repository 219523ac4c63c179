/* Classify and ClassifyStream. */
#include "pipeline/vote.h"
#include "rpc/inference_explanations.h"

static Status classify_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    return codec_request_classify(call->base.arena, wire, size, call->base.inference->options.input_count_max,
                                  &call->request.classify, out_fault);
}

/* Labels of one text's answer. */
static uint32_t classify_count(const TaskCall *call)
{
    uint32_t label_count = pipeline_label_count(call->base.pipeline);
    uint32_t top_k = call->request.classify.top_k;
    return top_k < label_count ? top_k : label_count;
}

/* On the wire a label has its text, a float, two tags and a size. */
static TaskSize classify_size(const TaskCall *call)
{
    enum { LABEL_WIRE_BYTES_MIN = 7 };
    uint64_t score_count = call->text_count * (uint64_t)classify_count(call);
    uint64_t label_count = pipeline_label_count(call->base.pipeline);
    uint64_t vote_count = inference_texts_votes(call);
    uint64_t report_bytes = vote_count ? codec_report_bytes(call->text_count, 2 * (uint64_t)call->text_count) : 0;
    return (TaskSize){
        .memory_bytes = codec_reply_classify_bytes(call->text_count, score_count) +
                        call->text_count * (label_count * sizeof(LabelScore) + sizeof(CodecClassification)) +
                        (1 + vote_count) * label_count * sizeof(float) + report_bytes,
        .reply_bytes = score_count * LABEL_WIRE_BYTES_MIN,
        .hint = "set top_k",
    };
}

/* The label that the text's masked copies are for, where they are not for its own. */
static Status classify_vote(TaskCall *call, TaskText *text, float *votes, float *logits, Error *out_error)
{
    const Pipeline *pipeline = call->base.pipeline;
    const float *copies[VOTE_COUNT_MAX];
    uint32_t vote_count = inference_texts_votes(call);
    uint32_t label_count = pipeline_label_count(pipeline);
    for (uint32_t i = 0; i < vote_count; i++) {
        float *vote = votes + (size_t)i * label_count;
        const float *const *outputs = inference_texts_outputs(call, text) + (size_t)(i + 1) * text->job_count;
        pipeline_merge_logits(pipeline, &text->whole, outputs, vote);
        copies[i] = vote;
    }
    Sanitized found = {0};
    pipeline_vote(pipeline, copies, vote_count, (uint32_t)text->sources.text.sent.size,
                  call->sanitize.policy == SANITIZE_CLEAN, logits, &found);
    if (found.finding_count == 0) return STATUS_OK;
    return inference_sources_add(&call->base, &text->sources.text, &found.findings[0], out_error);
}

static Status classify_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    const Pipeline *pipeline = call->base.pipeline;
    Arena *arena = call->base.arena;
    uint32_t label_count = pipeline_label_count(pipeline);
    CodecClassification *results = arena_allocate(arena, call->text_count * sizeof *results);
    LabelScore *scores = arena_allocate(arena, (uint64_t)call->text_count * label_count * sizeof *scores);
    float *logits = arena_allocate(arena, label_count * sizeof *logits);
    float *votes = arena_allocate(arena, (uint64_t)inference_texts_votes(call) * label_count * sizeof *votes);
    if (!results || !scores || !logits || !votes) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count; i++, scores += label_count) {
        TaskText *text = &call->texts[i];
        pipeline_merge_logits(pipeline, &text->whole, inference_texts_outputs(call, text), logits);
        if (inference_texts_votes(call)) {
            Status status = classify_vote(call, text, votes, logits, &out_fault->error);
            if (status) return status;
        }
        pipeline_classify(pipeline, logits, call->request.classify.raw_scores, scores);
        results[i] = (CodecClassification){
            .usage = inference_texts_usage(call, text),
            .report = inference_texts_report(call, text),
            .explanations = inference_explanations_of(call, text),
            .scores = scores,
            .score_count = classify_count(call),
        };
    }
    if (codec_reply_classify(arena, head, pipeline, results, call->text_count, out_reply)) return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_classify_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_CLASSIFY,
        .read = classify_read,
        .size = classify_size,
        .answer = classify_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
