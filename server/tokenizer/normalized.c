/* Growing, filling and appending. */
#include "tokenizer/normalized.h"

#include "base/limits.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

enum { NORMALIZED_CAPACITY_MIN = 256 };

void normalized_close(Normalized *normalized)
{
    free(normalized->bytes);
    free(normalized->origins);
    *normalized = (Normalized){0};
}

Status normalized_check(Normalized *normalized, Error *out_error)
{
    NormalizedFailure failure = normalized->failed;
    normalized->failed = NORMALIZED_SOUND;
    switch (failure) {
    case NORMALIZED_SOUND:
        return STATUS_OK;
    case NORMALIZED_NO_MEMORY:
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for a text of %u bytes and more",
                         normalized->capacity);
    case NORMALIZED_TOO_LARGE:
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the tokenizer makes more than %d times as much of the text: send less at once",
                         NORMALIZED_GROWTH_MAX);
    case NORMALIZED_TOO_SLOW:
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "a pattern of the tokenizer takes too many steps for this text: send less at once");
    }
    return STATUS_OK;
}

uint32_t normalized_size_max(size_t size)
{
    return (uint32_t)(NORMALIZED_BASE_BYTES + NORMALIZED_GROWTH_MAX * size);
}

bool normalized_reserve(Normalized *normalized, uint32_t more)
{
    if (normalized->capacity - normalized->size >= more) return true;
    uint64_t size_max = normalized->size_max ? normalized->size_max : INT32_MAX;
    if ((uint64_t)normalized->size + more > size_max) {
        normalized->failed = NORMALIZED_TOO_LARGE;
        return false;
    }
    uint64_t capacity = (uint64_t)normalized->capacity + normalized->capacity / 2 + more;
    if (capacity < NORMALIZED_CAPACITY_MIN) capacity = NORMALIZED_CAPACITY_MIN;
    char *bytes = realloc(normalized->bytes, capacity);
    if (bytes) normalized->bytes = bytes;
    ByteRange *origins = bytes ? realloc(normalized->origins, capacity * sizeof *origins) : NULL;
    if (origins) normalized->origins = origins;
    if (!bytes || !origins) {
        normalized->failed = NORMALIZED_NO_MEMORY;
        return false;
    }
    normalized->capacity = (uint32_t)capacity;
    return true;
}

void normalized_append(Normalized *normalized, uint32_t code_point, ByteRange origin)
{
    if (!normalized_reserve(normalized, UTF8_BYTES_MAX)) return;
    size_t size = utf8_write(code_point, normalized->bytes + normalized->size);
    for (size_t i = 0; i < size; i++) normalized->origins[normalized->size + i] = origin;
    normalized->size += (uint32_t)size;
}

void normalized_append_text(Normalized *normalized, TextView text, ByteRange origin)
{
    uint32_t size = (uint32_t)text.size;
    if (size == 0 || !normalized_reserve(normalized, size)) return;
    memcpy(normalized->bytes + normalized->size, text.bytes, size);
    for (uint32_t i = 0; i < size; i++) normalized->origins[normalized->size + i] = origin;
    normalized->size += size;
}

void normalized_append_range(Normalized *normalized, const Normalized *from, uint32_t begin, uint32_t end)
{
    assert(begin <= end && end <= from->size);
    uint32_t size = end - begin;
    if (size == 0 || !normalized_reserve(normalized, size)) return;
    memcpy(normalized->bytes + normalized->size, from->bytes + begin, size);
    memcpy(normalized->origins + normalized->size, from->origins + begin, size * sizeof *from->origins);
    normalized->size += size;
}

void normalized_start(Normalized *normalized, TextView text, ByteRange range)
{
    assert(range.begin <= range.end && range.end <= text.size);
    normalized->size = 0;
    normalized->begin = range.begin;
    uint32_t size = range.end - range.begin;
    if (size == 0 || !normalized_reserve(normalized, size)) return;
    memcpy(normalized->bytes, text.bytes + range.begin, size);
    for (uint32_t at = range.begin; at < range.end;) {
        uint32_t code_point, end = at + (uint32_t)utf8_decode(text.bytes + at, &code_point);
        ByteRange origin = {at, end};
        for (; at < end; at++) normalized->origins[at - range.begin] = origin;
    }
    normalized->size = size;
}
