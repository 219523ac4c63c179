#include "rpc/codec_reply.h"

#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_reply_parts.h"

size_t codec_reply_size(CodecReply reply)
{
    return protobuf_c_message_get_packed_size(reply.message);
}

void codec_reply_pack(void *message, uint8_t *buffer)
{
    protobuf_c_message_pack(message, buffer);
}

uint64_t codec_reply_embed_bytes(const CodecVectors *vectors, uint32_t count, uint64_t row_count,
                                 uint64_t chunk_count)
{
    uint64_t index_count = vectors->sparse ? vectors->size : 0;
    return codec_parts_bytes(count, sizeof(Headlight__V1__Embedding) + sizeof(Headlight__V1__SparseVector),
                             row_count, sizeof(Headlight__V1__Vector)) +
           codec_parts_bytes(count, 0, chunk_count,
                             sizeof(Headlight__V1__Vector) + sizeof(Headlight__V1__ChunkSpan) + sizeof(void *)) +
           CODEC_CHUNK_FACTOR * count * index_count * sizeof(uint32_t);
}

static bool tokens_build(Arena *arena, const CodecEmbedding *from, uint32_t row_size,
                         Headlight__V1__Embedding *out_embedding)
{
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->row_count, sizeof(Headlight__V1__Vector), &storage);
    if (!list) return false;
    Headlight__V1__Vector *vectors = (Headlight__V1__Vector *)storage;
    for (uint32_t i = 0; i < from->row_count; i++) {
        headlight__v1__vector__init(&vectors[i]);
        vectors[i].n_values = row_size;
        vectors[i].values = from->rows[i];
    }
    out_embedding->n_tokens = from->row_count;
    out_embedding->tokens = (Headlight__V1__Vector **)list;
    return true;
}

static bool chunk_spans_build(Arena *arena, const CodecEmbedding *from, Headlight__V1__Embedding *out_embedding)
{
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->chunk_count, sizeof(Headlight__V1__ChunkSpan), &storage);
    if (!list) return false;
    out_embedding->n_chunk_spans = from->chunk_count;
    out_embedding->chunk_spans = (Headlight__V1__ChunkSpan **)list;
    for (uint32_t i = 0; i < from->chunk_count; i++) {
        codec_span_init(&from->chunks[i], from->text, out_embedding->chunk_spans[i]);
    }
    return true;
}

static bool chunks_build(Arena *arena, const CodecEmbedding *from, uint32_t size,
                         Headlight__V1__Embedding *out_embedding)
{
    if (!chunk_spans_build(arena, from, out_embedding)) return false;
    if (!from->chunks[0].values) return true;
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->chunk_count, sizeof(Headlight__V1__Vector), &storage);
    if (!list) return false;
    out_embedding->n_chunks = from->chunk_count;
    out_embedding->chunks = (Headlight__V1__Vector **)list;
    for (uint32_t i = 0; i < from->chunk_count; i++) {
        headlight__v1__vector__init(out_embedding->chunks[i]);
        out_embedding->chunks[i]->n_values = size;
        out_embedding->chunks[i]->values = from->chunks[i].values;
    }
    return true;
}

/* The entries of `values` [size] that are not 0 move to its front. */
static bool sparse_build(Arena *arena, float *values, uint32_t size, Headlight__V1__Embedding *out_embedding)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < size; i++) count += values[i] != 0;
    Headlight__V1__SparseVector *sparse = arena_allocate(arena, sizeof *sparse);
    uint32_t *indices = arena_allocate(arena, count * sizeof *indices);
    if (!sparse || !indices) return false;
    headlight__v1__sparse_vector__init(sparse);
    for (uint32_t i = 0; i < size; i++) {
        if (values[i] == 0) continue;
        indices[sparse->n_indices] = i;
        values[sparse->n_indices++] = values[i];
    }
    sparse->indices = indices;
    sparse->n_values = count;
    sparse->values = values;
    out_embedding->sparse = sparse;
    return true;
}

static bool embedding_build(Arena *arena, const CodecHead *head, const CodecVectors *vectors,
                            const CodecEmbedding *from, Headlight__V1__Embedding *out_embedding)
{
    headlight__v1__embedding__init(out_embedding);
    out_embedding->usage = codec_usage_build(arena, &from->usage, head->attention);
    out_embedding->sanitization = codec_report_build(arena, &from->report);
    if (!out_embedding->usage || !out_embedding->sanitization) return false;
    if (vectors->sparse) {
        if (!sparse_build(arena, from->values, vectors->size, out_embedding)) return false;
    } else {
        out_embedding->n_values = vectors->size;
        out_embedding->values = from->values;
    }
    if (!codec_explanations_build(arena, &from->explanations, &out_embedding->n_explanations,
                                  &out_embedding->explanations))
        return false;
    if (from->row_count && !tokens_build(arena, from, vectors->row_size, out_embedding)) return false;
    return from->chunk_count == 0 || chunks_build(arena, from, vectors->size, out_embedding);
}

bool codec_reply_embed(Arena *arena, const CodecHead *head, const CodecVectors *vectors,
                       const CodecEmbedding *embeddings, uint32_t count, CodecReply *out_reply)
{
    Headlight__V1__EmbedResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Embedding), &storage);
    if (!response || !list) return false;
    headlight__v1__embed_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->n_embeddings = count;
    response->embeddings = (Headlight__V1__Embedding **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!embedding_build(arena, head, vectors, &embeddings[i], response->embeddings[i])) return false;
    }
    out_reply->message = response;
    return response->timing != NULL;
}

uint64_t codec_reply_tokenize_bytes(uint32_t count, uint64_t token_count)
{
    return codec_parts_bytes(count, sizeof(Headlight__V1__Tokenization), token_count,
                             sizeof(Headlight__V1__ExplainedToken));
}

static bool tokenization_build(Arena *arena, const Tokenizer *tokenizer, const Encoding *encoding,
                               Headlight__V1__Tokenization *out_tokenization)
{
    char *storage = NULL;
    void **list = codec_list_allocate(arena, encoding->count, sizeof(Headlight__V1__ExplainedToken), &storage);
    if (!list) return false;
    Headlight__V1__ExplainedToken *tokens = (Headlight__V1__ExplainedToken *)storage;
    for (uint32_t i = 0; i < encoding->count; i++)
        codec_token_init(tokenizer, encoding, i, encoding->offsets[i], &tokens[i]);
    headlight__v1__tokenization__init(out_tokenization);
    out_tokenization->n_tokens = encoding->count;
    out_tokenization->tokens = (Headlight__V1__ExplainedToken **)list;
    return true;
}

bool codec_reply_tokenize(Arena *arena, const Tokenizer *tokenizer, const Encoding *encodings, uint32_t count,
                          CodecReply *out_reply)
{
    Headlight__V1__TokenizeResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Tokenization), &storage);
    if (!response || !list) return false;
    headlight__v1__tokenize_response__init(response);
    response->n_tokenizations = count;
    response->tokenizations = (Headlight__V1__Tokenization **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!tokenization_build(arena, tokenizer, &encodings[i], response->tokenizations[i])) return false;
    }
    out_reply->message = response;
    return true;
}

bool codec_reply_detokenize(Arena *arena, TextView text, CodecReply *out_reply)
{
    Headlight__V1__DetokenizeResponse *response = arena_allocate(arena, sizeof *response);
    if (!response) return false;
    headlight__v1__detokenize_response__init(response);
    response->text = codec_data_of(text);
    out_reply->message = response;
    return true;
}
