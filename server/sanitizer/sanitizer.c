#include "sanitizer/sanitizer.h"

#include "sanitizer/cleaned.h"
#include "sanitizer/scan.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Rounds of all families over a line, and over the text where what became of a line bears on others: three that change
 * something and one that proves that the last changed nothing. */
enum { ROUND_COUNT_MAX = 4, GROWTH_MAX = 3 };

static_assert(GROWTH_MAX * TEXT_BYTES_MAX <= INT32_MAX, "positions and what is between them have 32 bits");

typedef void Pass(SanitizeRun *run);

static Pass *const PASSES[] = {deletions_pass, bidi_pass,  invisible_pass, compat_pass,
                               homoglyph_pass, marks_pass, spelling_pass};

/* Makes U+FFFD of what is malformed, with a finding for each. */
static bool sanitizer_decode(SanitizeRun *run, Cleaned *next)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    TextView text = run->source;
    for (uint32_t at = 0; at < text.size;) {
        size_t valid;
        TextView rest = {text.bytes + at, text.size - at};
        if (utf8_valid(rest, &valid)) valid = rest.size;
        if (!cleaned_copy(next, run, (ByteRange){at, at + (uint32_t)valid})) return false;
        at += (uint32_t)valid;
        if (at == text.size) break;
        uint32_t end = at + (uint32_t)utf8_invalid_size(text.bytes + at, text.size - at);
        run_find_bytes(run, RULE_ENC_INVALID_UTF8, (ByteRange){at, end}, 1, (TextView){NULL, 0});
        if (!cleaned_append(next, replacement, sizeof replacement - 1, (ByteRange){at, end}, false)) return false;
        at = end;
    }
    return true;
}

/* Whether no family would change a line with what there is in run->seen: letters of the text's main script alone. */
static bool sanitizer_is_calm(const SanitizeRun *run)
{
    unsigned scripts = run->seen & CLASSES_SCRIPTS, own = run_main_class(run) ? run_main_class(run) : CLASS_LATIN;
    return !(run->seen & (CLASSES_SUSPECT | CLASS_MARK | CLASS_RETURN)) && !(scripts & ~own) &&
           !(run->options->enabled & SPELLING_RULES);
}

static void sanitizer_pass(SanitizeRun *run)
{
    run->changed = false;
    for (size_t i = 0; i < sizeof PASSES / sizeof PASSES[0] && !run->failed; i++) {
        PASSES[i](run);
        rewrite_sweep(run);
    }
    if (run->changed) rewrite_look_again(run);
}

/* The families, again and again until none changes anything, where that says all about the line. false: no memory. */
static bool sanitizer_line(SanitizeRun *run, ByteRange line)
{
    if (!rewrite_load(run, line)) return false;
    unsigned round = run->round, round_max = rewrite_is_line(run, line) ? ROUND_COUNT_MAX : 1;
    sanitizer_pass(run);
    bool changed = run->changed;
    while (run->changed && !run->failed && !sanitizer_is_calm(run) && run->round + 1 < round + round_max) {
        run->round++;
        sanitizer_pass(run);
    }
    bool rests = !run->changed || sanitizer_is_calm(run);
    run->settled = run->settled && rests && (!changed || rewrite_stays_apart(run, line));
    run->round = round;
    run->changed = changed;
    run_flush(run);
    return !run->failed;
}

/* One round: the suspect lines go through the families. `next` is what becomes of the text if anything changes. */
static bool sanitizer_round(SanitizeRun *run, Cleaned *next, bool *out_changed)
{
    uint32_t done = 0, size = (uint32_t)run->source.size;
    run->settled = true;
    *out_changed = false;
    if (scan_is_plain(run->source) && !run->options->enabled) return true;
    scan_text(run);
    for (ByteRange line = scan_next(run); line.begin < size; line = scan_next(run)) {
        if (!sanitizer_line(run, line)) return false;
        if (!run->changed) continue;
        if (!cleaned_copy(next, run, (ByteRange){done, line.begin})) return false;
        if (!cleaned_append_items(next, run)) return false;
        done = line.end;
        *out_changed = true;
    }
    TextScripts scripts = scan_scripts(run);
    run->settled = run->settled && memcmp(&scripts, &run->scripts, sizeof scripts) == 0;
    return !*out_changed || cleaned_copy(next, run, (ByteRange){done, size});
}

/* What is left of a text that will not come to rest, or that grows too much: printable ASCII, which no rule that is on
 * touches. No honest text gets here. */
