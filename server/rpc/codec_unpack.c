#include "rpc/codec_unpack.h"

#include <stdbool.h>

typedef struct CodecBudget {
    Arena *arena;
    bool refused; /* protobuf-c itself does not say why it failed */
} CodecBudget;

static void *codec_unpack_allocate(void *context, size_t size)
{
    CodecBudget *budget = context;
    void *bytes = arena_allocate(budget->arena, size);
    if (!bytes) budget->refused = true;
    return bytes;
}

/* The arena frees all at once; what a failed message took stays in it, and in its budget, until then. */
static void codec_unpack_forget(void *context, void *bytes)
{
    (void)context;
    (void)bytes;
}

Status codec_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *wire, size_t size, Arena *arena,
                    ProtobufCMessage **out_message, Error *out_error)
{
    static const uint8_t nothing[1] = {0};
    CodecBudget budget = {.arena = arena};
    ProtobufCAllocator allocator = {codec_unpack_allocate, codec_unpack_forget, &budget};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, size ? wire : nothing);
    if (message) {
        *out_message = message;
        return STATUS_OK;
    }
    if (budget.refused) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "a %s of %zu bytes that takes more than %zu bytes of memory: send less in one message",
                         descriptor->name, size, arena->budget_bytes);
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "the %zu bytes of the request are not a %s", size,
                     descriptor->name);
}
