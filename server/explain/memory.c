#include "explain/memory.h"

/* An arena's memory begins at a multiple of ARENA_ALIGNMENT. */
enum { LINE_BYTES = 64, ALIGNING_BYTES = LINE_BYTES - ARENA_ALIGNMENT };

void *explain_take(ExplainMemory *memory, uint64_t count, size_t size)
{
    void *taken = memory->block ? memory->block + memory->used_bytes : NULL;
    memory->used_bytes += (count * size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return taken;
}

static uint64_t explain_count(ExplainLayOut *lay_out, const void *spec)
{
    ExplainMemory memory = {0};
    (void)lay_out(spec, &memory);
    return memory.used_bytes;
}

void *explain_make(ExplainLayOut *lay_out, const void *spec, Arena *arena, Error *out_error)
{
    char *block = arena_allocate(arena, explain_count(lay_out, spec) + ALIGNING_BYTES);
    if (!block) {
        (void)error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                        "the request's memory does not hold the explanation");
        return NULL;
    }
    size_t rest = (uintptr_t)block % LINE_BYTES;
    ExplainMemory memory = {.block = rest ? block + (LINE_BYTES - rest) : block};
    return lay_out(spec, &memory);
}

uint64_t explain_made_bytes(ExplainLayOut *lay_out, const void *spec)
{
    return explain_count(lay_out, spec) + ALIGNING_BYTES + ARENA_CHUNK_HEADER_BYTES_MAX;
}
