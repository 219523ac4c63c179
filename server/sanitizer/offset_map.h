/* Where each byte of a cleaned text came from. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#include <assert.h>
#include <stdbool.h>

/* Cleaned bytes from `cleaned_begin` to where the next span begins. What is copied maps byte by byte; all of what
 * something else became maps to the whole of it. */
typedef struct OffsetSpan {
    uint32_t cleaned_begin : 31;
    uint32_t copied : 1; /* byte by byte */
    ByteRange original;
} OffsetSpan;

/* Immutable once stored. A value. */
typedef struct OffsetMap {
    OffsetSpan *spans; /* an arena's, or malloc's */
    uint32_t span_count;
    uint32_t span_capacity;
    uint32_t cleaned_size;
    uint32_t original_size;
    bool reordered; /* spans do not rise in the original */
} OffsetMap;

/* The original bytes of a range of the cleaned text: the smallest range that holds all of them. An empty range maps to
 * where its position came from. `map` NULL: the same range. */
ByteRange sanitizer_original_range(const OffsetMap *map, ByteRange cleaned);
/* The cleaned bytes that came from any of `original`; empty where they would stand when all were dropped. */
ByteRange sanitizer_cleaned_range(const OffsetMap *map, ByteRange original);
/* The same for ranges that rise, each within one span: *span is where the one before was found,
 * OFFSET_SPAN_UNKNOWN at first. */
#define OFFSET_SPAN_UNKNOWN UINT32_MAX
ByteRange offset_map_next(const OffsetMap *map, uint32_t *span, ByteRange cleaned);
/* Appends `size` cleaned bytes that came from `original`. `copied`: byte by byte; they join copied bytes before them.
 * Always with the same arena, or with NULL: then offset_map_close frees the spans. false: no memory. */
bool offset_map_append(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied);
/* The same in two steps: room for `more` spans first. */
bool offset_map_reserve(OffsetMap *map, Arena *arena, uint32_t more);
static inline void offset_map_put(OffsetMap *map, uint32_t size, ByteRange original, bool copied)
{
    assert(original.begin <= original.end && (!copied || size == original.end - original.begin));
    if (size == 0) return;
    OffsetSpan *last = map->span_count ? &map->spans[map->span_count - 1] : NULL;
    if (last && copied && last->copied && last->original.end == original.begin) {
        last->original.end = original.end;
        map->cleaned_size += size;
        return;
    }
    if (last && original.begin < last->original.end && !(original.begin == last->original.begin && !copied)) {
        map->reordered = true;
    }
    assert(map->span_count < map->span_capacity);
    map->spans[map->span_count++] = (OffsetSpan){map->cleaned_size & INT32_MAX, copied, original};
    map->cleaned_size += size;
}
/* A copy in `arena`; NULL: it is out. */
const OffsetMap *offset_map_store(const OffsetMap *map, Arena *arena);
void offset_map_close(OffsetMap *map);
