#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 16 * 1024 }; /* a short request fits into one chunk */

struct ArenaChunk {
    alignas(ARENA_ALIGNMENT) ArenaChunk *next;
    size_t capacity_bytes;
    size_t used_bytes;
};

/* Lies in a chunk itself. */
struct ArenaAdopted {
    ArenaAdopted *next;
    void *memory;
};

static_assert(sizeof(ArenaChunk) <= ARENA_CHUNK_HEADER_BYTES_MAX, "a chunk's header");

void arena_init(Arena *arena, size_t budget_bytes)
{
    *arena = (Arena){.budget_bytes = budget_bytes};
}

static void *arena_bump(ArenaChunk *chunk, size_t size)
{
    char *start = (char *)(chunk + 1) + chunk->used_bytes;
    chunk->used_bytes += size;
    return start;
}

/* A chunk of `wanted` bytes, `size` of them at least. */
static ArenaChunk *arena_grow(Arena *arena, size_t size, size_t wanted)
{
    size_t left = arena->budget_bytes - arena->used_bytes;
    if (left < sizeof(ArenaChunk) || size > left - sizeof(ArenaChunk)) return NULL;
    size_t capacity = size > wanted ? size : wanted;
    if (capacity > left - sizeof(ArenaChunk)) capacity = left - sizeof(ArenaChunk);
    ArenaChunk *chunk = malloc(sizeof *chunk + capacity);
    if (!chunk) return NULL;
    *chunk = (ArenaChunk){.next = arena->chunks, .capacity_bytes = capacity};
    arena->chunks = chunk;
    arena->used_bytes += sizeof *chunk + capacity;
    return chunk;
}

static bool chunk_has(const ArenaChunk *chunk, size_t size)
{
    return chunk && chunk->capacity_bytes - chunk->used_bytes >= size;
}

void *arena_allocate(Arena *arena, size_t size)
{
    if (size > SIZE_MAX - ARENA_ALIGNMENT) return NULL;
    size = (size_t)arena_bytes(size);
    ArenaChunk *chunk = arena->chunks;
    if (!chunk_has(chunk, size)) chunk = arena_grow(arena, size, ARENA_CHUNK_BYTES);
    return chunk ? arena_bump(chunk, size) : NULL;
}

bool arena_reserve(Arena *arena, size_t size)
{
    return chunk_has(arena->chunks, size) || arena_grow(arena, size, size);
}

void *arena_allocate_zeroed(Arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    void *items = arena_allocate(arena, count * size);
    if (items) memset(items, 0, count * size);
    return items;
}

bool arena_adopt(Arena *arena, void *memory, size_t size)
{
    ArenaAdopted *adopted = arena_allocate(arena, sizeof *adopted);
    if (!adopted || size > arena->budget_bytes - arena->used_bytes) return false;
    *adopted = (ArenaAdopted){arena->adopted, memory};
    arena->adopted = adopted;
    arena->used_bytes += size;
    return true;
}

char *arena_copy_text(Arena *arena, TextView text)
{
    if (text.size == SIZE_MAX) return NULL;
    char *copy = arena_allocate(arena, text.size + 1);
    if (!copy) return NULL;
    if (text.size) memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    return copy;
}

void arena_free(Arena *arena)
{
    for (const ArenaAdopted *adopted = arena->adopted; adopted; adopted = adopted->next) free(adopted->memory);
    for (ArenaChunk *chunk = arena->chunks; chunk;) {
        ArenaChunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    arena->chunks = NULL;
    arena->adopted = NULL;
    arena->used_bytes = 0;
}
