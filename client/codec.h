/* Messages in and out of bytes. What a server sends is unpacked into an arena with a budget, because protobuf-c
 * has no limit of its own. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#include <protobuf-c/protobuf-c.h>

/* A reply may take 1 MiB and 16 times its size on the wire, and never more than this. */
#define CODEC_REPLY_BUDGET_MAX ((uint64_t)1 << 30)

/* Packs `message` into bytes that the caller frees with free(). Fails with NO_MEMORY. */
CHECKED Status codec_pack(const ProtobufCMessage *message, uint8_t **out_bytes, size_t *out_size,
                          Error *out_error);
/* Initializes `arena` and unpacks into it; the caller frees it with arena_free, whatever is returned. Strings are
 * counted, sub-messages may be NULL. Fails with CORRUPT, which counts a message over the budget too. */
CHECKED Status codec_unpack(Arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                            size_t size, ProtobufCMessage **out_message, Error *out_error);

static inline ProtobufCBinaryData codec_text(TextView text)
{
    return (ProtobufCBinaryData){text.size, (uint8_t *)(uintptr_t)text.bytes};
}

static inline TextView codec_view(ProtobufCBinaryData text)
{
    return (TextView){text.data ? (const char *)text.data : "", text.data ? text.len : 0};
}
