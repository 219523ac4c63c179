/* Which script a word that mixes several, or looks like another one's, can be written in. */
#include "sanitizer/words.h"

#include "unicode/property.h"

#include <string.h>

/* So many of the letter that others write for i show that a language has no i. */
enum { I_OTHERS_MIN = 2 };

static bool words_is_lower(const SanitizeRun *run, uint32_t index)
{
    return unicode_category(run->items[index].code_point) == UNICODE_LL;
}

static bool words_is_upper(const SanitizeRun *run, uint32_t index)
{
    return unicode_category(run->items[index].code_point) == UNICODE_LU;
}

bool words_is_stroke(const SanitizeRun *run, uint32_t index)
{
    uint32_t code_point = run->items[index].code_point;
    return code_point == 'I' || code_point == 0x399 || code_point == 0x406 || code_point == 0x4C0;
}

static bool words_is_capital(const SanitizeRun *run, uint32_t index)
{
    return words_is_upper(run, index) && !words_is_stroke(run, index);
}

/* Letters of Latin from the front on. */
static uint32_t words_latin_prefix(const SanitizeRun *run, const Word *word)
{
    uint32_t i = word->first;
    while (i <= word->last && run->items[i].classes & CLASS_LATIN) i++;
    return i - word->first;
}

bool words_is_function(const SanitizeRun *run, uint32_t begin, uint32_t end)
{
    static const char *const names[] = {"sin", "cos", "tan", "tg",  "cot", "sec", "arg",  "log", "ln",  "lg",
                                        "exp", "lim", "max", "min", "sup", "inf", "mean", "det", "avg", "tot"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        uint32_t size = (uint32_t)strlen(names[n]), same = 0;
        if (end - begin != size) continue;
        while (same < size && run->items[begin + same].code_point == (unsigned char)names[n][same]) same++;
        if (same == size) return true;
    }
    return false;
}

/* Words of two letters that a Greek one is put into, without those of formulas (d alpha, x rho): of English, French,
 * Spanish, Portuguese, Italian, German, Polish and Czech prose. */
static bool words_is_short(const SanitizeRun *run, const Word *word)
{
    static const char words[] =
        " da wo la na as at an za sa ma va ha ya al au am ab ad ao up op do go no so to of or on ob od lo po "
        "co ou by my ty ny vy in io ";
    char pattern[4] = {' ', 0, 0, ' '};
    if (word->count != 2 || word->last != word->first + 1) return false;
    for (uint32_t k = 0; k < 2; k++) {
        const Item *item = &run->items[word->first + k];
        const Confusable *row = item->classes & CLASS_GREEK ? confusables_row_of(item->code_point) : NULL;
        uint32_t letter = row && row->source ? row->targets[SCRIPT_LATIN] : item->code_point;
        if (letter >= 0x80) return false;
        pattern[1 + k] = (char)(letter | (k == 0 ? 0x20 : 0));
    }
    return memmem(words, sizeof words - 1, pattern, sizeof pattern) != NULL;
}

/* Whether the letter stands before a capital, or ends a word behind one that does not begin the line: names of
 * proteins, products of variables. */
static bool words_is_beside_capital(const SanitizeRun *run, const Word *word, uint32_t index)
{
    if (index < word->last && words_is_capital(run, index + 1)) return true;
    if (index == word->first || !words_is_capital(run, index - 1) || index - 1 == 0) return false;
    return index == word->last || index - 1 > word->first;
}

