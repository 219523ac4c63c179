/* What goes into the trailer grpc-status-details-bin: a google.rpc.Status with the same code and message and what
 * a client can act on by program: RetryInfo and BadRequest. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The largest: two messages of an Error, a field's name and the types' names; below the 8 KiB of metadata that
 * clients take. */
enum { CODEC_DETAILS_BYTES_MAX = 2 * ERROR_MESSAGE_BYTES + 1024, CODEC_DETAILS_FIELD_BYTES_MAX = 256 };

/* Packs the details of `error` into `buffer` and returns their size; 0 when there is nothing beyond code and
 * message. `field` (NULL: none) is cut at CODEC_DETAILS_FIELD_BYTES_MAX. Both texts must be UTF-8. Any thread. */
size_t codec_details_pack(const Error *error, const char *field, uint8_t buffer[CODEC_DETAILS_BYTES_MAX]);
