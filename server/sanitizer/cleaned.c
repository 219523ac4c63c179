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

/* One code point, `size` bytes, that came from `origin` of the original. */
static bool cleaned_append_one(Cleaned *cleaned, const SanitizeRun *run, const char *bytes, uint32_t size,
                               ByteRange origin)
{
    bool copied = size == origin.end - origin.begin && memcmp(run->text.bytes + origin.begin, bytes, size) == 0;
    return cleaned_append(cleaned, bytes, size, origin, copied);
}

bool cleaned_append_items(Cleaned *cleaned, const SanitizeRun *run)
{
    OffsetMap *map = &cleaned->map;
    if (!cleaned_reserve(cleaned, run->count * UTF8_BYTES_MAX)) return false;
    for (uint32_t i = 0; i < run->count; i++) {
        char *bytes = cleaned->bytes + map->cleaned_size;
        ByteRange origin = run->items[i].origin;
        const char *original = run->text.bytes + origin.begin;
        uint32_t code_point = run->items[i].code_point, size = origin.end - origin.begin;
        bool copied;
        if (code_point < 0x80) {
            *bytes = (char)code_point;
            copied = size == 1 && *original == *bytes;
            size = 1;
        } else {
            uint32_t written = (uint32_t)utf8_write(code_point, bytes);
            copied = size == written && memcmp(original, bytes, size) == 0;
            size = written;
        }
        if (!offset_map_append(map, NULL, size, origin, copied)) return false;
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
        uint32_t size = (uint32_t)text_utf8_size(bytes + at, range.end - at);
        ByteRange origin = offset_map_next(run->source_map, &cursor, (ByteRange){at, at + size});
        if (!cleaned_append_one(cleaned, run, bytes + at, size, origin)) return false;
        at += size;
    }
    return true;
}

void cleaned_close(Cleaned *cleaned)
{
    free(cleaned->bytes);
    offset_map_close(&cleaned->map);
    *cleaned = (Cleaned){0};
}