static bool sanitizer_keep_plain(SanitizeRun *run, Cleaned *next)
{
    for (uint32_t at = 0; at < run->source.size; at++) {
        unsigned char byte = (unsigned char)run->source.bytes[at];
        bool plain = (byte >= 0x20 && byte <= 0x7E) || byte == '\t' || byte == '\n';
        if (plain && !cleaned_copy(next, run, (ByteRange){at, at + 1})) return false;
    }
    return true;
}

/* `next` becomes the text that is worked on; what it was made of is freed. */
static void sanitizer_take(SanitizeRun *run, Cleaned *now, Cleaned *next)
{
    next->map.original_size = (uint32_t)run->text.size;
    cleaned_close(now);
    *now = *next;
    *next = (Cleaned){0};
    run->source = cleaned_text(now);
    run->source_map = &now->map;
    run->round++;
}

/* Cleans run->text until nothing changes; *now is the result where it differs. */
static bool sanitizer_work(SanitizeRun *run, bool malformed, Cleaned *now, Cleaned *next)
{
    if (malformed) {
        if (!sanitizer_decode(run, next)) return false;
        run_flush(run);
        sanitizer_take(run, now, next);
        run->round = 0;
    }
    for (unsigned round = 0; round < ROUND_COUNT_MAX; round++) {
        bool changed;
        if (!sanitizer_round(run, next, &changed)) return false;
        if (changed) sanitizer_take(run, now, next);
        if (run->source.size > GROWTH_MAX * run->text.size) break;
        if (run->settled) return true;
    }
    if (!sanitizer_keep_plain(run, next)) return false;
    sanitizer_take(run, now, next);
    return true;
}

/* Hands the cleaned text and its map to the caller; under SANITIZE_CLEAN they are the text. */
static bool sanitizer_store(const SanitizeRun *run, Cleaned *now, Arena *arena)
{
    Sanitized *out = run->out;
    out->cleaned_map = offset_map_store(&now->map, arena);
    if (!out->cleaned_map || !cleaned_store(now, arena, &out->cleaned)) return false;
    if (run->options->policy != SANITIZE_CLEAN) return true;
    out->text = out->cleaned;
    out->map = out->cleaned_map;
    out->changed = true;
    return true;
}

static Status sanitizer_look(TextView text, const SanitizeOptions *options, bool malformed, Arena *arena,
                             Sanitized *out, Error *out_error)
{
    Cleaned now = {0}, next = {0};
    bool done = false;
    SanitizeRun *run = calloc(1, sizeof *run);
    if (!run) goto fail;
    run->options = options;
    run->text = run->source = text;
    run->table = classes_table();
    run->out = out;
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        run->looked_for |= (uint64_t)sanitizer_looks_for(options, (SanitizeRule)rule) << rule;
        run->repaired |= (uint64_t)sanitizer_repairs(options, (SanitizeRule)rule) << rule;
    }
    done = sanitizer_work(run, malformed, &now, &next);
    bool stores = options->policy == SANITIZE_CLEAN || options->wants_cleaned;
    if (done && stores && !text_equal(text, run->source)) done = sanitizer_store(run, &now, arena);
fail:
    cleaned_close(&now);
    cleaned_close(&next);
    run_close(run);
    if (done) return STATUS_OK;
    return error_set(out_error, STATUS_NO_MEMORY, "no memory to sanitize %zu bytes", text.size);
}

Status sanitizer_run(TextView text, const SanitizeOptions *options, Arena *arena, Sanitized *out, Error *out_error)
{
    size_t position;
    out->text = out->cleaned = text;
    out->map = out->cleaned_map = NULL;
    out->changed = false;
    out->finding_count = 0;
    memset(out->totals, 0, sizeof out->totals);
    if (text.size > TEXT_BYTES_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%zu bytes of text, the limit is %" PRIu64, text.size,
                         TEXT_BYTES_MAX);
    }
    if (scan_is_plain(text) && !(options->enabled & SPELLING_RULES)) return STATUS_OK;
    bool malformed = !utf8_valid(text, &position);
    if (malformed && options->policy != SANITIZE_CLEAN) {
        uint32_t begin = (uint32_t)position;
        Finding finding = {.rule = RULE_ENC_INVALID_UTF8, .range = {begin, begin}, .count = 1};
        finding.range.end += (uint32_t)utf8_invalid_size(text.bytes + begin, text.size - begin);
        sanitizer_add_finding(out, &finding);
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "not valid UTF-8 at byte %zu", position);
    }
    if (options->policy == SANITIZE_OFF) return STATUS_OK;
    return sanitizer_look(text, options, malformed, arena, out, out_error);
}
