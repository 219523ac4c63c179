#include "sanitizer/cleaned.h"

#include "unicode/utf8.h"

#include <stdlib.h>

static bool cleaned_reserve(Cleaned *cleaned, uint32_t more)
{
    uint64_t size = (uint64_t)cleaned->map.cleaned_size + more;
    if (size <= cleaned->capacity) return true;
    uint64_t capacity = cleaned->bytes ? size + size / 2 : size + 64;
    char *bytes = capacity <= UINT32_MAX ? realloc(cleaned->bytes, capacity) : NULL;
    if (!bytes) return false;
    cleaned->bytes = bytes;
    cleaned->capacity = (uint32_t)capacity;
    return true;
}

bool cleaned_append(Cleaned *cleaned, const char *bytes, uint32_t size, ByteRange origin, bool copied)
{
    if (size == 0) return true;
    if (!cleaned_reserve(cleaned, size)) return false;
    memcpy(cleaned->bytes + cleaned->map.cleaned_size, bytes, size);
    return offset_map_append(&cleaned->map, NULL, size, origin, copied);
}

/* The items from `index` on that are as they stand in the original, one behind the other: where they end. */
static uint32_t cleaned_same_end(const SanitizeRun *run, uint32_t index)
{
    const Item *items = run->items;
    do index++;
    while (index < run->count && !(items[index].classes & CLASS_MADE) &&
           items[index].origin.begin == items[index - 1].origin.end);
    return index;
}

bool cleaned_append_items(Cleaned *cleaned, const SanitizeRun *run)
{
    OffsetMap *map = &cleaned->map;
    if (!cleaned_reserve(cleaned, run->count * UTF8_BYTES_MAX)) return false;
    for (uint32_t i = 0, end; i < run->count; i = end) {
        char *bytes = cleaned->bytes + map->cleaned_size;
        ByteRange origin = run->items[i].origin;
        bool made = (run->items[i].classes & CLASS_MADE) != 0;
        end = made ? i + 1 : cleaned_same_end(run, i);
        origin.end = run->items[end - 1].origin.end;
        uint32_t size = origin.end - origin.begin;
        if (made)
            size = (uint32_t)utf8_write(run->items[i].code_point, bytes);
        else
            memcpy(bytes, run->text.bytes + origin.begin, size);
        if (!offset_map_append(map, NULL, size, origin, !made)) return false;
    }
    return true;
}

bool cleaned_copy(Cleaned *cleaned, const SanitizeRun *run, ByteRange range)
{
    const char *bytes = run->source.bytes;
    /* Most texts become no larger. */
    if (!cleaned->bytes && !cleaned_reserve(cleaned, (uint32_t)run->source.size)) return false;
    if (!run->source_map) {
        return cleaned_append(cleaned, bytes + range.begin, range.end - range.begin, range, true);
    }
    OffsetCursor cursor = {0};
    for (uint32_t at = range.begin; at < range.end;) {
        ByteRange origin = offset_map_next(run->source_map, &cursor, (ByteRange){at, range.end});
        uint32_t end = cursor.span.cleaned.end < range.end ? cursor.span.cleaned.end : range.end;
        if (!cleaned_append(cleaned, bytes + at, end - at, origin, cursor.span.copied)) return false;
        at = end;
    }
    return true;
}

bool cleaned_store(Cleaned *cleaned, Arena *arena, TextView *out_text)
{
    uint32_t size = cleaned->map.cleaned_size;
    char *bytes = realloc(cleaned->bytes, size ? size : 1);
    if (!bytes) return false;
    cleaned->bytes = bytes;
    if (!arena_adopt(arena, bytes, size)) return false;
    cleaned->bytes = NULL;
    *out_text = (TextView){bytes, size};
    return true;
}

void cleaned_close(Cleaned *cleaned)
{
    free(cleaned->bytes);
    offset_map_close(&cleaned->map);
    *cleaned = (Cleaned){0};
}
