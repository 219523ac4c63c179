#include "explain/memory.h"

/* An arena's memory begins at a multiple of ARENA_ALIGNMENT. */
enum { LINE_BYTES = 64, ALIGNING_BYTES = LINE_BYTES - ARENA_ALIGNMENT };

Status explain_memory_open(uint64_t counted_bytes, Arena *arena, ExplainMemory *out_memory, Error *out_error)
{
    char *block = arena_allocate(arena, counted_bytes + ALIGNING_BYTES);
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
    return counted_bytes + ALIGNING_BYTES + ARENA_CHUNK_HEADER_BYTES_MAX;
}

void *explain_take(ExplainMemory *memory, uint64_t count, size_t size)
{
    void *taken = memory->block ? memory->block + memory->used_bytes : NULL;
    memory->used_bytes += (count * size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return taken;
}
