#include "explain/tape.h"

#include <string.h>

enum {
    CACHE_LINE_BYTES = 64,
    ROUNDING_BYTES = 192, /* a cache line to align, and what an arena adds to an allocation and to a chunk */
};

static void tape_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    Tape *tape = (Tape *)probe;
    memcpy(tape->rows + run * tape->stride, hidden, tape->size * sizeof *hidden);
}

Tape tape_make(float *rows, size_t stride, size_t size)
{
    return (Tape){.probe = {.enter = tape_enter}, .rows = rows, .stride = stride, .size = size};
}

float *tape_floats_open(Arena *arena, size_t count)
{
    char *bytes = arena_allocate(arena, count * sizeof(float) + CACHE_LINE_BYTES);
    if (!bytes) return NULL;
    return (float *)(void *)(bytes + (CACHE_LINE_BYTES - (uintptr_t)bytes % CACHE_LINE_BYTES) % CACHE_LINE_BYTES);
}

uint64_t tape_floats_bytes(size_t count)
{
    return count * (uint64_t)sizeof(float) + ROUNDING_BYTES;
}
