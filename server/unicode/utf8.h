/* Strict UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

enum { UTF8_BYTES_MAX = 4 };

/* Whether all of `text` is valid; otherwise *out_position is where the first invalid sequence starts. Any thread.
 */
bool utf8_valid(TextView text, size_t *out_position);
/* The size of the valid sequence at `bytes`, of which `left` (at least 1) follow, and its code point; 0: not
 * valid. */
size_t utf8_read(const char *bytes, size_t left, uint32_t *out_code_point);
/* The bytes at `bytes`, which are not valid, that become one U+FFFD: as much as may begin a sequence, or one (Unicode
 * 15, chapter 3.9, substitution of maximal subparts). */
size_t utf8_invalid_size(const char *bytes, size_t left);
/* utf8_write of what is not ASCII. */
size_t utf8_write_sequence(uint32_t code_point, char out_bytes[UTF8_BYTES_MAX]);
/* The start of the sequence that ends before `position` (at least 1) of valid text. */
size_t utf8_previous(const char *bytes, size_t position);

/* Writes the scalar value `code_point`; returns the bytes written. */
static inline size_t utf8_write(uint32_t code_point, char out_bytes[UTF8_BYTES_MAX])
{
    if (code_point >= 0x80) return utf8_write_sequence(code_point, out_bytes);
    out_bytes[0] = (char)code_point;
    return 1;
}

/* Decodes one sequence of text that is known to be valid. Returns its size. */
static inline size_t utf8_decode(const char *bytes, uint32_t *out_code_point)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (at[0] < 0x80) {
        *out_code_point = at[0];
        return 1;
    }
    if (at[0] < 0xE0) {
        *out_code_point = (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
        return 2;
    }
    if (at[0] < 0xF0) {
        *out_code_point = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
        return 3;
    }
    *out_code_point = (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
    return 4;
}
