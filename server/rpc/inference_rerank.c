/* Rerank: the query with each text is one sequence of a cross-encoder. */
#include "rpc/inference_explanations.h"

#include <stdlib.h>

static Status rerank_read(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    return codec_request_rerank(call->base.arena, wire, size, call->base.inference->options.input_count_max,
                                &call->request.rerank, out_fault);
}

static uint32_t rerank_count(const TaskCall *call)
{
    uint32_t top_n = call->request.rerank.top_n;
    return top_n < call->text_count ? top_n : call->text_count;
}

static TaskSize rerank_size(const TaskCall *call)
{
    return (TaskSize){
        .memory_bytes = codec_reply_rerank_bytes(call->text_count) +
                        call->text_count * (sizeof(CodecRank) + sizeof(CodecChunk)),
    };
}

/* By descending score; equal ones as the request has them. */
static int rank_compare(const void *left, const void *right)
{
    const CodecRank *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* MaxP (Dai and Callan 2019): a text is as good as its best chunk. */
static uint32_t best_job(const TaskCall *call, const TaskText *text)
{
    const float *const *logits = inference_texts_outputs(call, text);
    uint32_t best = 0;
    for (uint32_t i = 1; i < text->job_count; i++) {
        if (*logits[i] > *logits[best]) best = i;
    }
    return best;
}

static CodecRank rank_make(const TaskCall *call, uint32_t index, CodecChunk *chunk)
{
    const CodecRerankRequest *request = &call->request.rerank;
    const TaskText *text = &call->texts[index];
    uint32_t best = best_job(call, text);
    const float *logit = inference_texts_outputs(call, text)[best];
    CodecRank rank = {
        .usage = inference_texts_usage(call, text),
        .report = inference_texts_report(call, text),
        .explanations = inference_explanations_of(call, text),
        .text = text->sources.pair.sent,
        .index = index,
        .score = pipeline_rank(call->base.pipeline, logit, request->raw_scores),
    };
    if (!pipeline_is_cut(&text->whole)) return rank;
    TokenRange tokens = text->whole.chunks.items[best].tokens;
    *chunk = (CodecChunk){pipeline_chunk_range(&text->whole, best), tokens.end - tokens.begin, 1, NULL};
    rank.best = chunk;
    return rank;
}

static Status rerank_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecRerankRequest *request = &call->request.rerank;
    CodecRank *ranks = arena_allocate(call->base.arena, call->text_count * sizeof *ranks);
    CodecChunk *chunks = arena_allocate(call->base.arena, call->text_count * sizeof *chunks);
    if (!ranks || !chunks) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count; i++) ranks[i] = rank_make(call, i, &chunks[i]);
    qsort(ranks, call->text_count, sizeof *ranks, rank_compare);
    if (codec_reply_rerank(call->base.arena, head, ranks, rerank_count(call), request->return_text, out_reply))
        return STATUS_OK;
    return inference_call_no_memory(out_fault);
}

void inference_rerank_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    static const TaskMethod method = {
        .task = TASK_RERANK,
        .read = rerank_read,
        .size = rerank_size,
        .answer = rerank_answer,
    };
    inference_task_start(&method, context, message, wire, size);
}
