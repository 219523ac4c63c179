#include "rpc/codec_reply_parts.h"

#include <assert.h>

static bool continues_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

ByteRange codec_range_widen(TextView text, ByteRange range)
{
    assert(range.begin <= range.end && range.end <= text.size);
    if (range.begin == range.end) return range;
    while (range.begin > 0 && continues_character(text.bytes[range.begin])) range.begin--;
    while (range.end < text.size && continues_character(text.bytes[range.end])) range.end++;
    return range;
}

void **codec_list_allocate(Arena *arena, size_t count, size_t size, char **out_items)
{
    char *items = arena_allocate_zeroed(arena, count, size);
    void **pointers = arena_allocate_zeroed(arena, count, sizeof *pointers);
    if (!items || !pointers) return NULL;
    for (size_t i = 0; i < count; i++) pointers[i] = items + i * size;
    *out_items = items;
    return pointers;
}

uint64_t codec_parts_bytes(uint64_t count, size_t result_bytes, uint64_t part_count, size_t part_bytes)
{
    enum { REPLY_BYTES = sizeof(Headlight__V1__EmbedResponse) + sizeof(Headlight__V1__Timing) + 64 };
    uint64_t each = result_bytes + sizeof(void *) + sizeof(Headlight__V1__Usage) + 4 * CODEC_ROUNDING_BYTES;
    return CODEC_CHUNK_FACTOR * (REPLY_BYTES + count * each + part_count * (part_bytes + sizeof(void *)));
}

void codec_span_init(const CodecChunk *chunk, TextView text, Headlight__V1__ChunkSpan *out_span)
{
    ByteRange range = codec_range_widen(text, chunk->range);
    headlight__v1__chunk_span__init(out_span);
    out_span->byte_begin = range.begin;
    out_span->byte_end = range.end;
    out_span->token_count = chunk->token_count;
    out_span->weight = chunk->weight;
}

Headlight__V1__Usage *codec_usage_build(Arena *arena, const CodecUsage *from, TextView attention)
{
    Headlight__V1__Usage *usage = arena_allocate(arena, sizeof *usage);
    if (!usage) return NULL;
    headlight__v1__usage__init(usage);
    usage->token_count = from->token_count;
    usage->text_token_count = from->text_token_count;
    usage->truncated = from->truncated;
    usage->chunk_count = from->chunk_count;
    usage->attention = codec_data_of(from->chunked ? text_view("chunked") : attention);
    return usage;
}

Headlight__V1__Timing *codec_timing_build(Arena *arena, const CodecTiming *timing)
{
    Headlight__V1__Timing *message = arena_allocate(arena, sizeof *message);
    if (!message) return NULL;
    headlight__v1__timing__init(message);
    message->queue_ns = timing->queue_ns;
    message->sanitize_ns = timing->sanitize_ns;
    message->tokenize_ns = timing->tokenize_ns;
    message->compute_ns = timing->compute_ns;
    message->total_ns = timing->total_ns;
    message->batch_sequences = timing->batch_sequences;
    message->batch_tokens = timing->batch_tokens;
    return message;
}

void codec_token_init(const Tokenizer *tokenizer, const Encoding *encoding, uint32_t token, ByteRange range,
                      Headlight__V1__ExplainedToken *out_token)
{
    uint32_t id = encoding->ids[token];
    headlight__v1__explained_token__init(out_token);
    out_token->id = id;
    out_token->text = codec_data_of(tokenizer_token_text(tokenizer, id));
    out_token->byte_begin = range.begin;
    out_token->byte_end = range.end;
    out_token->special = tokenizer_token_special(tokenizer, id);
    out_token->segment = encoding->segments[token] == ENCODING_SEGMENT_NONE ? 0 : encoding->segments[token];
}
