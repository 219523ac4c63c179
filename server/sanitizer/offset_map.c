#include "sanitizer/offset_map.h"

#include <assert.h>
#include <stdlib.h>

bool offset_map_reserve(OffsetMap *map, Arena *arena, uint32_t more)
{
    if (more <= map->span_capacity - map->span_count) return true;
    uint64_t wanted = (uint64_t)map->span_count + more, capacity = 2 * (uint64_t)map->span_capacity;
    if (capacity < wanted) capacity = wanted < 16 ? 16 : wanted;
    size_t size = capacity * sizeof *map->spans;
    OffsetSpan *spans = arena ? arena_allocate(arena, size) : realloc(map->spans, size);
    if (!spans || capacity > UINT32_MAX) return false;
    if (arena && map->span_count) memcpy(spans, map->spans, map->span_count * sizeof *spans);
    map->spans = spans;
    map->span_capacity = (uint32_t)capacity;
    return true;
}

bool offset_map_append(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied)
{
    if (!offset_map_reserve(map, arena, 1)) return false;
    offset_map_put(map, size, original, copied);
    return true;
}

const OffsetMap *offset_map_store(const OffsetMap *map, Arena *arena)
{
    OffsetMap *stored = arena_allocate(arena, sizeof *stored);
    OffsetSpan *spans = arena_allocate(arena, map->span_count * sizeof *spans);
    if (!stored || !spans) return NULL;
    *stored = *map;
    stored->spans = spans;
    stored->span_capacity = map->span_count;
    if (map->span_count) memcpy(spans, map->spans, map->span_count * sizeof *spans);
    return stored;
}

void offset_map_close(OffsetMap *map)
{
    free(map->spans);
    map->spans = NULL;
    map->span_count = map->span_capacity = 0;
}

static uint32_t offset_map_span_end(const OffsetMap *map, uint32_t index)
{
    return index + 1 < map->span_count ? map->spans[index + 1].cleaned_begin : map->cleaned_size;
}

/* The span that holds the byte at `position`. */
static uint32_t offset_map_find(const OffsetMap *map, uint32_t position)
{
    uint32_t low = 0, high = map->span_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (map->spans[middle].cleaned_begin <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The original bytes of what [begin, end) has of one span. */
static ByteRange offset_map_part(const OffsetMap *map, uint32_t index, ByteRange cleaned)
{
    const OffsetSpan *span = &map->spans[index];
    if (!span->copied) return span->original;
    uint32_t end = offset_map_span_end(map, index);
    uint32_t from = cleaned.begin > span->cleaned_begin ? cleaned.begin - span->cleaned_begin : 0;
    uint32_t to = (cleaned.end < end ? cleaned.end : end) - span->cleaned_begin;
    return (ByteRange){span->original.begin + from, span->original.begin + to};
}

ByteRange offset_map_next(const OffsetMap *map, uint32_t *span, ByteRange cleaned)
{
    if (*span >= map->span_count || cleaned.begin < map->spans[*span].cleaned_begin)
        *span = offset_map_find(map, cleaned.begin);
    while (offset_map_span_end(map, *span) <= cleaned.begin) (*span)++;
    return offset_map_part(map, *span, cleaned);
}

ByteRange sanitizer_original_range(const OffsetMap *map, ByteRange cleaned)
{
    if (!map) return cleaned;
    assert(cleaned.begin <= cleaned.end && cleaned.end <= map->cleaned_size);
    if (cleaned.begin == cleaned.end) {
        uint32_t at = map->original_size;
        if (cleaned.begin < map->cleaned_size) {
            ByteRange byte = {cleaned.begin, cleaned.begin + 1};
            at = offset_map_part(map, offset_map_find(map, cleaned.begin), byte).begin;
        }
        return (ByteRange){at, at};
    }
    uint32_t first = offset_map_find(map, cleaned.begin), last = offset_map_find(map, cleaned.end - 1);
    ByteRange range = offset_map_part(map, first, cleaned);
    range.end = offset_map_part(map, last, cleaned).end;
    if (!map->reordered) return range;
    for (uint32_t i = first; i <= last; i++) {
        ByteRange part = offset_map_part(map, i, cleaned);
        if (part.begin < range.begin) range.begin = part.begin;
        if (part.end > range.end) range.end = part.end;
    }
    return range;
}

ByteRange sanitizer_cleaned_range(const OffsetMap *map, ByteRange original)
{
    if (!map) return original;
    ByteRange range = {UINT32_MAX, 0};
    uint32_t place = map->cleaned_size;
    for (uint32_t i = map->span_count; i-- > 0;) {
        const OffsetSpan *span = &map->spans[i];
        if (span->original.begin >= original.end) place = span->cleaned_begin;
        uint32_t begin = original.begin > span->original.begin ? original.begin : span->original.begin;
        uint32_t end = original.end < span->original.end ? original.end : span->original.end;
        if (begin >= end) continue;
        ByteRange part = {span->cleaned_begin, offset_map_span_end(map, i)};
        if (span->copied) {
            part.end = span->cleaned_begin + (end - span->original.begin);
            part.begin = span->cleaned_begin + (begin - span->original.begin);
        }
        if (part.begin < range.begin) range.begin = part.begin;
        if (part.end > range.end) range.end = part.end;
    }
    return range.begin < range.end ? range : (ByteRange){place, place};
}
