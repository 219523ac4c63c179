/* Directions that are forced: a span under an override is put into the order that a reader sees, which stripping the
 * controls would not do (Boucher et al. 2022: swaps of LRO LRI RLO LRI x PDI LRI y PDI PDF PDI PDF). What right-to-left
 * scripts do by themselves is never touched, and neither are embeddings and isolates that are closed and stand where a
 * word begins. */
#include "sanitizer/run.h"

#include "unicode/utf8.h"

enum {
    BIDI_LRE = 0x202A,
    BIDI_RLE = 0x202B,
    BIDI_PDF = 0x202C,
    BIDI_LRO = 0x202D,
    BIDI_RLO = 0x202E,
    BIDI_LRI = 0x2066,
    BIDI_RLI = 0x2067,
    BIDI_FSI = 0x2068,
    BIDI_PDI = 0x2069,
};

#define BIDI_NONE UINT32_MAX

/* The structure of a line, by item. */
typedef struct BidiLine {
    SanitizeRun *run;
    uint32_t *partner; /* what closes it, or what it closes; BIDI_NONE */
    uint32_t *end;     /* where what begins here ends at the latest: behind its partner, or where it is cut off */
    uint32_t *right;   /* [count + 1]: right-to-left letters before it */
    uint32_t *points;  /* [count + 1]: a span's code points */
    uint32_t *order;   /* [count + 1]: and how they are seen */
    uint32_t *spare;   /* [count + 1] */
    uint8_t *inside;   /* whether it splits a word */
    uint8_t *wraps;    /* whether it opens what encloses an override alone */
    uint32_t settled;  /* up to here no letter is moved by embeddings */
} BidiLine;

static bool bidi_ends_paragraph(uint32_t code_point)
{
    return code_point == '\n' || code_point == '\r' || code_point == 0x85 || code_point == 0x2029 ||
           (code_point >= 0x1C && code_point <= 0x1E);
}

static bool bidi_isolates(uint32_t code_point)
{
    return code_point >= BIDI_LRI && code_point <= BIDI_FSI;
}

static bool bidi_overrides(uint32_t code_point)
{
    return code_point == BIDI_LRO || code_point == BIDI_RLO;
}

static bool bidi_closes(uint32_t code_point)
{
    return code_point == BIDI_PDF || code_point == BIDI_PDI;
}

/* Finds for everything that opens what closes it (UAX 9, BD9 to BD11, X7): a PDI closes the last isolate and cuts off
 * what was opened within, a PDF the last embedding unless an isolate was opened since. */
static void bidi_match(BidiLine *line, uint32_t *stack)
{
    const SanitizeRun *run = line->run;
    uint32_t depth = 0, isolates = 0;
    line->right[0] = 0;
    for (uint32_t i = 0; i <= run->count; i++) {
        uint32_t code_point = i < run->count ? run->items[i].code_point : '\n';
        if (i < run->count) {
            line->partner[i] = BIDI_NONE;
            line->end[i] = i + 1;
            line->right[i + 1] = line->right[i] + ((run->items[i].classes & CLASS_RIGHT_TO_LEFT) != 0);
        }
        if (bidi_ends_paragraph(code_point)) {
            while (depth) line->end[stack[--depth]] = i;
            isolates = 0;
        } else if (code_point == BIDI_PDI ? isolates > 0 : code_point == BIDI_PDF) {
            while (code_point == BIDI_PDI && !bidi_isolates(run->items[stack[depth - 1]].code_point)) {
                line->end[stack[--depth]] = i;
            }
            if (depth == 0) continue;
            uint32_t open = stack[depth - 1];
            if (code_point == BIDI_PDF && bidi_isolates(run->items[open].code_point)) continue;
            isolates -= code_point == BIDI_PDI;
            depth--;
            line->partner[i] = open;
            line->partner[open] = i;
            line->end[open] = i + 1;
        } else if (i < run->count && (run->items[i].classes & CLASS_BIDI) && !bidi_closes(code_point)) {
            isolates += bidi_isolates(code_point);
            stack[depth++] = i;
        }
    }
}

/* Writes what is seen of items[begin, end), without its controls, to line->order. Returns the count; 0 as well when
 * memory is out. */
