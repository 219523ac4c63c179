/* What the replies of several methods are made of; for rpc/codec_reply*.c only. All in the arena given; NULL when it
 * is out. */
#pragma once

#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_reply.h"

/* Each allocation of the arena is rounded up to 16 bytes, and its chunks may be left half empty. */
enum { CODEC_ROUNDING_BYTES = 16, CODEC_CHUNK_FACTOR = 2 };

/* Of a field on the wire. */
enum {
    CODEC_HEADER_BYTES_MAX = 6, /* its tag and a length */
    CODEC_NUMBER_BYTES_MAX = 6, /* its tag and a varint of 32 bits */
    CODEC_FLOAT_BYTES = 5,
};

/* A view, not a copy. */
static inline ProtobufCBinaryData codec_data_of(TextView text)
{
    return (ProtobufCBinaryData){text.size, (uint8_t *)text.bytes};
}

/* `range` widened to whole characters of `text`: a reply must be UTF-8, which half of one is not. */
ByteRange codec_range_widen(TextView text, ByteRange range);

static inline ProtobufCBinaryData codec_data_slice(TextView text, ByteRange range)
{
    return (ProtobufCBinaryData){range.end - range.begin, (uint8_t *)text.bytes + range.begin};
}

/* An array of `count` zeroed items of `size` and an array of pointers to them, as protobuf-c wants repeated
 * messages. */
void **codec_list_allocate(Arena *arena, size_t count, size_t size, char **out_items);

/* What a reply takes at most: `count` results of `result_bytes` with their usage, each a list of parts, and
 * `part_count` parts of `part_bytes` altogether. */
uint64_t codec_parts_bytes(uint64_t count, size_t result_bytes, uint64_t part_count, size_t part_bytes);

/* `text` is what the chunk's range is of. */
void codec_span_init(const CodecChunk *chunk, TextView text, Headlight__V1__ChunkSpan *out_span);
Headlight__V1__Usage *codec_usage_build(Arena *arena, const CodecUsage *from, TextView attention);
Headlight__V1__Timing *codec_timing_build(Arena *arena, const CodecTiming *timing);
Headlight__V1__SanitizeReport *codec_report_build(Arena *arena, const CodecReport *report);
/* `attention` is the model's. False when the arena is out. */
CHECKED bool codec_classification_build(Arena *arena, const Pipeline *pipeline, TextView attention,
                                        const CodecClassification *from, Headlight__V1__Classification *out);
/* A list of explanations, as the reply of each task has it. False when the arena is out. */
CHECKED bool codec_explanations_build(Arena *arena, const CodecExplanations *from, size_t *out_count,
                                      Headlight__V1__Explanation ***out_list);
/* The token `token` of `encoding`, at `range` of its text. */
void codec_token_init(const Tokenizer *tokenizer, const Encoding *encoding, uint32_t token, ByteRange range,
                      Headlight__V1__ExplainedToken *out_token);
