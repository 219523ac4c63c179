#include "sanitizer/offset_map.h"

#include <stdlib.h>

/* A span's code: a byte, and the numbers that do not fit into it: how far its original begins behind the end of the one
 * before, the cleaned bytes, and what these came from unless they are copied. Numbers have seven bits a byte, the low
 * ones first. */
enum {
    CODE_COPIED = 0x80,
    CODE_MOVED = 0x40, /* the original does not begin where the one before ends */
    CODE_COPIED_MAX = 0x3F,
    CODE_CLEANED_MAX = 7, /* sizes as large or larger follow */
    CODE_ORIGINAL_SHIFT = 3,
    CODE_ORIGINAL_MAX = 7,
    CODE_NUMBER_BYTES_MAX = 5,
    CODE_BYTES_MAX = 1 + 3 * CODE_NUMBER_BYTES_MAX,
};

static_assert(sizeof(OffsetBlock) == 128 && CODE_BYTES_MAX <= (int)OFFSET_CODES_MAX,
              "a block has room for a span");

/* ---- Writing ---- */

static uint8_t *code_write(uint8_t *at, uint32_t number)
{
    for (; number > 0x7F; number >>= 7) *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

/* Small differences are small numbers, whatever their sign. */
static uint32_t code_fold(int64_t difference)
{
    return (uint32_t)(difference < 0 ? -2 * difference - 1 : 2 * difference);
}

static uint8_t *code_write_span(uint8_t *at, const OffsetSpan *span, uint32_t original_end)
{
    uint8_t *const code = at++;
    uint32_t head = 0, cleaned = span->cleaned.end - span->cleaned.begin;
    uint32_t original = span->original.end - span->original.begin;
    bool moved = span->original.begin != original_end;
    if (moved) {
        head = CODE_MOVED;
        at = code_write(at, code_fold((int64_t)span->original.begin - original_end));
    }
    if (span->copied) {
        head |= CODE_COPIED | (cleaned < CODE_COPIED_MAX ? cleaned : CODE_COPIED_MAX);
        if (cleaned >= CODE_COPIED_MAX) at = code_write(at, cleaned);
    } else {
        head |= cleaned < CODE_CLEANED_MAX ? cleaned : CODE_CLEANED_MAX;
        head |= (original < CODE_ORIGINAL_MAX ? original : CODE_ORIGINAL_MAX) << CODE_ORIGINAL_SHIFT;
        if (cleaned >= CODE_CLEANED_MAX) at = code_write(at, cleaned);
        if (original >= CODE_ORIGINAL_MAX) at = code_write(at, original);
    }
    *code = (uint8_t)head;
    return at;
}

/* A block more; NULL: no memory. */
static OffsetBlock *offset_map_grow(OffsetMap *map, Arena *arena)
{
    if (map->block_count == map->block_capacity) {
        uint32_t capacity = map->block_capacity ? 2 * map->block_capacity : 2;
        size_t size = capacity * sizeof *map->blocks;
        OffsetBlock *blocks = arena ? arena_allocate(arena, size) : realloc(map->blocks, size);
        if (!blocks) return NULL;
        if (arena && map->block_count) memcpy(blocks, map->blocks, map->block_count * sizeof *blocks);
        map->blocks = blocks;
        map->block_capacity = capacity;
    }
    OffsetBlock *block = &map->blocks[map->block_count++];
    block->cleaned_begin = map->last.cleaned.begin;
    block->original_end = map->original_end;
    block->size = 0;
    return block;
}

/* The block that the next span goes to; NULL: no memory. */
static inline OffsetBlock *offset_map_room(OffsetMap *map, Arena *arena)
{
    OffsetBlock *block = map->block_count ? &map->blocks[map->block_count - 1] : NULL;
    return block && block->size + CODE_BYTES_MAX <= OFFSET_CODES_MAX ? block : offset_map_grow(map, arena);
}

/* Most spans take a byte: they begin where the one before ended, and are short. 0: this one does not. */
static inline uint8_t code_short(const OffsetSpan *span, uint32_t original_end)
{
    uint32_t cleaned = span->cleaned.end - span->cleaned.begin;
    uint32_t original = span->original.end - span->original.begin;
    if (span->original.begin != original_end) return 0;
    if (span->copied) return cleaned < CODE_COPIED_MAX ? (uint8_t)(CODE_COPIED | cleaned) : 0;
    bool fits = cleaned < CODE_CLEANED_MAX && original < CODE_ORIGINAL_MAX;
    return fits ? (uint8_t)(cleaned | original << CODE_ORIGINAL_SHIFT) : 0;
}

bool offset_map_begin(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied)
{
    OffsetSpan *last = &map->last;
    if (last->cleaned.end > last->cleaned.begin) {
        OffsetBlock *block = offset_map_room(map, arena);
        if (!block) return false;
        uint8_t *end = block->codes + block->size, code = code_short(last, map->original_end);
        if (code)
            *end++ = code;
        else
            end = code_write_span(end, last, map->original_end);
        block->size = (uint8_t)(end - block->codes);
        bool shared = original.begin == last->original.begin && !copied; /* of one that became several */
        if (original.begin < last->original.end && !shared) map->reordered = true;
        map->original_end = last->original.end;
    }
    *last = (OffsetSpan){{map->cleaned_size, map->cleaned_size + size}, original, copied};
    map->cleaned_size += size;
    return true;
}

uint64_t offset_map_bytes(const OffsetMap *map)
{
    return sizeof *map + (uint64_t)map->block_count * sizeof *map->blocks;
}

const OffsetMap *offset_map_store(const OffsetMap *map, Arena *arena)
{
    OffsetMap *stored = arena_allocate(arena, sizeof *stored);
    OffsetBlock *blocks = arena_allocate(arena, map->block_count * sizeof *blocks);
    if (!stored || !blocks) return NULL;
    *stored = *map;
    stored->blocks = blocks;
    stored->block_capacity = map->block_count;
    if (map->block_count) memcpy(blocks, map->blocks, map->block_count * sizeof *blocks);
    return stored;
}

void offset_map_close(OffsetMap *map)
{
    free(map->blocks);
    *map = (OffsetMap){0};
}

/* ---- Reading ---- */

static uint32_t code_read(const uint8_t *codes, uint32_t *at)
{
    uint32_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = codes[(*at)++];
        number |= (uint32_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return number;
    }
}

/* Goes on to the next span; behind the last one stays there. */
static void cursor_step(const OffsetMap *map, OffsetCursor *cursor)
{
    if (cursor->block < map->block_count && cursor->at == map->blocks[cursor->block].size) {
        cursor->block++;
        cursor->at = 0;
    }
    if (cursor->block == map->block_count) {
        cursor->span = map->last;
        return;
    }
    const uint8_t *codes = map->blocks[cursor->block].codes;
    OffsetSpan *span = &cursor->span;
    uint32_t at = cursor->at, head = codes[at++], begin = span->original.end;
    if (head & CODE_MOVED) {
        uint32_t folded = code_read(codes, &at);
        begin += folded & 1 ? ~(folded >> 1) : folded >> 1;
    }
    uint32_t cleaned = head & CODE_COPIED ? head & CODE_COPIED_MAX : head & CODE_CLEANED_MAX;
    if (cleaned == (head & CODE_COPIED ? CODE_COPIED_MAX : CODE_CLEANED_MAX)) cleaned = code_read(codes, &at);
    uint32_t original = head >> CODE_ORIGINAL_SHIFT & CODE_ORIGINAL_MAX;
    if (head & CODE_COPIED)
        original = cleaned;
    else if (original == CODE_ORIGINAL_MAX)
        original = code_read(codes, &at);
    *span = (OffsetSpan){
        {span->cleaned.end, span->cleaned.end + cleaned}, {begin, begin + original}, (head & CODE_COPIED) != 0};
    cursor->at = at;
}

/* Before the first span of the block. */
static OffsetCursor cursor_at_block(const OffsetMap *map, uint32_t block)
{
    OffsetCursor cursor = {.block = block};
    if (block < map->block_count) {
        cursor.span.cleaned.end = map->blocks[block].cleaned_begin;
        cursor.span.original.end = map->blocks[block].original_end;
    }
    return cursor;
}

/* At the span that holds the byte at `position`, or at the last one. */
static OffsetCursor cursor_find(const OffsetMap *map, uint32_t position)
{
    uint32_t low = 0, high = map->block_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (map->blocks[middle].cleaned_begin <= position)
            low = middle;
        else
            high = middle;
    }
    if (position >= map->last.cleaned.begin) low = map->block_count;
    OffsetCursor cursor = cursor_at_block(map, low);
    do {
        cursor_step(map, &cursor);
    } while (cursor.span.cleaned.end <= position && cursor.span.cleaned.end < map->cleaned_size);
    return cursor;
}

