#include "rpc/codec_reply.h"

#include "headlight/v1/headlight.pb-c.h"

/* The whole EmbedResponse is a few arrays in the arena, made before the jobs are submitted. */
typedef struct EmbedReply {
    Headlight__V1__EmbedResponse response; /* first: a reply's message is its address */
    Headlight__V1__Timing timing;
} EmbedReply;

static bool embedding_build(Arena *arena, const PipelineItem *item, uint32_t value_count, uint32_t row_size,
                            Headlight__V1__Embedding *out_embedding);

/* Each allocation of the arena is rounded up to 16 bytes, and its chunks may be left half empty. */
enum { ROUNDING_BYTES = 16, CHUNK_FACTOR = 2 };

static ProtobufCBinaryData data_of(TextView text)
{
    return (ProtobufCBinaryData){text.size, (uint8_t *)text.bytes};
}

size_t codec_reply_size(CodecReply reply)
{
    return protobuf_c_message_get_packed_size(reply.message);
}

void codec_reply_pack(void *message, uint8_t *buffer)
{
    protobuf_c_message_pack(message, buffer);
}

/* An array of `count` zeroed items of `size` and an array of pointers to them, as protobuf-c wants repeated
 * messages. */
static void **list_allocate(Arena *arena, size_t count, size_t size, char **out_items)
{
    char *items = arena_allocate_zeroed(arena, count, size);
    void **pointers = arena_allocate_zeroed(arena, count, sizeof *pointers);
    if (!items || !pointers) return NULL;
    for (size_t i = 0; i < count; i++) pointers[i] = items + i * size;
    *out_items = items;
    return pointers;
}

uint64_t codec_reply_embed_bytes(uint32_t count, uint64_t row_count)
{
    uint64_t each = sizeof(Headlight__V1__Embedding) + sizeof(Headlight__V1__Usage) + sizeof(void *);
    uint64_t row = sizeof(Headlight__V1__Vector) + sizeof(void *);
    return CHUNK_FACTOR * (sizeof(EmbedReply) + count * (each + 4 * ROUNDING_BYTES) + row_count * row);
}

bool codec_reply_embed(Arena *arena, TextView model, const PipelineItem *const *items, uint32_t count,
                       uint32_t vector_size, uint32_t row_size, CodecReply *out_reply)
{
    EmbedReply *reply = arena_allocate(arena, sizeof *reply);
    char *storage = NULL;
    void **list = list_allocate(arena, count, sizeof(Headlight__V1__Embedding), &storage);
    if (!reply || !list) return false;
    headlight__v1__embed_response__init(&reply->response);
    headlight__v1__timing__init(&reply->timing);
    reply->response.model = data_of(model);
    reply->response.timing = &reply->timing;
    reply->response.n_embeddings = count;
    reply->response.embeddings = (Headlight__V1__Embedding **)list;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value_count = items[i]->embed->dimensions ? items[i]->embed->dimensions : vector_size;
        if (!embedding_build(arena, items[i], value_count, row_size, reply->response.embeddings[i])) return false;
    }
    out_reply->message = reply;
    return true;
}

static bool tokens_build(Arena *arena, const PipelineItem *item, uint32_t row_size,
                         Headlight__V1__Embedding *out_embedding)
{
    uint32_t count = item->prepared->encoding.count;
    char *storage = NULL;
    void **list = list_allocate(arena, count, sizeof(Headlight__V1__Vector), &storage);
    if (!list) return false;
    Headlight__V1__Vector *vectors = (Headlight__V1__Vector *)storage;
    for (uint32_t i = 0; i < count; i++) {
        headlight__v1__vector__init(&vectors[i]);
        vectors[i].n_values = row_size;
        vectors[i].values = item->tokens + (size_t)i * row_size;
    }
    out_embedding->n_tokens = count;
    out_embedding->tokens = (Headlight__V1__Vector **)list;
    return true;
}

static bool embedding_build(Arena *arena, const PipelineItem *item, uint32_t value_count, uint32_t row_size,
                            Headlight__V1__Embedding *out_embedding)
{
    Headlight__V1__Usage *usage = arena_allocate(arena, sizeof *usage);
    if (!usage) return false;
    headlight__v1__usage__init(usage);
    usage->token_count = item->prepared->encoding.count;
    usage->text_token_count = item->prepared->encoding.text_token_count;
    usage->truncated = item->prepared->encoding.truncated;
    usage->chunk_count = 1;
    usage->attention = data_of(text_view("dense"));
    headlight__v1__embedding__init(out_embedding);
    out_embedding->n_values = value_count;
    out_embedding->values = item->output;
    out_embedding->usage = usage;
    return !item->embed->return_tokens || tokens_build(arena, item, row_size, out_embedding);
}