/* Formulas have Greek letters beside a name (sin alpha, sigma max), and few Latin ones otherwise. */
static bool words_is_disguised_greek(const SanitizeRun *run, const Word *word, uint32_t index)
{
    uint32_t latin = word->letters[SCRIPT_LATIN], code_point = run->items[index].code_point;
    if (word->script_count > 2 || code_point >= 0x1D26) return true; /* small capitals of phonetics */
    if (words_is_beside_capital(run, word, index) || words_is_function(run, word->first, index) ||
        words_is_function(run, index + 1, word->last + 1))
        return false;
    /* Berber languages write gamma, and no o. */
    bool prose = run->has_prose && !run->has_formula;
    if (code_point == 0x3B3 && !(prose && run->has_o)) return false;
    if (index > word->first && index < word->last && latin > 1) return true;
    bool lower = !words_is_capital(run, word->first + 1) && !words_is_capital(run, word->last);
    bool latin_text = run->scripts.latin_prevails || !run->unmixed[SCRIPT_GREEK];
    if (!lower || !latin_text || latin == 0) return false;
    if (word->count > 2) return latin > 2 || prose;
    /* No formula has iota, omicron or upsilon. */
    bool no_variable = code_point == 0x3B9 || code_point == 0x3C5;
    return prose && (no_variable || words_is_short(run, word));
}

/* Whether a letter that only looks like Latin in some fonts, or is at home beside it, was put into a Latin word. */
static bool words_is_disguised(const SanitizeRun *run, const Word *word, uint32_t index)
{
    const Item *item = &run->items[index];
    if (item->classes & CLASS_CYRILLIC) return true;
    if (item->classes & CLASS_GREEK) return words_is_disguised_greek(run, word, index);
    if (index > word->first && index < word->last) return true;
    if (words_is_armenian(item)) return !run->unmixed[SCRIPT_ARMENIAN];
    uint32_t neighbour = index == word->first ? index + 1 : index - 1;
    return !run->scripts.has[SCRIPT_ARMENIAN] && neighbour < word->end &&
           words_is_evidence(&run->items[neighbour]);
}

/* Whether a small b or l was put among capitals, where it looks like a soft sign or a capital stroke. */
static bool words_is_among_capitals(const SanitizeRun *run, const Word *word, uint32_t index)
{
    bool before = index > word->first && words_is_upper(run, index - 1);
    bool after = index < word->last && words_is_upper(run, index + 1);
    if ((index > word->first && !before) || (index < word->last && !after)) return false;
    return (before && !words_is_stroke(run, index - 1)) || (after && !words_is_stroke(run, index + 1));
}

static bool words_takes_loose_letter(const SanitizeRun *run, const Word *word, uint32_t index, WordScript target)
{
    uint32_t code_point = run->items[index].code_point;
    if (code_point == 'l' || code_point == 'b') return words_is_among_capitals(run, word, index);
    if (target == SCRIPT_LATIN) return words_is_disguised(run, word, index);
    if (target == SCRIPT_GREEK) return true;
    if (target == SCRIPT_CYRILLIC && run->unmixed[target] > PROSE_LETTERS_MIN &&
        run->unmixed[target] > run->unmixed[SCRIPT_LATIN] + run->unmixed[SCRIPT_GREEK])
        return true;
    return word->letters[target] > 1 || (index > word->first && index < word->last);
}

/* A Latin acronym with a lower-case ending, or i and e before a name. */
static bool words_is_compound(const SanitizeRun *run, const Word *word)
{
    uint32_t latin = words_latin_prefix(run, word);
    if (latin == 0 || latin != word->letters[SCRIPT_LATIN]) return false;
    uint32_t first = run->items[word->first].code_point, next = word->first + latin;
    if (latin == 1) return (first == 'i' || first == 'e') && words_is_upper(run, next);
    for (uint32_t i = word->first; i < next; i++) {
        if (!words_is_upper(run, i)) return false;
    }
    return words_is_lower(run, next);
}

bool words_is_strange(const SanitizeRun *run, const Word *word)
{
    static const uint16_t letters[] = {0x196, 0x1A9, 0x245, 0x25B, 0x263, 0x269, 0x278, 0x28B};
    for (uint32_t i = word->first; i <= word->last; i++) {
        for (size_t k = 0; k < sizeof letters / sizeof letters[0]; k++) {
            if (run->items[i].code_point == letters[k]) return true;
        }
    }
    return false;
}

