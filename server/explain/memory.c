#include "explain/memory.h"

enum {
    LINE_BYTES = 64,
    ARENA_BYTES = 256, /* what the arena takes beside a block: its own header and rounding */
};

Status explain_memory_open(uint64_t counted_bytes, Arena *arena, ExplainMemory *out_memory, Error *out_error)
{
    char *block = arena_allocate(arena, counted_bytes + LINE_BYTES);
    if (!block) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the explanation");
    }
    size_t rest = (uintptr_t)block % LINE_BYTES;
    *out_memory = (ExplainMemory){.block = rest ? block + (LINE_BYTES - rest) : block};
    return STATUS_OK;
}

uint64_t explain_memory_bytes(uint64_t counted_bytes)
{
    return counted_bytes + LINE_BYTES + ARENA_BYTES;
}

void *explain_take(ExplainMemory *memory, uint64_t count, size_t size)
{
    void *taken = memory->block ? memory->block + memory->used_bytes : NULL;
    memory->used_bytes += (count * size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return taken;
}