void codec_reply_embed_timing(CodecReply reply, const CodecTiming *timing)
{
    Headlight__V1__Timing *message = &((EmbedReply *)reply.message)->timing;
    message->queue_ns = timing->queue_ns;
    message->tokenize_ns = timing->tokenize_ns;
    message->compute_ns = timing->compute_ns;
    message->total_ns = timing->total_ns;
    message->batch_sequences = timing->batch_sequences;
    message->batch_tokens = timing->batch_tokens;
}

uint64_t codec_reply_tokenize_bytes(uint32_t count, uint64_t token_count)
{
    uint64_t each = sizeof(Headlight__V1__Tokenization) + sizeof(void *) + 4 * ROUNDING_BYTES;
    uint64_t token = sizeof(Headlight__V1__ExplainedToken) + sizeof(void *);
    return CHUNK_FACTOR * (sizeof(Headlight__V1__TokenizeResponse) + count * each + token_count * token);
}

static bool tokenization_build(Arena *arena, const Tokenizer *tokenizer, const Encoding *encoding,
                               Headlight__V1__Tokenization *out_tokenization)
{
    char *storage = NULL;
    void **list = list_allocate(arena, encoding->count, sizeof(Headlight__V1__ExplainedToken), &storage);
    if (!list) return false;
    Headlight__V1__ExplainedToken *tokens = (Headlight__V1__ExplainedToken *)storage;
    for (uint32_t i = 0; i < encoding->count; i++) {
        headlight__v1__explained_token__init(&tokens[i]);
        tokens[i].id = encoding->ids[i];
        tokens[i].text = data_of(tokenizer_token_text(tokenizer, encoding->ids[i]));
        tokens[i].byte_begin = encoding->offsets[i].begin;
        tokens[i].byte_end = encoding->offsets[i].end;
        tokens[i].special = tokenizer_token_special(tokenizer, encoding->ids[i]);
        tokens[i].segment = encoding->segments[i] == ENCODING_SEGMENT_NONE ? 0 : encoding->segments[i];
    }
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
    void **list = list_allocate(arena, count, sizeof(Headlight__V1__Tokenization), &storage);
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
    response->text = data_of(text);
    out_reply->message = response;
    return true;
}

typedef struct ModelReply {
    Headlight__V1__ModelInfo info; /* first: a list's items are their addresses */
    ProtobufCBinaryData tasks[1];
} ModelReply;

static void model_build(const CodecModel *model, ModelReply *out_model)
{
    Headlight__V1__ModelInfo *info = &out_model->info;
    headlight__v1__model_info__init(info);
    out_model->tasks[0] = data_of(model->task);
    info->n_tasks = model->task.size ? 1 : 0;
    info->tasks = out_model->tasks;
    info->name = data_of(model->name);
    info->architecture = data_of(model->architecture);
    info->attention = data_of(model->attention);
    info->precision = data_of(model->precision);
    info->weights_sha256 = data_of(model->weights_sha256);
    info->token_count_max = model->token_count_max;
    info->layer_count = model->layer_count;
    info->head_count = model->head_count;
    info->hidden_size = model->hidden_size;
    info->ready = model->ready;
}

uint64_t codec_reply_list_models_bytes(size_t count)
{
    return CHUNK_FACTOR * (sizeof(Headlight__V1__ListModelsResponse) + 4 * ROUNDING_BYTES +
                           count * (sizeof(ModelReply) + sizeof(void *)));
}

bool codec_reply_list_models(Arena *arena, const CodecModel *models, size_t count, CodecReply *out_reply)
{
    Headlight__V1__ListModelsResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = list_allocate(arena, count, sizeof(ModelReply), &storage);
    if (!response || !list) return false;
    headlight__v1__list_models_response__init(response);
    response->n_models = count;
    response->models = (Headlight__V1__ModelInfo **)list;
    for (size_t i = 0; i < count; i++) model_build(&models[i], (ModelReply *)list[i]);
    out_reply->message = response;
    return true;
}
