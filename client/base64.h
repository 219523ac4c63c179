/* Base64 (RFC 4648), written as bytes come. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A plain value; zeroed but for the stream. */
typedef struct Base64 {
    FILE *stream;
    uint32_t bits;
    unsigned count; /* bytes in `bits`: 0 to 2 */
} Base64;

void base64_write(Base64 *base64, const void *bytes, size_t size);
/* The last bytes and the padding. */
void base64_end(Base64 *base64);
