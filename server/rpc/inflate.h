/* Inflating a compressed message without ever holding more than its limit: a few KB of gzip can claim gigabytes.
 */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum InflateFormat { INFLATE_GZIP, INFLATE_DEFLATE } InflateFormat;

/* Bytes in a row of pieces, as they arrive from the network. */
typedef struct InflatePiece {
    const uint8_t *bytes;
    size_t size;
} InflatePiece;

/* Inflates `pieces` ([count]), which are one whole stream of `format` (DEFLATE as gRPC means it: with zlib's
 * header). On success the caller frees *out_bytes with free(). Never allocates more than `size_max` and zlib's 48
 * KiB. Any thread. Fails with RESOURCE_EXHAUSTED (beyond size_max), INVALID_ARGUMENT (not such a stream, or more
 * after it), NO_MEMORY. */
CHECKED Status rpc_inflate(InflateFormat format, const InflatePiece *pieces, size_t count, size_t size_max,
                           uint8_t **out_bytes, size_t *out_size, Error *out_error);
