/* Embed and EmbedStream. */
#include "rpc/inference_explanations.h"

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
    if (pipeline_check_chunk_vectors(call->base.pipeline, &call->request.inputs.prepare, &out_fault->error))
        return field_fault(out_fault, "return_chunk_embeddings");
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

static uint32_t row_count(const TaskCall *call, const TaskText *text)
{
    return call->embed->return_tokens ? text->whole.encoding.count : 0;
}

static TaskSize embed_size(const TaskCall *call)
{
    const CodecVectors vectors = embed_vectors(call);
    const EmbedOptions *options = call->embed;
    uint64_t rows = 0;
    uint64_t chunks = 0;
    uint64_t cut_count = 0;
    for (uint32_t i = 0; i < call->text_count; i++) {
        rows += row_count(call, &call->texts[i]);
        chunks += call->texts[i].whole.chunks.count;
        cut_count += pipeline_is_cut(&call->texts[i].whole);
    }
    uint64_t value_count = rows * vectors.row_size;
    if (!vectors.sparse) value_count += call->text_count * (uint64_t)vectors.size;
    if (options->return_chunks) value_count += chunks * vectors.size;
    return (TaskSize){
        .memory_bytes = codec_reply_embed_bytes(&vectors, call->text_count, rows, chunks) +
                        call->text_count * (sizeof(CodecEmbedding) + 128) + rows * sizeof(float *) +
                        chunks * (sizeof(CodecChunk) + sizeof(float)) + cut_count * vectors.size * sizeof(float),
        .reply_bytes = value_count * sizeof(float),
        .hint = options->return_tokens   ? "leave out return_token_embeddings"
                : options->return_chunks ? "leave out return_chunk_embeddings"
                                         : NULL,
    };
}

/* Each token's row as the chunk has it in which it stands farthest from a border. */
static bool rows_collect(const TaskCall *call, const TaskText *text, uint32_t row_size, CodecEmbedding *embedding)
{
    uint32_t count = row_count(call, text);
    float **rows = arena_allocate(call->base.arena, count * sizeof *rows);
    if (!rows) return false;
    ChunkPlace place = {0, 0};
    for (uint32_t token = 0; token < count; token++) {
        place = pipeline_chunk_place(&text->whole, token, place.chunk);
        rows[token] = call->jobs[text->first_job + place.chunk].item.tokens + (size_t)place.row * row_size;
    }
    embedding->rows = rows;
    embedding->row_count = count;
    return true;
}

/* Vector, chunks and their weights, of a text that was cut or whose chunks were pooled of its rows. */
static bool chunks_collect(const TaskCall *call, const TaskText *text, uint32_t size, CodecEmbedding *embedding)
{
    const Prepared *whole = &text->whole;
    uint32_t count = whole->chunks.count;
    Arena *arena = call->base.arena;
    bool cut = pipeline_is_cut(whole);
    CodecChunk *chunks = arena_allocate_zeroed(arena, count, sizeof *chunks);
    float *weights = arena_allocate(arena, count * sizeof *weights);
    if (cut) embedding->values = arena_allocate(arena, size * sizeof *embedding->values);
    if (!chunks || !weights || !embedding->values) return false;
    if (cut) {
        pipeline_merge_vectors(call->base.pipeline, call->embed, call->request.inputs.prepare.chunking.aggregate,
                               whole, inference_texts_outputs(call, text), weights, embedding->values);
    } else {
        pipeline_chunk_weights(whole, weights);
    }
    const TaskJob *job = &call->jobs[text->first_job];
    for (uint32_t i = 0; i < count; i++) {
        TokenRange tokens = whole->chunks.items[i].tokens;
        chunks[i] = (CodecChunk){pipeline_chunk_range(whole, i), tokens.end - tokens.begin, weights[i], NULL};
        if (!call->embed->return_chunks) continue;
        chunks[i].values = cut ? job[i].item.output : job->item.chunks + (size_t)i * size;
    }
    embedding->chunks = chunks;
    embedding->chunk_count = count;
    return true;
}

static Status embed_answer(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault)
{
    const CodecVectors vectors = embed_vectors(call);
    CodecEmbedding *embeddings = arena_allocate_zeroed(call->base.arena, call->text_count, sizeof *embeddings);
    if (!embeddings) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < call->text_count; i++) {
        const TaskText *text = &call->texts[i];
        embeddings[i].usage = inference_texts_usage(call, text);
        embeddings[i].report = inference_texts_report(call, text);
        embeddings[i].explanations = inference_explanations_of(call, text);
        embeddings[i].text = text->whole.chunks.of_pair ? text->sources.pair.sent : text->sources.text.sent;
        embeddings[i].values = call->jobs[text->first_job].item.output;
        if (row_count(call, text) && !rows_collect(call, text, vectors.row_size, &embeddings[i]))
            return inference_call_no_memory(out_fault);
        if (text->whole.chunks.count && !chunks_collect(call, text, vectors.size, &embeddings[i]))
            return inference_call_no_memory(out_fault);
    }
    if (codec_reply_embed(call->base.arena, head, &vectors, embeddings, call->text_count, out_reply))
        return STATUS_OK;
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
