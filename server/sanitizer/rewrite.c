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
    run->size_max = 3 * (line.end - line.begin);
    run->whole = line.begin == 0 && line.end == run->source.size;
    if (!rewrite_reserve(run, &run->items, &run->capacity, line.end - line.begin)) return false;
    Item *item = run->items;
    for (uint32_t at = line.begin; at < line.end; item++) {
        uint32_t code_point, size = (uint32_t)utf8_decode(bytes + at, &code_point);
        *item = (Item){code_point, classes_of(table, code_point), {at, at + size}};
        if (run->source_map) {
            item->origin = offset_map_next(run->source_map, &cursor, item->origin);
            if (!cursor.span.copied) item->classes |= CLASS_MADE;
        }
        at += size;
    }
    run->count = (uint32_t)(item - run->items);
    run->spreads = false;
    rewrite_look_again(run);
    return true;
}

void rewrite_look_again(SanitizeRun *run)
{
    run->seen = 0;
    for (uint32_t i = 0; i < run->count; i++) run->seen |= run->items[i].classes;
}

bool rewrite_is_line(const SanitizeRun *run, ByteRange line)
{
    const char *bytes = run->source.bytes;
    return (line.begin == 0 || bytes[line.begin - 1] == '\n') &&
           (bytes[line.end - 1] == '\n' || line.end == run->source.size);
}

bool rewrite_stays_apart(const SanitizeRun *run, ByteRange line)
{
    return !run->spreads && rewrite_is_line(run, line) && run->count * UTF8_BYTES_MAX < SANITIZE_LINE_BYTES_MAX;
}

/* One item less, or one more. Few that are rewritten are evidence. */
static void rewrite_count(SanitizeRun *run, const Item *item, bool more)
{
    for (int script = 0; (item->classes & CLASSES_EVIDENCE) && script < SCRIPT_COUNT; script++) {
        uint64_t one = classes_evidence(item->classes) >> 16 * script & 1;
        run->letters[script] += more ? one : -one;
    }
    run->spreads |= item->code_point == '\n';
}

void rewrite_replace(SanitizeRun *run, uint32_t index, uint32_t code_point)
{
    assert(index < run->count && code_point <= 0x10FFFF);
    Item *item = &run->items[index];
    rewrite_count(run, item, false);
    item->code_point = code_point;
    item->classes = classes_of(run->table, code_point) | CLASS_MADE;
    rewrite_count(run, item, true);
    run->seen |= item->classes;
    run->changed = true;
}

void rewrite_drop(SanitizeRun *run, uint32_t index)
{
    assert(index < run->count);
    rewrite_count(run, &run->items[index], false);
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
    unsigned classes = classes_of(run->table, code_point) | CLASS_MADE;
    run->seen |= classes;
    rewrite_append(run, (Item){code_point, classes, origin});
}

static bool rewrite_ends_line(const Item *items, uint32_t count)
{
    return count && items[count - 1].code_point == '\n';
}

/* The working text and the spare one change places. */
static void rewrite_swap(SanitizeRun *run)
{
    Item *items = run->items;
    uint32_t capacity = run->capacity;
    run->items = run->spare;
    run->capacity = run->spare_capacity;
    run->count = run->spare_count;
    run->spare = items;
    run->spare_capacity = capacity;
    run->changed = true;
}

/* run->letters when the spare items take the place of the others. */
static void rewrite_count_spare(SanitizeRun *run)
{
    for (uint32_t begin = 0; begin < run->count || begin < run->spare_count; begin += UINT16_MAX) {
        uint64_t before = 0, after = 0;
        for (uint32_t i = begin; i < run->count && i - begin < UINT16_MAX; i++)
            before += classes_evidence(run->items[i].classes);
        for (uint32_t i = begin; i < run->spare_count && i - begin < UINT16_MAX; i++)
            after += classes_evidence(run->spare[i].classes);
        for (int script = 0; script < SCRIPT_COUNT; script++)
            run->letters[script] += (after >> 16 * script & 0xFFFF) - (before >> 16 * script & 0xFFFF);
    }
}

/* What would grow beyond the bound is not rewritten: honest forms never do. */
void rewrite_end(SanitizeRun *run)
{
    if (run->failed) return;
    uint64_t size = 0;
    uint32_t feeds = 0;
    bool same = run->spare_count == run->count;
    for (uint32_t i = 0; i < run->spare_count; i++) {
        uint32_t code_point = run->spare[i].code_point;
        size += code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
        same = same && code_point == run->items[i].code_point;
        feeds += code_point == '\n';
    }
    if (same) return;
    bool ends = rewrite_ends_line(run->spare, run->spare_count);
    run->spreads |= size > run->size_max || feeds != ends || ends != rewrite_ends_line(run->items, run->count);
    if (size > run->size_max) return;
    rewrite_count_spare(run);
    rewrite_swap(run);
}
