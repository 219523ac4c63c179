/* One block for all that a method needs, laid out by the same code that counts it. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

/* Zeroed, it only counts. */
typedef struct ExplainMemory {
    char *block;
    uint64_t used_bytes;
} ExplainMemory;

/* A block of the arena that holds what was counted, uninitialized. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status explain_memory_open(uint64_t counted_bytes, Arena *arena, ExplainMemory *out_memory,
                                   Error *out_error);
/* What explain_memory_open takes of the arena for them. */
uint64_t explain_memory_bytes(uint64_t counted_bytes);
/* `count` items of `size` bytes, whole cache lines from the block's beginning on; NULL while they are but counted. */
void *explain_take(ExplainMemory *memory, uint64_t count, size_t size);