static uint32_t bidi_see(BidiLine *line, uint32_t begin, uint32_t end)
{
    SanitizeRun *run = line->run;
    uint32_t count = end - begin, kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        line->points[i] = run->items[begin + i].code_point;
        if (!(run->items[begin + i].classes & CLASS_BIDI)) line->order[kept++] = begin + i;
    }
    if (kept <= 1) return kept;
    kept = 0;
    /* Something follows what is closed: white space at its end is not at the end of the line (L1). */
    bool closed = line->partner[begin] != BIDI_NONE;
    if (closed) line->points[count] = 'a';
    if (!run->bidi) run->bidi = unicode_bidi_open();
    if (!run->bidi || !unicode_bidi_order(run->bidi, line->points, count + closed, 0, line->order)) {
        run->failed = true;
        return 0;
    }
    for (uint32_t k = 0; k < count + closed; k++) {
        uint32_t index = line->order[k];
        if (index < count && !(run->items[begin + index].classes & CLASS_BIDI))
            line->order[kept++] = begin + index;
    }
    return kept;
}

/* Makes of line->order, as it is seen from the left, the order in which right-to-left letters are written: UAX 9
 * applied once more, as the direction of most letters asks. */
static void bidi_write_naturally(BidiLine *line, uint32_t count)
{
    SanitizeRun *run = line->run;
    uint32_t left = 0, right = 0;
    for (uint32_t k = 0; k < count; k++) {
        const Item *item = &run->items[line->order[k]];
        line->points[k] = item->code_point;
        right += (item->classes & CLASS_RIGHT_TO_LEFT) != 0;
        left += (item->classes & (CLASSES_SCRIPTS | CLASS_RIGHT_TO_LEFT)) != 0;
    }
    if (!unicode_bidi_order(run->bidi, line->points, count, 2 * right > left, line->spare)) {
        run->failed = true;
        return;
    }
    for (uint32_t k = 0; k < count; k++) line->points[k] = line->order[line->spare[k]];
    memcpy(line->order, line->points, count * sizeof *line->order);
}

/* Whether line->order reads otherwise than the items, of which only those of `classes` count. */
static bool bidi_moves(const BidiLine *line, uint32_t begin, uint32_t count, unsigned classes)
{
    const Item *items = line->run->items;
    uint32_t at = begin;
    for (uint32_t k = 0; k < count; k++) {
        const Item *seen = &items[line->order[k]];
        if (classes && !(seen->classes & classes)) continue;
        while ((items[at].classes & CLASS_BIDI) || (classes && !(items[at].classes & classes))) at++;
        if (items[at++].code_point != seen->code_point) return true;
    }
    return false;
}

/* Says for each item whether it is between two characters of one word, controls left out. */
static void bidi_find_insides(BidiLine *line)
{
    const SanitizeRun *run = line->run;
    const unsigned nothing = CLASS_BIDI | CLASS_INVISIBLE;
    bool word = false;
    for (uint32_t i = 0; i < run->count; i++) {
        line->inside[i] = word;
        if (!(run->items[i].classes & nothing)) word = (run->items[i].classes & CLASS_WORD) != 0;
    }
    word = false;
    for (uint32_t i = run->count; i-- > 0;) {
        line->inside[i] = line->inside[i] && word;
        if (!(run->items[i].classes & nothing)) word = (run->items[i].classes & CLASS_WORD) != 0;
    }
}

/* Says for each pair whether all that it encloses is an override's span, or such a pair: then it goes with it. */
static void bidi_find_wrappers(BidiLine *line)
{
    const SanitizeRun *run = line->run;
    for (uint32_t i = run->count; i-- > 0;) {
        bool opens = (run->items[i].classes & CLASS_BIDI) && !bidi_closes(run->items[i].code_point);
        bool pair = opens && line->partner[i] != BIDI_NONE && line->right[line->end[i]] == line->right[i];
        uint32_t inner = i + 1;
        line->wraps[i] = pair && line->end[inner] == line->partner[i] &&
                         (bidi_overrides(run->items[inner].code_point) || line->wraps[inner]);
    }
}

static bool bidi_open_line(BidiLine *line, SanitizeRun *run)
{
    size_t count = run->count + 1;
    uint32_t *scratch = run_scratch(run, count * (6 * sizeof *scratch + 2));
    if (!scratch) return false;
    *line = (BidiLine){
        .run = run,
        .partner = scratch,
        .end = scratch + count,
        .right = scratch + 2 * count,
        .points = scratch + 3 * count,
        .order = scratch + 4 * count,
        .spare = scratch + 5 * count,
        .inside = (uint8_t *)(scratch + 6 * count),
        .wraps = (uint8_t *)(scratch + 6 * count) + count,
    };
    bidi_match(line, line->spare);
    bidi_find_insides(line);
    bidi_find_wrappers(line);
    return true;
}

