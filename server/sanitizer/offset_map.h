/* Where each byte of a cleaned text came from.
 *
 * An attack may change every letter, so a map has spans of a byte or two. They are written as differences from one to
 * the next, two bytes for most, in blocks that say where they begin: a map is smaller than its text, and a position is
 * found by its block. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#include <assert.h>
#include <stdbool.h>

/* Cleaned bytes and what they came from. What is copied maps byte by byte; all of what something else became maps to
 * the whole of it. */
typedef struct OffsetSpan {
    ByteRange cleaned; /* empty: there is none */
    ByteRange original;
    bool copied; /* byte by byte */
} OffsetSpan;

enum { OFFSET_CODES_MAX = 119 };

typedef struct OffsetBlock {
    uint32_t cleaned_begin;
    uint32_t original_end; /* of the span before its first */
    uint8_t size;
    uint8_t codes[OFFSET_CODES_MAX];
} OffsetBlock;

/* Immutable once stored. A value. */
typedef struct OffsetMap {
    OffsetBlock *blocks; /* an arena's, or malloc's; not of `last` */
    uint32_t block_count;
    uint32_t block_capacity;
    OffsetSpan last;       /* which may still grow */
    uint32_t original_end; /* of the span before it */
    uint32_t cleaned_size;
    uint32_t original_size;
    bool reordered; /* spans do not rise in the original */
} OffsetMap;

/* Goes over the spans of a map. Zeroed: not begun. */
typedef struct OffsetCursor {
    OffsetSpan span;
    uint32_t block; /* the block of what follows it */
    uint32_t at;    /* and where in its codes */
} OffsetCursor;

/* The original bytes of a range of the cleaned text: the smallest range that holds all of them. An empty range maps to
 * where its position came from. `map` NULL: the same range. */
ByteRange sanitizer_original_range(const OffsetMap *map, ByteRange cleaned);
/* The original bytes of what the span that `cleaned` begins in has of it; ranges rise from call to call. */
ByteRange offset_map_seek(const OffsetMap *map, OffsetCursor *cursor, ByteRange cleaned);
/* The same, fast for many small ranges. */
static inline ByteRange offset_map_next(const OffsetMap *map, OffsetCursor *cursor, ByteRange cleaned)
{
    const OffsetSpan *span = &cursor->span;
    bool inside = span->copied && cleaned.begin >= span->cleaned.begin && cleaned.end <= span->cleaned.end;
    if (!inside) return offset_map_seek(map, cursor, cleaned);
    uint32_t moved = span->original.begin - span->cleaned.begin;
    return (ByteRange){cleaned.begin + moved, cleaned.end + moved};
}
/* Ends the last span and begins another; false: no memory. */
bool offset_map_begin(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied);
/* Appends `size` cleaned bytes that came from `original`. `copied`: byte by byte; they join copied bytes before them.
 * Always with the same arena, or with NULL: then offset_map_close frees the blocks. false: no memory. */
static inline bool offset_map_append(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied)
{
    assert(original.begin <= original.end && (!copied || size == original.end - original.begin));
    OffsetSpan *last = &map->last;
    if (!copied || !last->copied || last->original.end != original.begin)
        return size == 0 || offset_map_begin(map, arena, size, original, copied);
    last->original.end = original.end;
    map->cleaned_size = last->cleaned.end += size;
    return true;
}
/* The memory of a copy. */
uint64_t offset_map_bytes(const OffsetMap *map);
/* A copy in `arena`; NULL: it is out. */
const OffsetMap *offset_map_store(const OffsetMap *map, Arena *arena);
void offset_map_close(OffsetMap *map);
