/* What a terminal takes away: characters behind which a backspace, a delete or a lone carriage return stands, and
 * control characters themselves, with the escape sequences that they begin (ECMA-48). */
#include "sanitizer/run.h"

enum {
    CONTROL_BACKSPACE = 0x08,
    CONTROL_BELL = 0x07,
    CONTROL_ESCAPE = 0x1B,
    CONTROL_DELETE = 0x7F,
    CONTROL_NEXT_LINE = 0x85,
    CONTROL_CSI = 0x9B,
    CONTROL_STRING_TERMINATOR = 0x9C,
    CONTROL_REPLACEMENT = 0xFFFD,
    /* Parameters of an escape sequence: colours take up to 19. */
    CONTROL_PARAMETERS_MAX = 32,
};

static bool deletions_takes_space(const Item *item)
{
    return (item->classes & (CLASS_MARK | CLASS_INVISIBLE | CLASS_BIDI | CLASS_CONTROL)) == 0;
}

static void deletions_replace_nul(SanitizeRun *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->items[i].code_point != 0) continue;
        run_find(run, RULE_ENC_INVALID_UTF8, i, i + 1, 1);
        rewrite_replace(run, i, CONTROL_REPLACEMENT);
    }
}

/* Adds a finding for each row of items that are gone, and takes them out. */
static void deletions_report(SanitizeRun *run)
{
    for (uint32_t i = 0; i < run->count;) {
        uint32_t begin = i;
        while (i < run->count && run->items[i].code_point == REWRITE_GONE) i++;
        if (begin < i)
            run_find(run, RULE_CTRL_DELETE, begin, i, i - begin);
        else
            i++;
    }
    rewrite_sweep(run);
}

/* Each backspace takes the code point before it that is not taken yet, and whatever takes no space between. Seen from
 * the end: backspaces wait for what they take. */
static void deletions_apply_backspaces(SanitizeRun *run)
{
    uint32_t waiting = 0;
    for (uint32_t i = run->count; i-- > 0;) {
        const Item *item = &run->items[i];
        if (item->code_point == '\r') {
            waiting = 0;
        } else if (item->code_point == CONTROL_BACKSPACE || item->code_point == CONTROL_DELETE) {
            waiting++;
            rewrite_drop(run, i);
        } else if (waiting) {
            bool counts = (item->classes & (CLASS_INVISIBLE | CLASS_BIDI | CLASS_CONTROL)) == 0;
            rewrite_drop(run, i);
            if (counts) waiting--;
        }
    }
    deletions_report(run);
}

/* Where the line's own end begins: its line feed and the carriage returns before it. */
static uint32_t deletions_content_end(const SanitizeRun *run)
{
    uint32_t end = run->count;
    if (end && run->items[end - 1].code_point == '\n') end--;
    while (end && run->items[end - 1].code_point == '\r') end--;
    return end;
}

/* The end of the segment that begins at `begin`, and how many cells it takes on a terminal. */
static uint32_t deletions_segment(const SanitizeRun *run, uint32_t begin, uint32_t end, uint32_t *out_cells)
{
    *out_cells = 0;
    for (; begin < end && run->items[begin].code_point != '\r'; begin++) {
        *out_cells += deletions_takes_space(&run->items[begin]);
    }
    return begin;
}

/* Whether the carriage returns overwrite: not where nothing stands before or behind them, and not where they are a
 * text's only line ends, which a last line that covers all others makes unlikely. */
static bool deletions_overwrites(const SanitizeRun *run, uint32_t end)
{
    uint32_t cells = 0, widest_before = 0, used = 0, returns = 0;
    for (uint32_t at = 0; at <= end; at++) {
        if (cells > widest_before) widest_before = cells;
        at = deletions_segment(run, at, end, &cells);
        used += cells > 0;
        returns += at < end;
    }
    if (returns == 0 || used < 2) return false;
    bool only_ends = run->whole && run->items[run->count - 1].code_point != '\n';
    return returns == 1 || !only_ends || cells >= widest_before;
}

