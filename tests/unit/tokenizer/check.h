/* CRC-32 (that of zlib) over numbers as little-endian bytes: what make.py wrote. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint32_t check_bytes(uint32_t check, const void *bytes, size_t size)
{
    static uint32_t table[256];
    for (uint32_t i = 0; i < 256 && !table[255]; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xEDB88320u : table[i] >> 1;
    }
    check = ~check;
    for (size_t i = 0; i < size; i++)
        check = check >> 8 ^ table[(check ^ ((const unsigned char *)bytes)[i]) & 0xFF];
    return ~check;
}

static inline uint32_t check_u8(uint32_t check, unsigned value)
{
    unsigned char byte = (unsigned char)value;
    return check_bytes(check, &byte, 1);
}

static inline uint32_t check_u32(uint32_t check, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 24)};
    return check_bytes(check, bytes, 4);
}

static inline uint32_t check_read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}
