#include "base64.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes what `count` bytes at the top of 24 bits take. */
static void base64_write_group(Base64 *base64, uint32_t bits, unsigned count)
{
    for (unsigned digit = 0; digit < 4; digit++)
        putc(digit <= count ? base64_digits[bits >> (18 - 6 * digit) & 63] : '=', base64->stream);
}

void base64_write(Base64 *base64, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t index = 0; index < size; index++) {
        base64->bits = base64->bits << 8 | at[index];
        if (++base64->count < 3) continue;
        base64_write_group(base64, base64->bits, 3);
        base64->bits = 0;
        base64->count = 0;
    }
}

void base64_end(Base64 *base64)
{
    if (base64->count) base64_write_group(base64, base64->bits << (24 - 8 * base64->count), base64->count);
    base64->bits = 0;
    base64->count = 0;
}