/* Writes the line as it is seen: from the last segment to the first, what the later ones do not cover. */
static void deletions_overwrite(SanitizeRun *run)
{
    uint32_t end = deletions_content_end(run), covered = 0, last_return = 0;
    if (end == 0 || !deletions_overwrites(run, end)) return;
    rewrite_begin(run);
    for (uint32_t segment_end = end;;) {
        uint32_t begin = segment_end, cells = 0;
        while (begin > 0 && run->items[begin - 1].code_point != '\r') begin--;
        if (segment_end == end) last_return = begin;
        for (uint32_t i = begin; i < segment_end; i++) {
            cells += deletions_takes_space(&run->items[i]);
            if (cells > covered) rewrite_keep(run, i);
        }
        if (cells > covered) covered = cells;
        if (begin == 0) break;
        segment_end = begin - 1;
    }
    uint32_t kept = run->spare_count;
    for (uint32_t i = end; i < run->count; i++) rewrite_keep(run, i);
    run_find(run, RULE_CTRL_DELETE, 0, last_return, end - kept);
    rewrite_end(run);
}

/* The end of the escape sequence that begins at `begin`; `begin` where none does. Only what sets colours, moves or
 * erases, so that an escape thrown into a text takes nothing with it. */
static uint32_t deletions_escape(const SanitizeRun *run, uint32_t begin)
{
    uint32_t at = begin + 1;
    if (run->items[begin].code_point == CONTROL_ESCAPE) {
        if (at == run->count || run->items[at].code_point != '[') return begin;
        at++;
    }
    for (uint32_t count = 0; at < run->count && count <= CONTROL_PARAMETERS_MAX; count++, at++) {
        uint32_t code_point = run->items[at].code_point;
        if (code_point < 0x80 && code_point && strchr("ABCDEFGHJKSTfhlmnsu", (int)code_point)) return at + 1;
        if ((code_point < '0' || code_point > ';') && code_point != '?') break;
    }
    return begin;
}

/* The same of an operating system command, a title or a link, which nothing shows. */
static uint32_t deletions_command(const SanitizeRun *run, uint32_t begin)
{
    if (begin + 1 == run->count || run->items[begin + 1].code_point != ']') return begin;
    for (uint32_t at = begin + 2; at < run->count; at++) {
        uint32_t code_point = run->items[at].code_point;
        if (code_point == CONTROL_BELL || code_point == CONTROL_STRING_TERMINATOR) return at + 1;
        if (code_point != CONTROL_ESCAPE) continue;
        return at + 1 < run->count && run->items[at + 1].code_point == '\\' ? at + 2 : begin;
    }
    return begin;
}

/* Form feeds and their like are white space unless they stand inside a word. */
static bool deletions_is_space(const SanitizeRun *run, uint32_t index)
{
    uint32_t code_point = run->items[index].code_point;
    if (code_point != '\f' && code_point != '\v' && code_point != CONTROL_NEXT_LINE) return false;
    bool after_word = index > 0 && (run->items[index - 1].classes & CLASS_WORD);
    bool before_word = index + 1 < run->count && (run->items[index + 1].classes & CLASS_WORD);
    return !(after_word && before_word);
}

static void deletions_drop_controls(SanitizeRun *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const Item *item = &run->items[i];
        if (!(item->classes & CLASS_CONTROL) || deletions_is_space(run, i)) continue;
        uint32_t end = i;
        if (item->code_point == CONTROL_ESCAPE || item->code_point == CONTROL_CSI) end = deletions_escape(run, i);
        if (end == i && item->code_point == CONTROL_ESCAPE) end = deletions_command(run, i);
        if (end == i) end = i + 1;
        run_find(run, RULE_CTRL_OTHER, i, end, end - i);
        for (uint32_t k = i; k < end; k++) rewrite_drop(run, k);
        i = end - 1;
    }
}

void deletions_pass(SanitizeRun *run)
{
    bool controls = (run->seen & CLASS_CONTROL) != 0, returns = (run->seen & CLASS_RETURN) != 0;
    if (controls) {
        deletions_replace_nul(run);
        deletions_apply_backspaces(run);
    }
    if (returns) deletions_overwrite(run);
    if (controls) deletions_drop_controls(run);
}
