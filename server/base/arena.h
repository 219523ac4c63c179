/* A bump allocator with a byte budget: the memory of one request, freed at once.
 * The budget bounds what a hostile message can make us allocate (protobuf-c amplifies up to 45 times). */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ARENA_ALIGNMENT = 16,
    ARENA_CHUNK_HEADER_BYTES_MAX = 64, /* what a chunk takes of the budget beside what lies in it */
};

typedef struct ArenaChunk ArenaChunk;
typedef struct ArenaAdopted ArenaAdopted;

/* A value; zeroed is an arena without budget. One thread at a time. */
typedef struct Arena {
    ArenaChunk *chunks;
    ArenaAdopted *adopted;
    size_t budget_bytes;
    size_t used_bytes; /* of the budget, alignment and chunk headers included */
} Arena;

void arena_init(Arena *arena, size_t budget_bytes);
/* What `size` bytes take of a chunk. */
static inline uint64_t arena_bytes(uint64_t size)
{
    return size == 0 ? ARENA_ALIGNMENT : (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}
/* `size` bytes aligned to 16, or NULL when the budget or the memory is out. Uninitialized. Lives until
 * arena_free. A size of 0 gives a valid pointer. */
void *arena_allocate(Arena *arena, size_t size);
/* The same for `count` zeroed items of `size`; NULL as well when the product overflows. */
void *arena_allocate_zeroed(Arena *arena, size_t count, size_t size);
/* Room for what takes `size` bytes together, each allocation rounded up to ARENA_ALIGNMENT: it is then there without
 * fail, and without the rests that each chunk of its own would leave. The budget pays for it and a chunk's header.
 * False when the budget or the memory is out. */
bool arena_reserve(Arena *arena, size_t size);
/* Makes `memory`, malloc's of `size` bytes, the arena's. False when the budget or the memory is out: then it stays the
 * caller's. */
bool arena_adopt(Arena *arena, void *memory, size_t size);
/* A terminated copy of `text`; NULL as arena_allocate. */
char *arena_copy_text(Arena *arena, TextView text);
/* Frees all; the arena may be used again with its budget restored. */
void arena_free(Arena *arena);
