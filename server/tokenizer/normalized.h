/* A piece of text on its way through the normalizers and pre-tokenizers: each byte with where its character came
 * from. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef enum NormalizedFailure {
    NORMALIZED_SOUND,
    NORMALIZED_NO_MEMORY,
    NORMALIZED_TOO_LARGE,
    NORMALIZED_TOO_SLOW, /* a pattern gave up */
} NormalizedFailure;

/* Scratch that grows and is used again; zeroed is empty. One thread. */
typedef struct Normalized {
    char *bytes;        /* [capacity], valid UTF-8 */
    ByteRange *origins; /* [capacity]: the bytes of the original text that this byte's character came from */
    uint32_t size;
    uint32_t capacity;
    uint32_t begin;           /* of the piece in the original text: where what came from nowhere is said to be */
    uint32_t size_max;        /* 0: as much as offsets reach */
    NormalizedFailure failed; /* what was appended since is lost */
} Normalized;

void normalized_close(Normalized *normalized);
/* STATUS_OK, or how it failed: NO_MEMORY, RESOURCE_EXHAUSTED. It is sound again after it. */
CHECKED Status normalized_check(Normalized *normalized, Error *out_error);
/* How large what becomes of `size` bytes of text may get. */
uint32_t normalized_size_max(size_t size);
/* Makes room for `more` bytes; false: it failed. */
bool normalized_reserve(Normalized *normalized, uint32_t more);
void normalized_append(Normalized *normalized, uint32_t code_point, ByteRange origin);
/* Appends all bytes of `text`, which all came from `origin`. */
void normalized_append_text(Normalized *normalized, TextView text, ByteRange origin);
/* Appends from[begin, end) with its origins. */
void normalized_append_range(Normalized *normalized, const Normalized *from, uint32_t begin, uint32_t end);
/* Makes `normalized` text.bytes[range], which is valid UTF-8. */
void normalized_start(Normalized *normalized, TextView text, ByteRange range);

/* The original bytes of normalized[begin, end), which is not empty. */
static inline ByteRange normalized_origin(const Normalized *normalized, uint32_t begin, uint32_t end)
{
    return (ByteRange){normalized->origins[begin].begin, normalized->origins[end - 1].end};
}