uint32_t words_count_loose(const SanitizeRun *run, const Word *word, WordScript target)
{
    uint32_t count = 0;
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (!words_is_foreign(&run->items[i], target)) continue;
        count += confusables_row_of(run->items[i].code_point)->loose >> target & 1;
    }
    return count;
}

/* Whether a Greek letter has an accent, as in words and never in formulas. */
static bool words_has_accent(const SanitizeRun *run, const Word *word)
{
    for (uint32_t i = word->first; i <= word->last; i++) {
        uint32_t code_point = run->items[i].code_point;
        if ((code_point >= 0x386 && code_point <= 0x390) || (code_point >= 0x3AA && code_point <= 0x3B0))
            return true;
        if (code_point >= 0x3CA && code_point <= 0x3CE) return true;
    }
    return false;
}

/* Single Greek letters beside Latin ones are honest in formulas and names: delta T, gamma delta T. */
static bool words_is_greek(const SanitizeRun *run, const Word *word)
{
    uint64_t near[SCRIPT_COUNT + 1];
    uint32_t greek = word->letters[SCRIPT_GREEK];
    for (uint32_t i = word->first + 1; i <= word->last; i++) {
        bool steps = words_is_upper(run, i) && words_is_lower(run, i - 1);
        if (steps && words_is_foreign(&run->items[i], SCRIPT_GREEK)) return false;
    }
    words_count_context(run, word, near);
    if (near[SCRIPT_GREEK] > near[SCRIPT_LATIN]) {
        bool lower = words_is_lower(run, word->first) && words_is_lower(run, word->last);
        lower = lower && run->unmixed[SCRIPT_GREEK] > PROSE_LETTERS_MIN;
        return word->count > 2 || lower || word->exclusive == 0 || words_is_strange(run, word);
    }
    if (greek > 2 || (greek == 2 && word->count > 3 && !near[SCRIPT_LATIN])) return true;
    return words_has_accent(run, word) && !run->unmixed[SCRIPT_LATIN];
}

bool words_is_inflected(const SanitizeRun *run, const Word *word)
{
    uint32_t at = word->first;
    if (word->count == word->end - word->begin) return false;
    bool evident = false, upper = true, cyrillic = run->scripts.more[SCRIPT_CYRILLIC][SCRIPT_LATIN];
    for (; at < word->end && run->items[at].classes & CLASS_LATIN; at++) {
        evident = evident || words_is_evidence(&run->items[at]);
        upper = upper && words_is_upper(run, at);
    }
    bool stem = at - word->first > 1 && (evident || upper);
    if (!stem || at == word->end || !words_is_apostrophe(run->items[at].code_point)) return false;
    for (at++; at < word->end; at++) {
        if (!(run->items[at].classes & CLASS_CYRILLIC)) return false;
        cyrillic = cyrillic || words_is_evidence(&run->items[at]);
    }
    return cyrillic;
}

/* Whether those of its letters that are only alike were put there. */
static bool words_takes_loose(const SanitizeRun *run, const Word *word, WordScript target)
{
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (!words_is_foreign(&run->items[i], target)) continue;
        const Confusable *row = confusables_row_of(run->items[i].code_point);
        if (row->loose >> target & 1 && !words_takes_loose_letter(run, word, i, target)) return false;
    }
    return true;
}

/* Whether a soft sign stands among capitals, where it would become a small b. */
static bool words_has_soft_capital(const SanitizeRun *run, const Word *word)
{
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (run->items[i].code_point == 0x42C && words_is_among_capitals(run, word, i)) return true;
    }
    return false;
}

bool words_can_be(const SanitizeRun *run, const Word *word, WordScript target)
{
    if (word->loose >> target & 1 && !words_takes_loose(run, word, target)) return false;
    if (target == SCRIPT_LATIN && word->letters[SCRIPT_CYRILLIC] && words_has_soft_capital(run, word))
        return false;
    if (target == SCRIPT_LATIN) return word->letters[SCRIPT_CYRILLIC] < 2 || !words_is_compound(run, word);
    if (target == SCRIPT_GREEK) return words_is_greek(run, word);
    if (target == SCRIPT_CYRILLIC) return !words_is_compound(run, word);
    return word->letters[target] > 1;
}

