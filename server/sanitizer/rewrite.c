/* The working text: a line as items, rewritten in place or anew. */
#include "sanitizer/run.h"

#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

/* Room for `count` items in both texts. */
static bool rewrite_reserve(SanitizeRun *run, uint32_t count)
{
    if (count <= run->capacity) return true;
    uint32_t capacity = count < 256 ? 256 : count + count / 2;
    Item *items = realloc(run->items, capacity * sizeof *items);
    if (items) run->items = items;
    Item *spare = items ? realloc(run->spare, capacity * sizeof *spare) : NULL;
    if (spare) run->spare = spare;
    if (spare)
        run->capacity = capacity;
    else
        run->failed = true;
    return spare != NULL;
}

bool rewrite_load(SanitizeRun *run, ByteRange line)
{
    run->count = 0;
    run->size_max = 3 * (line.end - line.begin);
    if (!rewrite_reserve(run, line.end - line.begin)) return false;
    for (uint32_t at = line.begin; at < line.end;) {
        uint32_t code_point;
        uint32_t size = (uint32_t)utf8_decode(run->text.bytes + at, &code_point);
        run->items[run->count++] = (Item){code_point, classes_of(run->table, code_point), {at, at + size}};
        at += size;
    }
    return true;
}

void rewrite_replace(SanitizeRun *run, uint32_t index, uint32_t code_point)
{
    assert(index < run->count && code_point <= 0x10FFFF);
    run->items[index].code_point = code_point;
    run->items[index].classes = classes_of(run->table, code_point);
    run->changed = true;
}

void rewrite_drop(SanitizeRun *run, uint32_t index)
{
    assert(index < run->count);
    run->items[index].code_point = REWRITE_GONE;
    run->items[index].classes = 0;
    run->changed = true;
}

void rewrite_sweep(SanitizeRun *run)
{
    uint32_t count = 0;
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
    if (run->failed || !rewrite_reserve(run, run->spare_count + 1)) return;
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
    rewrite_append(run, (Item){code_point, classes_of(run->table, code_point), origin});
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
    run->items = run->spare;
    run->count = run->spare_count;
    run->spare = items;
    run->changed = true;
}
