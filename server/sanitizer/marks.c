/* Stacked marks, and code points without a meaning. */
#include "sanitizer/run.h"
#include "unicode/emoji.h"
#include "unicode/property.h"

enum {
    /* Marks that any letter may take, or of another script than the letter's: no orthography stacks more than three. */
    MARKS_FOREIGN_MAX = 4,
    /* Marks of the letter's own script: vowels, tones, stacked consonants of Tibetan, accents of Hebrew. */
    MARKS_NATIVE_MAX = 10,
    MARKS_NATIVE_KEPT = 4,
    /* Letters in a row that all bear the same strokes or lines. */
    OVERLAID_LETTERS_MIN = 5,
};

/* A base and its marks: items[begin, end). */
typedef struct Cluster {
    uint32_t begin;
    uint32_t end;
    unsigned script; /* of the base */
    uint32_t foreign;
    uint32_t native;
} Cluster;

/* Marks of the first block are no script's own: the answer that ICU would give, at once. */
static bool is_foreign(const SanitizeRun *run, const Cluster *cluster, uint32_t at)
{
    uint32_t mark = run->items[at].code_point;
    if (mark >= 0x300 && mark <= 0x36F) return !(run->items[cluster->begin].classes & CLASS_MARK);
    return unicode_script(mark) != cluster->script;
}

static Cluster read_cluster(const SanitizeRun *run, uint32_t begin)
{
    Cluster cluster = {.begin = begin, .end = begin + 1};
    while (cluster.end < run->count && run->items[cluster.end].classes & CLASS_MARK) cluster.end++;
    if (cluster.end == begin + 1) return cluster;
    cluster.script = unicode_script(run->items[begin].code_point);
    for (uint32_t at = begin + 1; at < cluster.end; at++) {
        if (is_foreign(run, &cluster, at)) cluster.foreign++;
    }
    cluster.native = cluster.end - begin - 1 - cluster.foreign;
    return cluster;
}

static bool is_flooded(const Cluster *cluster)
{
    return cluster->foreign > MARKS_FOREIGN_MAX || cluster->native > MARKS_NATIVE_MAX;
}

/* A reader sees through the marks of others to the letter, so all of them go; of too many of its own, some stay. */
static void drop_marks(SanitizeRun *run, const Cluster *cluster)
{
    uint32_t native_max = cluster->native > MARKS_NATIVE_MAX ? MARKS_NATIVE_KEPT : MARKS_NATIVE_MAX;
    uint32_t native = 0;
    uint32_t count = cluster->foreign + (cluster->native > native_max ? cluster->native - native_max : 0);
    if (count > 0) run_find(run, RULE_MARK_FLOOD, cluster->begin, cluster->end, count);
    for (uint32_t at = cluster->begin + 1; at < cluster->end; at++) {
        if (is_foreign(run, cluster, at) || native++ >= native_max) rewrite_drop(run, at);
    }
}

/* Where one letter is flooded, the marks of the whole word go. */
static void clear_word(SanitizeRun *run, uint32_t begin, uint32_t end)
{
    bool flooded = false;
    Cluster cluster;
    for (uint32_t at = begin; at < end && !flooded; at = cluster.end) {
        cluster = read_cluster(run, at);
        flooded = is_flooded(&cluster);
    }
    for (uint32_t at = begin; at < end && flooded; at = cluster.end) {
        cluster = read_cluster(run, at);
        drop_marks(run, &cluster);
    }
}

static bool is_gap(const SanitizeRun *run, uint32_t at)
{
    return unicode_is_white_space(run->items[at].code_point);
}

/* Words are looked at where marks stand in a row: what stands between white space, and a blank that bears marks. */
static void find_floods(SanitizeRun *run)
{
    uint32_t done = 0, marks = 0;
    for (uint32_t at = 0; at < run->count; at++) {
        marks = run->items[at].classes & CLASS_MARK ? marks + 1 : 0;
        if (marks <= MARKS_FOREIGN_MAX) continue;
        uint32_t begin = at;
        while (begin > done && !is_gap(run, begin - 1)) begin--;
        if (begin > done && run->items[begin].classes & CLASS_MARK) begin--;
        while (at < run->count && !is_gap(run, at)) at++;
        clear_word(run, begin, at);
        done = at;
        marks = 0;
    }
}

/* The end of the letter at `begin` if it bears a stroke or a line; otherwise `begin`. */
static uint32_t overlaid_end(const SanitizeRun *run, uint32_t begin)
{
    uint32_t end = begin + 1;
    if (run->items[begin].classes & CLASS_MARK || end == run->count) return begin;
    if (!(run->items[end].classes & CLASS_OVERLAY)) return begin;
    while (end < run->count && run->items[end].classes & CLASS_MARK) end++;
    return end;
}

static bool bear_the_same(const SanitizeRun *run, uint32_t first, uint32_t second, uint32_t size)
{
    for (uint32_t i = 1; i < size; i++) {
        if (run->items[first + i].code_point != run->items[second + i].code_point) return false;
    }
    return true;
}

static void clear_overlaid(SanitizeRun *run, uint32_t begin, uint32_t end, uint32_t letters)
{
    if (letters < OVERLAID_LETTERS_MIN) return;
    Cluster cluster;
    for (uint32_t at = begin; at < end; at = cluster.end) {
        cluster = read_cluster(run, at);
        drop_marks(run, &cluster);
    }
}

/* Text that is struck through or underlined letter by letter; white space need not be. */
static void find_overlaid(SanitizeRun *run)
{
    uint32_t begin = 0, end = 0, last = 0, letters = 0;
    for (uint32_t at = 0, next; at < run->count; at = next) {
        uint32_t after = overlaid_end(run, at);
        next = after > at ? after : at + 1;
        if (letters > 0 && after == at && is_gap(run, at)) continue;
        bool goes_on =
            letters > 0 && after > at && after - at == end - last && bear_the_same(run, last, at, after - at);
        if (!goes_on) {
            clear_overlaid(run, begin, end, letters);
            begin = at;
            letters = 0;
        }
        if (after == at) continue;
        last = at;
        end = after;
        letters++;
    }
    clear_overlaid(run, begin, end, letters);
}

static void find_reserved(SanitizeRun *run)
{
    bool drops = run_repairs(run, RULE_PRIVATE_UNASSIGNED);
    for (uint32_t at = 0; at < run->count; at++) {
        if (!(run->items[at].classes & CLASS_RESERVED)) continue;
        if (unicode_is_pictographic(run->items[at].code_point)) continue; /* an emoji of tomorrow */
        run_find(run, RULE_PRIVATE_UNASSIGNED, at, at + 1, 1);
        if (drops) rewrite_drop(run, at);
    }
}

void marks_pass(SanitizeRun *run)
{
    if (run->seen & CLASS_MARK) find_floods(run);
    if (run->seen & CLASS_OVERLAY) find_overlaid(run);
    if (run->seen & CLASS_RESERVED) find_reserved(run);
}