bool words_reads_as(const SanitizeRun *run, const Word *word, WordScript target)
{
    /* Latin acronyms stand in all texts: PC, CEO. */
    if (target == SCRIPT_GREEK || (target == SCRIPT_CYRILLIC && word->count < 4)) return false;
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (!words_is_letter(&run->items[i])) continue;
        const Confusable *row = confusables_row_of(run->items[i].code_point);
        if (!row->targets[target] || row->loose >> target & 1) return false;
        if (target == SCRIPT_CYRILLIC && (!words_is_lower(run, i) || !strchr("aceopxy", (int)row->source)))
            return false;
    }
    return true;
}

bool words_is_quoted(const SanitizeRun *run, const Word *word)
{
    if (word->begin == 0 || word->end >= run->count) return false;
    const unsigned quotes = UNICODE_PI | UNICODE_PF | UNICODE_PS | UNICODE_PE;
    uint32_t before = run->items[word->begin - 1].code_point, after = run->items[word->end].code_point;
    bool opens = before == '"' || before == '\'' || (unicode_category(before) & quotes) != 0;
    return opens && (after == '"' || after == '\'' || (unicode_category(after) & quotes) != 0);
}

/* Whether items[index] is i, or the Ukrainian letter that looks so. */
static bool words_is_i(const SanitizeRun *run, uint32_t index)
{
    uint32_t code_point = run->items[index].code_point;
    return code_point == 'i' || code_point == 'I' || code_point == 0x406 || code_point == 0x456;
}

/* Whether the letters around are a Cyrillic language's that has no i: Russian, Bulgarian, Serbian, Macedonian. */
static bool words_lacks_i(const SanitizeRun *run, const Word *word, uint32_t begin, uint32_t end)
{
    uint32_t others = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t code_point = run->items[i].code_point;
        if (i == word->begin)
            i = word->end - 1;
        else if (code_point == 0x456 || code_point == 0x406 || code_point == 0x457 || code_point == 0x454)
            return false;
        else
            others += code_point == 0x438;
    }
    return others >= I_OTHERS_MIN;
}

/* What letters of the word say, and digits among them. */
static WordScript words_told_by_letters(const SanitizeRun *run, const Word *word)
{
    /* What only Macedonian writes, and hardly ever (ASCII and ISO stand in all texts), Kurdish, and Komi of old. */
    static const uint16_t latin[] = {'s', 'S', 0x405, 0x455, 'd', 0x501, 'q', 0x51B, 'w', 0x51D};
    static const uint16_t small_capitals[] = {0x138, 0x299, 0x29C, 0x1D0D,
                                              0x1D1B}; /* like k, v, n, m, t of Cyrillic */
    for (uint32_t i = word->first; i < word->end; i++) {
        uint32_t code_point = run->items[i].code_point;
        if (words_is_digit(code_point)) return SCRIPT_LATIN;
        for (size_t k = 0; k < sizeof latin / sizeof latin[0]; k++) {
            if (code_point == latin[k]) return SCRIPT_LATIN;
        }
        for (size_t k = 0; k < sizeof small_capitals / sizeof small_capitals[0]; k++) {
            if (code_point == small_capitals[k]) return SCRIPT_CYRILLIC;
        }
    }
    return SCRIPT_NONE;
}

/* What stands right beside the word says: signs of programs, and letters without a space between. */
static WordScript words_told_by_neighbours(const SanitizeRun *run, const Word *word, uint32_t begin, uint32_t end)
{
    uint32_t before = word->begin > 0 ? run->items[word->begin - 1].code_point : ' ';
    uint32_t after = word->end < run->count ? run->items[word->end].code_point : ' ';
    if (before == '_' || after == '_' || after == '=' || words_is_digit(before)) return SCRIPT_LATIN;
    uint64_t letters[SCRIPT_COUNT + 1] = {0};
    uint32_t first = word->begin, last = word->end;
    while (first > begin && !unicode_is_white_space(run->items[first - 1].code_point)) first--;
    while (last < end && !unicode_is_white_space(run->items[last].code_point)) last++;
    words_count_evidence(run, first, word->begin, letters);
    words_count_evidence(run, word->end, last, letters);
    if (letters[SCRIPT_LATIN] == letters[SCRIPT_CYRILLIC]) return SCRIPT_NONE;
    return letters[SCRIPT_LATIN] > letters[SCRIPT_CYRILLIC] ? SCRIPT_LATIN : SCRIPT_CYRILLIC;
}