/* The original bytes of what `cleaned` has of the span. */
static ByteRange span_part(const OffsetSpan *span, ByteRange cleaned)
{
    if (!span->copied) return span->original;
    uint32_t from = cleaned.begin > span->cleaned.begin ? cleaned.begin - span->cleaned.begin : 0;
    uint32_t to = (cleaned.end < span->cleaned.end ? cleaned.end : span->cleaned.end) - span->cleaned.begin;
    return (ByteRange){span->original.begin + from, span->original.begin + to};
}

ByteRange offset_map_seek(const OffsetMap *map, OffsetCursor *cursor, ByteRange cleaned)
{
    bool begun = cursor->span.cleaned.end > 0 && cleaned.begin >= cursor->span.cleaned.begin;
    if (!begun) *cursor = cursor_find(map, cleaned.begin);
    while (cursor->span.cleaned.end <= cleaned.begin) cursor_step(map, cursor);
    return span_part(&cursor->span, cleaned);
}

static void range_include(ByteRange *range, ByteRange part)
{
    if (part.begin < range->begin) range->begin = part.begin;
    if (part.end > range->end) range->end = part.end;
}

ByteRange sanitizer_original_range(const OffsetMap *map, ByteRange cleaned)
{
    if (!map) return cleaned;
    assert(cleaned.begin <= cleaned.end && cleaned.end <= map->cleaned_size);
    if (cleaned.begin == cleaned.end) {
        uint32_t at = map->original_size;
        if (cleaned.begin < map->cleaned_size) {
            OffsetCursor found = cursor_find(map, cleaned.begin);
            at = span_part(&found.span, (ByteRange){cleaned.begin, cleaned.begin + 1}).begin;
        }
        return (ByteRange){at, at};
    }
    OffsetCursor cursor = cursor_find(map, cleaned.begin);
    ByteRange range = span_part(&cursor.span, cleaned);
    if (!map->reordered && cursor.span.cleaned.end < cleaned.end) {
        cursor = cursor_find(map, cleaned.end - 1);
        range.end = span_part(&cursor.span, cleaned).end;
    }
    while (cursor.span.cleaned.end < cleaned.end) {
        cursor_step(map, &cursor);
        range_include(&range, span_part(&cursor.span, cleaned));
    }
    return range;
}