/* Reports that items[begin, end) become line->order[0, count). */
static void bidi_report_moved(BidiLine *line, uint32_t begin, uint32_t end, uint32_t count)
{
    SanitizeRun *run = line->run;
    char detail[FINDING_DETAIL_BYTES_MAX + UTF8_BYTES_MAX];
    uint32_t size = 0;
    for (uint32_t k = 0; k < count && size <= FINDING_DETAIL_BYTES_MAX; k++) {
        size += (uint32_t)utf8_write(run->items[line->order[k]].code_point, detail + size);
    }
    run_find_detail(run, RULE_BIDI_OVERRIDE, begin, end, end - begin - count, (TextView){detail, size});
}

/* Writes the span of the override at `begin` as it is seen. */
static void bidi_resolve(BidiLine *line, uint32_t begin, uint32_t end, uint32_t count)
{
    SanitizeRun *run = line->run;
    if (count > 1 && line->right[end] > line->right[begin]) bidi_write_naturally(line, count);
    if (bidi_moves(line, begin, count, 0)) {
        bidi_report_moved(line, begin, end, count);
    } else {
        for (uint32_t i = begin; i < end; i++) {
            if (!(run->items[i].classes & CLASS_BIDI)) continue;
            run_find(run, line->inside[i] ? RULE_INV_ZERO_WIDTH : RULE_INV_FILLER, i, i + 1, 1);
        }
    }
    for (uint32_t k = 0; k < count; k++) rewrite_keep(run, line->order[k]);
}

/* Whether the embedding or isolate at `begin` moves letters although none of its own is of a right-to-left script: then
 * what moves them are controls alone, as an override would. */
static bool bidi_moves_letters(BidiLine *line, uint32_t begin, uint32_t *out_count)
{
    uint32_t code_point = line->run->items[begin].code_point, end = line->end[begin];
    bool right_to_left = code_point == BIDI_RLE || code_point == BIDI_RLI;
    if (!right_to_left || begin < line->settled || line->right[end] > line->right[begin]) return false;
    *out_count = bidi_see(line, begin, end);
    if (bidi_moves(line, begin, *out_count, CLASSES_SCRIPTS)) return true;
    line->settled = end;
    return false;
}

/* What makes a whole line of right-to-left text so and is left to the line's end to close, as UAX 9 does. */
static bool bidi_begins_line(const BidiLine *line, uint32_t index)
{
    uint32_t code_point = line->run->items[index].code_point;
    if (code_point != BIDI_RLE && code_point != BIDI_RLI) return false;
    for (uint32_t i = index; i-- > 0;) {
        const Item *item = &line->run->items[i];
        if (item->code_point != ' ' && !(item->classes & CLASS_INVISIBLE)) return false;
    }
    return line->right[line->end[index]] > line->right[index];
}

/* What becomes of a control that moves nothing: a half of a pair goes; a pair goes where it splits a word of a line
 * without right-to-left letters. */
static void bidi_keep_or_drop(BidiLine *line, uint32_t index)
{
    SanitizeRun *run = line->run;
    uint32_t partner = line->partner[index];
    if (partner == BIDI_NONE && bidi_begins_line(line, index)) {
        rewrite_keep(run, index);
        return;
    }
    if (partner == BIDI_NONE) {
        run_find(run, RULE_BIDI_UNBALANCED, index, index + 1, 1);
        return;
    }
    uint32_t begin = index < partner ? index : partner, end = index < partner ? partner : index;
    bool plain = line->right[run->count] == 0;
    bool hides = line->inside[begin] && (plain || line->inside[end]);
    if (!hides && !line->wraps[begin] && !(plain && line->inside[end])) {
        rewrite_keep(run, index);
        return;
    }
    run_find(run, hides ? RULE_INV_ZERO_WIDTH : RULE_INV_FILLER, index, index + 1, 1);
}

void bidi_pass(SanitizeRun *run)
{
    BidiLine line;
    if (!(run->seen & CLASS_BIDI) || !bidi_open_line(&line, run)) return;
    rewrite_begin(run);
    for (uint32_t i = 0; i < run->count && !run->failed;) {
        uint32_t end = line.end[i], count = 0;
        bool opens = (run->items[i].classes & CLASS_BIDI) && !bidi_closes(run->items[i].code_point);
        bool overrides = opens && bidi_overrides(run->items[i].code_point);
        if (overrides) count = bidi_see(&line, i, end);
        if (overrides || (opens && bidi_moves_letters(&line, i, &count))) {
            bidi_resolve(&line, i, end, count);
            i = end;
            continue;
        }
        if (run->items[i].classes & CLASS_BIDI)
            bidi_keep_or_drop(&line, i);
        else
            rewrite_keep(run, i);
        i++;
    }
    rewrite_end(run);
}