WordScript words_told(const SanitizeRun *run, const Word *word)
{
    WordSpan context = words_context(run, word);
    WordScript told = words_told_by_letters(run, word);
    if (told == SCRIPT_NONE) told = words_told_by_neighbours(run, word, context.begin, context.end);
    if (told != SCRIPT_NONE) return told;
    bool has_i = false;
    for (uint32_t i = word->first; i <= word->last; i++) has_i |= words_is_i(run, i);
    return has_i && words_lacks_i(run, word, context.begin, context.end) ? SCRIPT_LATIN : SCRIPT_NONE;
}

bool words_is_camel(const SanitizeRun *run, const Word *word, uint32_t stroke)
{
    if (stroke < word->last && words_is_capital(run, stroke + 1)) return true;
    for (uint32_t i = word->first + 1; i <= word->last; i++) {
        if (i != stroke && words_is_capital(run, i) && words_is_lower(run, i - 1)) return true;
    }
    return false;
}

bool words_is_rare(const SanitizeRun *run, const Word *word)
{
    static const uint16_t rare[] = {0x405, 0x455, 0x474, 0x475, 0x4BA, 0x4BB, 0x4BC, 0x4BD,
                                    0x4CF, 0x500, 0x501, 0x50C, 0x51A, 0x51B, 0x51C, 0x51D};
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (run->items[i].code_point < rare[0] || run->items[i].code_point > 0x51D) continue;
        for (size_t r = 0; r < sizeof rare / sizeof rare[0]; r++) {
            if (run->items[i].code_point == rare[r]) return true;
        }
    }
    return false;
}

/* How much more often Latin has a letter than Cyrillic has the one that looks so, as 4 times the binary logarithm:
 * English against Russian, and for i, j, s, h Ukrainian, Serbian, Macedonian and Kazakh. */
static int words_latin_weight(uint32_t latin)
{
    static const struct {
        char letter;
        signed char weight;
    } weights[] = {{'a', 0},  {'c', -4}, {'e', 2},  {'o', -2}, {'p', -5}, {'x', -11},
                   {'y', -1}, {'i', 13}, {'j', -4}, {'s', 44}, {'h', 37}, {'k', -8}};
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        if ((uint32_t)weights[i].letter == (latin | 0x20)) return weights[i].weight;
    }
    return 0;
}

WordScript words_guess(const SanitizeRun *run, const Word *word, WordScript a, WordScript b)
{
    bool latin = a == SCRIPT_LATIN || b == SCRIPT_LATIN, cyrillic = a == SCRIPT_CYRILLIC || b == SCRIPT_CYRILLIC;
    if (latin && !cyrillic) return SCRIPT_LATIN; /* acronyms stand in texts of all scripts */
    if (!latin) return word->letters[b] > word->letters[a] ? b : a;
    int weight = 3 * ((int)word->letters[SCRIPT_LATIN] - (int)word->letters[SCRIPT_CYRILLIC]);
    for (uint32_t i = word->first; i <= word->last; i++) {
        if (!words_is_letter(&run->items[i])) continue;
        const Confusable *row = confusables_row_of(run->items[i].code_point);
        bool maps = words_script(&run->items[i]) != SCRIPT_LATIN && row->source;
        weight += words_latin_weight(maps ? row->targets[SCRIPT_LATIN] : run->items[i].code_point);
    }
    return weight >= 0 ? SCRIPT_LATIN : SCRIPT_CYRILLIC;
}
