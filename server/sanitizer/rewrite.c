/* The working text: a line as items, rewritten in place or anew. */
#include "sanitizer/run.h"

#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

static bool rewrite_reserve(SanitizeRun *run, Item **items, uint32_t *capacity, uint32_t count)
{
    if (count <= *capacity) return true;
    uint32_t wanted = count < 256 ? 256 : count + count / 2;
    Item *larger = realloc(*items, wanted * sizeof *larger);
    run->failed = run->failed || !larger;
    if (!larger) return false;
    *items = larger;
    *capacity = wanted;
    return true;
}

bool rewrite_load(SanitizeRun *run, ByteRange line)
{
    const char *bytes = run->source.bytes;
    const ClassTable *table = run->table;
    OffsetCursor cursor = {0};
    uint32_t seen = 0;
    run->size_max = 3 * (line.end - line.begin);
    run->whole = line.begin == 0 && line.end == run->source.size;
    if (!rewrite_reserve(run, &run->items, &run->capacity, line.end - line.begin)) return false;
    Item *item = run->items;
    for (uint32_t at = line.begin; at < line.end; item++) {
        uint32_t code_point, size = (uint32_t)utf8_decode(bytes + at, &code_point);
        *item = (Item){code_point, classes_of(table, code_point), {at, at + size}};
        if (run->source_map) item->origin = offset_map_next(run->source_map, &cursor, item->origin);
        seen |= item->classes;
        at += size;
    }
    run->count = (uint32_t)(item - run->items);
    run->seen = seen;
    return true;
}

void rewrite_replace(SanitizeRun *run, uint32_t index, uint32_t code_point)
{
    assert(index < run->count && code_point <= 0x10FFFF);
    run->items[index].code_point = code_point;
    run->items[index].classes = classes_of(run->table, code_point);
    run->seen |= run->items[index].classes;
    run->changed = true;
}

void rewrite_drop(SanitizeRun *run, uint32_t index)
{
    assert(index < run->count);
    run->items[index].code_point = REWRITE_GONE;
    run->items[index].classes = 0;
    run->gone = run->changed = true;
}

void rewrite_sweep(SanitizeRun *run)
{
    uint32_t count = 0;
    if (!run->gone) return;
    run->gone = false;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->items[i].code_point != REWRITE_GONE) run->items[count++] = run->items[i];
    }
    run->count = count;
}

void rewrite_begin(SanitizeRun *run)
{
    run->spare_count = 0;
}

static void rewrite_append(SanitizeRun *run, Item item)
{
    if (run->failed || !rewrite_reserve(run, &run->spare, &run->spare_capacity, run->spare_count + 1)) return;
    run->spare[run->spare_count++] = item;
}

void rewrite_keep(SanitizeRun *run, uint32_t index)
{
    assert(index < run->count);
    rewrite_append(run, run->items[index]);
}

void rewrite_put(SanitizeRun *run, uint32_t code_point, ByteRange origin)
{
    assert(code_point <= 0x10FFFF);
    unsigned classes = classes_of(run->table, code_point);
    run->seen |= classes;
    rewrite_append(run, (Item){code_point, classes, origin});
}

/* What would grow beyond the bound is not rewritten: honest forms never do. */
void rewrite_end(SanitizeRun *run)
{
    if (run->failed) return;
    uint64_t size = 0;
    bool same = run->spare_count == run->count;
    for (uint32_t i = 0; i < run->spare_count; i++) {
        uint32_t code_point = run->spare[i].code_point;
        size += code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
        same = same && code_point == run->items[i].code_point;
    }
    if (same || size > run->size_max) return;
    Item *items = run->items;
    uint32_t capacity = run->capacity;
    run->items = run->spare;
    run->capacity = run->spare_capacity;
    run->count = run->spare_count;
    run->spare = items;
    run->spare_capacity = capacity;
    run->changed = true;
}
