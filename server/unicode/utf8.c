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

bool utf8_valid(TextView text, size_t *out_position)
{
    size_t at = 0;
    while (at < text.size) { /* an empty text may have no address, to which not even 0 may be added */
        at += utf8_ascii_prefix(text.bytes + at, text.size - at);
        if (at == text.size) return true;
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

size_t utf8_write(uint32_t code_point, char out_bytes[UTF8_BYTES_MAX])
{
    unsigned char *out = (unsigned char *)out_bytes;
    if (code_point < 0x80) {
        out[0] = (unsigned char)code_point;
        return 1;
    }
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
