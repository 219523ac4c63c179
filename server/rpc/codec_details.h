/* What goes into the trailer grpc-status-details-bin: a google.rpc.Status with the same code and message and what a
 * client can act on by program: RetryInfo, BadRequest, and a detail of its method's own. */
#pragma once

#include "base/status.h"
#include "rpc/call.h"

/* The largest: two messages of an Error, a field's name, the types' names and a detail; below the 8 KiB of metadata
 * that clients take, also in base64. */
enum {
    CODEC_DETAILS_BYTES_MAX = 2 * ERROR_MESSAGE_BYTES + 1024 + RPC_DETAIL_BYTES_MAX,
    CODEC_DETAILS_FIELD_BYTES_MAX = 256,
};

/* Packs the details of `error` into `buffer` and returns their size; 0 when there is nothing beyond code and message.
 * `detail` may be NULL. `field` (NULL: none) is cut at CODEC_DETAILS_FIELD_BYTES_MAX. Both texts must be UTF-8. Any
 * thread. */
size_t codec_details_pack(const Error *error, const char *field, const RpcDetail *detail,
                          uint8_t buffer[CODEC_DETAILS_BYTES_MAX]);
