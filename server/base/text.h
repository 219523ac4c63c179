/* Views into bytes that somebody else owns, and ranges of them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `size` bytes of UTF-8 at `bytes`; may hold NUL; not terminated. */
typedef struct TextView {
    const char *bytes;
    size_t size;
} TextView;

/* Half open: [begin, end). */
typedef struct ByteRange {
    uint32_t begin;
    uint32_t end;
} ByteRange;

static inline TextView text_view(const char *terminated)
{
    return (TextView){terminated, strlen(terminated)};
}

static inline int text_equal(TextView a, TextView b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}
