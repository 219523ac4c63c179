/* Views into bytes that somebody else owns, and ranges of them. */
#pragma once

#include <stdbool.h>
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

/* The part of `range` that lies behind the first `skipped` bytes, counted from there; empty where there is none. */
static inline ByteRange byte_range_behind(ByteRange range, uint32_t skipped)
{
    return (ByteRange){range.begin > skipped ? range.begin - skipped : 0,
                       range.end > skipped ? range.end - skipped : 0};
}

static inline TextView text_view(const char *terminated)
{
    return (TextView){terminated, strlen(terminated)};
}

/* The size of the UTF-8 sequence at `bytes`, of which `left` (at least 1) follow; 0: not valid. Strict (Unicode 15,
 * table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline size_t text_utf8_size(const char *bytes, size_t left)
{
    const unsigned char *at = (const unsigned char *)bytes;
    unsigned char lead = at[0];
    if (lead < 0x80) return 1;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || size > left) return 0;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    return size;
}

/* Puts '?' for each control byte of a terminated text, and for each byte that is no UTF-8. */
void text_clean(char *text);

/* Whether `candidate` may be what somebody meant who wrote `name`, and fewer letters are to insert, delete or replace
 * (Levenshtein) than *distance, which then becomes their number. Begin with SIZE_MAX. */
bool text_is_nearer(TextView name, TextView candidate, size_t *distance);

/* Appends `name` to the terminated list "a, b" in a buffer of `capacity` bytes, as errors name what there is; where it
 * does not fit whole, and from there on, the list ends with "...". */
void text_list_add(char *list, size_t capacity, TextView name);

static inline int text_equal(TextView a, TextView b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}
