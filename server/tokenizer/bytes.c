/* Printable bytes are their own character; the other 68 follow each other from U+0100 on. */
#include "tokenizer/bytes.h"

#include "unicode/utf8.h"

enum { BYTES_FIRST_REPLACED = 0x100, BYTES_REPLACED_COUNT = 0x21 + (0xA1 - 0x7F) + 1 };

static bool bytes_printable(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

size_t bytes_write(unsigned char byte, char *out_bytes)
{
    if (bytes_printable(byte)) return utf8_write(byte, out_bytes);
    unsigned order = byte <= 0x20 ? byte : byte == 0xAD ? BYTES_REPLACED_COUNT - 1 : 0x21u + (byte - 0x7Fu);
    return utf8_write(BYTES_FIRST_REPLACED + order, out_bytes);
}

bool bytes_of(uint32_t code_point, unsigned char *out_byte)
{
    if (code_point < BYTES_FIRST_REPLACED) {
        *out_byte = (unsigned char)code_point;
        return bytes_printable(code_point);
    }
    uint32_t order = code_point - BYTES_FIRST_REPLACED;
    if (order >= BYTES_REPLACED_COUNT) return false;
    *out_byte = (unsigned char)(order <= 0x20                       ? order
                                : order == BYTES_REPLACED_COUNT - 1 ? 0xAD
                                                                    : order - 0x21 + 0x7F);
    return true;
}

void bytes_map(const Normalized *from, uint32_t begin, uint32_t end, Normalized *to)
{
    if (!normalized_reserve(to, 2 * (end - begin))) return;
    for (uint32_t at = begin; at < end; at++) {
        unsigned char byte = (unsigned char)from->bytes[at];
        uint32_t size = to->size;
        if (byte > 0x20 && byte < 0x7F) {
            to->bytes[size] = (char)byte;
            to->origins[size] = from->origins[at];
            to->size = size + 1;
            continue;
        }
        char character[UTF8_BYTES_MAX];
        size_t count = bytes_write(byte, character);
        for (size_t i = 0; i < count; i++) {
            to->bytes[size + i] = character[i];
            to->origins[size + i] = from->origins[at];
        }
        to->size = size + (uint32_t)count;
    }
}
