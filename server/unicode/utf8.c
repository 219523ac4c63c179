/* Strict UTF-8: eight ASCII bytes at a time, the rest by table 3-7 of the Unicode standard. */
#include "unicode/utf8.h"

#include <assert.h>

static size_t utf8_ascii_prefix(const char *bytes, size_t size)
{
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (at < size && (unsigned char)bytes[at] < 0x80) at++;
    return at;
}

/* What may follow, as shifts of six bits: Vognsen's automaton, which takes a shift a byte. */
enum {
    STATE_START = 0,
    STATE_INVALID = 6,
    STATE_ONE = 12, /* so many continuations */
    STATE_TWO = 18,
    STATE_THREE = 24,
    STATE_E0 = 30, /* and these behind certain first bytes */
    STATE_ED = 36,
    STATE_F0 = 42,
    STATE_F4 = 48,
    STATE_MASK = 63,
};

/* The state behind a byte, for each state before it. */
#define STATES(start, one, two, three, e0, ed, f0, f4) \
    ((uint64_t)STATE_##start << STATE_START | (uint64_t)STATE_INVALID << STATE_INVALID | \
     (uint64_t)STATE_##one << STATE_ONE | (uint64_t)STATE_##two << STATE_TWO | \
     (uint64_t)STATE_##three << STATE_THREE | (uint64_t)STATE_##e0 << STATE_E0 | \
     (uint64_t)STATE_##ed << STATE_ED | (uint64_t)STATE_##f0 << STATE_F0 | (uint64_t)STATE_##f4 << STATE_F4)
#define FIRST(state) STATES(state, INVALID, INVALID, INVALID, INVALID, INVALID, INVALID, INVALID)
#define TWICE(row) row, row
#define BLOCK(row) TWICE(TWICE(TWICE(TWICE(row))))

static const uint64_t BYTES[256] = {
    TWICE(TWICE(TWICE(BLOCK(FIRST(START))))),
    BLOCK(STATES(INVALID, START, ONE, TWO, INVALID, ONE, INVALID, TWO)), /* 80 */
    BLOCK(STATES(INVALID, START, ONE, TWO, INVALID, ONE, TWO, INVALID)), /* 90 */
    TWICE(BLOCK(STATES(INVALID, START, ONE, TWO, ONE, INVALID, TWO, INVALID))),
    TWICE(FIRST(INVALID)), /* C0 */
    TWICE(FIRST(ONE)),
    TWICE(TWICE(FIRST(ONE))),
    TWICE(TWICE(TWICE(FIRST(ONE)))),
    BLOCK(FIRST(ONE)),
    FIRST(E0),
    TWICE(TWICE(TWICE(FIRST(TWO)))),
    TWICE(TWICE(FIRST(TWO))),
    FIRST(ED),
    TWICE(FIRST(TWO)),
    FIRST(F0),
    FIRST(THREE),
    TWICE(FIRST(THREE)),
    FIRST(F4),
    FIRST(INVALID), /* F5 */
    TWICE(FIRST(INVALID)),
    TWICE(TWICE(TWICE(FIRST(INVALID)))),
};

enum { UTF8_BLOCK = 64 };

/* Where what may not be valid begins: behind valid sequences, at most a block before it. */
static size_t utf8_doubtful(TextView text)
{
    uint64_t state = STATE_START;
    size_t at = 0, begin = 0;
    while (at < text.size) {
        if (state == STATE_START) at += utf8_ascii_prefix(text.bytes + at, text.size - at);
        size_t end = text.size - at < UTF8_BLOCK ? text.size : at + UTF8_BLOCK;
        for (begin = at; at < end; at++) state = BYTES[(unsigned char)text.bytes[at]] >> (state & STATE_MASK);
        state &= STATE_MASK;
        if (state == STATE_INVALID) break;
    }
    if (state == STATE_START) return text.size;
    /* The block may begin within a sequence. */
    while (begin > 0 && ((unsigned char)text.bytes[--begin] & 0xC0) == 0x80) continue;
    return begin;
}

bool utf8_valid(TextView text, size_t *out_position)
{
    for (size_t at = utf8_doubtful(text); at < text.size;) {
        size_t size = text_utf8_size(text.bytes + at, text.size - at);
        if (size == 0) {
            *out_position = at;
            return false;
        }
        at += size;
    }
    return true;
}

size_t utf8_read(const char *bytes, size_t left, uint32_t *out_code_point)
{
    assert(left > 0);
    return text_utf8_size(bytes, left) ? utf8_decode(bytes, out_code_point) : 0;
}

size_t utf8_invalid_size(const char *bytes, size_t left)
{
    /* A prefix may begin a sequence when some continuation of it is valid: the lowest or the highest one. */
    size_t size = 1;
    for (; size < 3 && size < left; size++) {
        char low[UTF8_BYTES_MAX], high[UTF8_BYTES_MAX];
        memset(low, 0x80, sizeof low);
        memset(high, 0xBF, sizeof high);
        memcpy(low, bytes, size + 1);
        memcpy(high, bytes, size + 1);
        if (text_utf8_size(low, sizeof low) <= size + 1 && text_utf8_size(high, sizeof high) <= size + 1) break;
    }
    return size;
}

size_t utf8_write_sequence(uint32_t code_point, char out_bytes[UTF8_BYTES_MAX])
{
    unsigned char *out = (unsigned char *)out_bytes;
    if (code_point < 0x800) {
        out[0] = (unsigned char)(0xC0 | code_point >> 6);
        out[1] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (unsigned char)(0xE0 | code_point >> 12);
        out[1] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    assert(code_point <= 0x10FFFF);
    out[0] = (unsigned char)(0xF0 | code_point >> 18);
    out[1] = (unsigned char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (code_point & 0x3F));
    return 4;
}

size_t utf8_previous(const char *bytes, size_t position)
{
    assert(position > 0);
    do position--;
    while (position > 0 && ((unsigned char)bytes[position] & 0xC0) == 0x80);
    return position;
}
