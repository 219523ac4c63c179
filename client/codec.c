#include "codec.h"

#include "base/limits.h"

#include <stdlib.h>

Status codec_pack(const ProtobufCMessage *message, uint8_t **out_bytes, size_t *out_size, Error *out_error)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for a request of %zu bytes", size);
    *out_size = protobuf_c_message_pack(message, bytes);
    *out_bytes = bytes;
    return STATUS_OK;
}

static void *codec_allocate(void *arena, size_t size)
{
    return arena_allocate(arena, size);
}

static void codec_release(void *arena, void *memory)
{
    (void)arena; /* all at once, by arena_free */
    (void)memory;
}

Status codec_unpack(Arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size,
                    ProtobufCMessage **out_message, Error *out_error)
{
    uint64_t budget = REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * (uint64_t)size;
    arena_init(arena, budget < CODEC_REPLY_BUDGET_MAX ? budget : CODEC_REPLY_BUDGET_MAX);
    ProtobufCAllocator allocator = {codec_allocate, codec_release, arena};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, bytes);
    if (!message) {
        return error_set(out_error, STATUS_CORRUPT, "the server's reply is no %s; is it a headlightd?",
                         type->short_name);
    }
    *out_message = message;
    return STATUS_OK;
}
