#include "sanitizer/strokes.h"

#include "unicode/property.h"

enum { PALOCHKA = 0x4C0, SMALL_PALOCHKA = 0x4CF };

/* An index beside those of a to z. */
enum { NO_LETTER = 26 };

static bool strokes_is_lower(uint32_t code_point)
{
    return unicode_category(code_point) == UNICODE_LL;
}

/* The letter of ASCII that is read at `index`, in either case, as 0 to 25; otherwise NO_LETTER. */
static uint32_t strokes_letter(const SanitizeRun *run, const Word *word, uint32_t index)
{
    if (index < word->first || index > word->last) return NO_LETTER;
    uint32_t code_point = run->items[index].code_point, parts[UNICODE_DECOMPOSITION_MAX];
    const Confusable *row = confusables_row_of(code_point);
    if (row->targets[SCRIPT_LATIN] && words_script(&run->items[index]) != SCRIPT_LATIN)
        code_point = row->targets[SCRIPT_LATIN];
    if (code_point == SMALL_PALOCHKA) return (index == word->first + 1 ? 'i' : 'l') - 'a';
    if (code_point >= 0x80 && unicode_decompose(code_point, false, parts)) code_point = parts[0];
    uint32_t letter = (code_point | 0x20) - 'a';
    return letter < NO_LETTER ? letter : NO_LETTER;
}

/* Whether a stroke between two letters is an l more often than an i in words of English and other European languages: a
 * row for what stands before it, a to z and none, a bit for what stands behind it. Right for 91 % of them in English
 * fortunes, 83 to 92 % in other languages. */
static bool strokes_is_l(const SanitizeRun *run, const Word *word, uint32_t index)
{
    static const uint32_t rows[NO_LETTER + 1] = {
        0x77DDDFF, 0x1104111, 0x1100100, 0x1000180, 0x775DD3B, 0x1104101, 0x1000110, 0x1104101, 0x7FF7FFF,
        0x0000110, 0x1104101, 0x5104111, 0x1100100, 0x1000100, 0x378DFFB, 0x5104191, 0x4100101, 0x1000100,
        0x1100301, 0x1800100, 0x758DDEB, 0x0000101, 0x1000100, 0x1000000, 0x5784D19, 0x1000100, 0x7114111};
    uint32_t before = index > word->first ? strokes_letter(run, word, index - 1) : NO_LETTER;
    return rows[before] >> strokes_letter(run, word, index + 1) & 1;
}

/* What a capital stroke at the beginning of a word is: I'm, and Italy, but like and l'amour. */
static uint32_t strokes_read_first(const SanitizeRun *run, const Word *word)
{
    uint32_t next = word->first + 1;
    if (words_is_letter(&run->items[next])) {
        bool small = strokes_is_lower(run->items[next].code_point);
        return small && strokes_is_l(run, word, word->first) ? 'l' : 'I';
    }
    uint32_t letter = strokes_letter(run, word, next + 1);
    bool english = letter == 'm' - 'a' || letter == 'd' - 'a' || letter == 'v' - 'a' || letter == 'l' - 'a';
    return english ? 'I' : 'l';
}

/* What a capital stroke of Greek or Cyrillic is in a Latin word; 0: nothing that only capitals have says so. */
static uint32_t strokes_read_capital(const SanitizeRun *run, const Word *word, uint32_t index, uint32_t before)
{
    bool first = index == word->first, last = index == word->last;
    bool stroke_after = !last && words_is_stroke(run, index + 1);
    bool lower_after = !last && (stroke_after || strokes_is_lower(run->items[index + 1].code_point));
    if (!first && strokes_is_lower(before) && !last && !stroke_after && words_is_camel(run, word, index))
        return 'I';
    bool contracted = !first && words_is_apostrophe(before) && lower_after; /* he'll */
    if (contracted && (stroke_after || strokes_letter(run, word, index + 1) == 'l' - 'a')) return 'l';
    return first && !last ? strokes_read_first(run, word) : 0;
}

uint32_t strokes_read(const SanitizeRun *run, const Word *word, uint32_t index, uint32_t mapped, uint32_t before)
{
    bool cased = (run->items[index].classes & (CLASS_GREEK | CLASS_CYRILLIC)) != 0;
    if (mapped == 'l') return !cased || strokes_is_l(run, word, index) ? 'l' : 'i';
    bool stroke_after = index < word->last && words_is_stroke(run, index + 1);
    bool lower_before = index > word->first && strokes_is_lower(before);
    bool lower_after = index < word->last && (stroke_after || strokes_is_lower(run->items[index + 1].code_point));
    if (mapped == UPPER_UKRAINIAN_I) return lower_before && lower_after ? PALOCHKA : mapped;
    uint32_t read = cased ? strokes_read_capital(run, word, index, before) : 0;
    if (read) return read;
    if (index == word->first + 1 && lower_after && !stroke_after) return 'l';
    return lower_before || (!cased && lower_after) ? 'l' : 'I';
}
