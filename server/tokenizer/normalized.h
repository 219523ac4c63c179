/* A piece of text after BertNormalizer, each byte with where its character came from. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct BertNormalizer {
    bool enabled; /* false: the text stays as it is */
    bool clean_text;
    bool handle_chinese_chars;
    bool strip_accents;
    bool lowercase;
    unsigned char ascii[128]; /* what becomes of each; NORMALIZED_DROPPED: nothing */
} BertNormalizer;

enum { NORMALIZED_DROPPED = 0xFF };

/* Fills `ascii` from the flags. */
void normalized_prepare(BertNormalizer *normalizer);

typedef struct NormalizedMark NormalizedMark;

/* Scratch that grows and is used again; zeroed is empty. One thread. */
typedef struct Normalized {
    char *bytes;        /* [capacity], valid UTF-8 */
    ByteRange *origins; /* [capacity]: the bytes of the original text that this byte's character came from */
    uint32_t size;
    uint32_t capacity;
    NormalizedMark *marks; /* [mark_capacity]: a run of combining marks, until it can be sorted */
    uint32_t mark_count;
    uint32_t mark_capacity;
    bool failed; /* out of memory */
} Normalized;

/* Replaces what `normalized` holds by text.bytes[range], which is valid UTF-8 and normalized on its own, as the
 * library does with what is between two added tokens. Fails with NO_MEMORY. */
CHECKED Status normalized_fill(Normalized *normalized, const BertNormalizer *normalizer, TextView text,
                               ByteRange range, Error *out_error);
void normalized_close(Normalized *normalized);

/* The original bytes of normalized[begin, end), which is not empty. */
static inline ByteRange normalized_origin(const Normalized *normalized, uint32_t begin, uint32_t end)
{
    return (ByteRange){normalized->origins[begin].begin, normalized->origins[end - 1].end};
}
