#include "sanitizer/sanitizer.h"

#include "base/limits.h"
#include "sanitizer/scan.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

/* Rounds of all families until nothing changes. */
enum { ROUND_COUNT_MAX = 3 };

typedef void Pass(SanitizeRun *run);

static Pass *const PASSES[] = {deletions_pass, bidi_pass, invisible_pass, compat_pass, homoglyph_pass, marks_pass};

/* Works on the items until no family changes them. */
static void sanitizer_clean_line(SanitizeRun *run)
{
    for (run->round = 0; run->round < ROUND_COUNT_MAX && !run->failed; run->round++) {
        run->changed = false;
        for (size_t i = 0; i < sizeof PASSES / sizeof PASSES[0] && !run->failed; i++) {
            PASSES[i](run);
            rewrite_sweep(run);
        }
        run_flush(run);
        if (!run->changed) return;
    }
}

/* The cleaned text as it grows: bytes of `size_max`, and where they came from. */
typedef struct CleanedText {
    char *bytes;
    OffsetMap *map;
    Arena *arena;
} CleanedText;

static bool cleaned_append(CleanedText *cleaned, const char *bytes, uint32_t size, ByteRange origin, bool copied)
{
    if (size) memcpy(cleaned->bytes + cleaned->map->cleaned_size, bytes, size);
    return offset_map_append(cleaned->map, cleaned->arena, size, origin, copied);
}

/* Appends original bytes as they are. */
static bool cleaned_copy(CleanedText *cleaned, TextView text, ByteRange range)
{
    return cleaned_append(cleaned, text.bytes + range.begin, range.end - range.begin, range, true);
}

static bool cleaned_append_items(CleanedText *cleaned, const SanitizeRun *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        char bytes[UTF8_BYTES_MAX];
        const Item *item = &run->items[i];
        uint32_t size = (uint32_t)utf8_write(item->code_point, bytes);
        const char *original = run->text.bytes + item->origin.begin;
        bool copied = size == item->origin.end - item->origin.begin && memcmp(original, bytes, size) == 0;
        if (!cleaned_append(cleaned, bytes, size, item->origin, copied)) return false;
    }
    return true;
}

static bool cleaned_open(CleanedText *cleaned, TextView text, const SuspectLine *lines, Arena *arena)
{
    size_t size = text.size;
    for (const SuspectLine *line = lines; line; line = line->next)
        size += 2 * (line->range.end - line->range.begin);
    cleaned->arena = arena;
    cleaned->bytes = arena_allocate(arena, size);
    cleaned->map = arena_allocate_zeroed(arena, 1, sizeof *cleaned->map);
    if (!cleaned->bytes || !cleaned->map) return false;
    cleaned->map->original_size = (uint32_t)text.size;
    return true;
}

/* Looks at the suspect lines; with `cleaned`, writes the whole text anew. */
static bool sanitizer_work(SanitizeRun *run, const SuspectLine *lines, CleanedText *cleaned)
{
    uint32_t done = 0;
    for (const SuspectLine *line = lines; line; line = line->next) {
        if (!rewrite_load(run, line->range)) return false;
        sanitizer_clean_line(run);
        if (run->failed) return false;
        if (!cleaned) continue;
        if (!cleaned_copy(cleaned, run->text, (ByteRange){done, line->range.begin})) return false;
        if (!cleaned_append_items(cleaned, run)) return false;
        done = line->range.end;
    }
    return !cleaned || cleaned_copy(cleaned, run->text, (ByteRange){done, (uint32_t)run->text.size});
}

static Status sanitizer_look(TextView text, const SanitizeOptions *options, Arena *arena, Sanitized *out,
                             Error *out_error)
{
    SuspectLine *lines;
    CleanedText cleaned;
    Status status = STATUS_NO_MEMORY;
    bool rewrites = options->policy == SANITIZE_CLEAN;
    SanitizeRun *run = calloc(1, sizeof *run);
    if (!run) return error_set(out_error, STATUS_NO_MEMORY, "no memory to sanitize %zu bytes", text.size);
    run->options = options;
    run->text = text;
    run->table = classes_table();
    run->out = out;
    if (!scan_text(run, arena, &lines)) goto fail;
    status = STATUS_OK;
    if (!lines) goto fail;
    status = STATUS_NO_MEMORY;
    if (rewrites && !cleaned_open(&cleaned, text, lines, arena)) goto fail;
    if (!sanitizer_work(run, lines, rewrites ? &cleaned : NULL)) goto fail;
    status = STATUS_OK;
    if (rewrites && !text_equal(text, (TextView){cleaned.bytes, cleaned.map->cleaned_size})) {
        out->text = (TextView){cleaned.bytes, cleaned.map->cleaned_size};
        out->map = cleaned.map;
        out->changed = true;
    }
fail:
    free(run->items);
    free(run->spare);
    free(run);
    if (status) error_set(out_error, status, "no memory to sanitize %zu bytes", text.size);
    return status;
}

Status sanitizer_run(TextView text, const SanitizeOptions *options, Arena *arena, Sanitized *out, Error *out_error)
{
    size_t position;
    out->text = text;
    out->map = NULL;
    out->changed = false;
    out->finding_count = 0;
    memset(out->totals, 0, sizeof out->totals);
    if (text.size > TEXT_BYTES_MAX) return error_set(out_error, STATUS_INVALID_ARGUMENT, "%zu bytes", text.size);
    if (!utf8_valid(text, &position)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "not valid UTF-8 at byte %zu", position);
    }
    return options->policy == SANITIZE_OFF ? STATUS_OK : sanitizer_look(text, options, arena, out, out_error);
}
