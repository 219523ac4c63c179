#include "sanitizer/words.h"

#include "unicode/property.h"

#include <string.h>

/* Whether items[index] goes on with a word that has begun. */
static bool words_goes_on(const SanitizeRun *run, uint32_t index)
{
    const Item *item = &run->items[index];
    if (item->classes & (CLASSES_SCRIPTS | CLASS_MARK) || words_is_digit(item->code_point)) return true;
    return words_is_apostrophe(item->code_point) && index + 1 < run->count &&
           words_is_letter(&run->items[index + 1]);
}

/* Letters of an escape that ends right before a word: a line feed's n, a font's fB. */
static uint32_t words_markup(const SanitizeRun *run, uint32_t at)
{
    if (at == 0 || at + 1 >= run->count || run->items[at - 1].code_point != '\\') return 0;
    uint32_t size = run->items[at].code_point == 'f' ? 2 : 1;
    bool is_latin = (run->items[at].classes & run->items[at + size - 1].classes & CLASS_LATIN) != 0;
    bool ends = at + size < run->count && words_is_letter(&run->items[at + size]) &&
                !(run->items[at + size].classes & CLASS_LATIN);
    return is_latin && ends ? size : 0;
}

void words_count_evidence(const SanitizeRun *run, uint32_t begin, uint32_t end, uint64_t letters[SCRIPT_COUNT + 1])
{
    uint64_t counts = 0;
    uint32_t stop = end - begin > UINT16_MAX ? begin + UINT16_MAX : end;
    for (uint32_t i = begin; i < stop; i++) counts += classes_evidence(run->items[i].classes);
    for (int script = SCRIPT_LATIN; script <= SCRIPT_CYRILLIC; script++)
        letters[script] += counts >> 16 * script & 0xFFFF;
    for (uint32_t i = begin; i < stop && counts >> 48; i++) {
        if (run->items[i].classes & CLASS_OTHER_SCRIPT && words_is_evidence(&run->items[i]))
            letters[words_script(&run->items[i])]++;
    }
    if (stop < end) words_count_evidence(run, stop, end, letters);
}

void words_count_context(const SanitizeRun *run, const Word *word, uint64_t out_letters[SCRIPT_COUNT + 1])
{
    uint32_t begin = word->begin > CONTEXT_ITEMS ? word->begin - CONTEXT_ITEMS : 0;
    uint32_t end = run->count - word->end > CONTEXT_ITEMS ? word->end + CONTEXT_ITEMS : run->count;
    memset(out_letters, 0, (SCRIPT_COUNT + 1) * sizeof out_letters[0]);
    words_count_evidence(run, begin, word->begin, out_letters);
    words_count_evidence(run, word->end, end, out_letters);
}

/* The next word from `at` on: out->begin, end and count. Returns its classes, all together; 0: there is none. */
static uint32_t words_find(const SanitizeRun *run, uint32_t at, Word *out)
{
    uint32_t classes = 0, count = 0;
    while (at < run->count && !words_is_letter(&run->items[at])) at++;
    if (at == run->count) return 0;
    at += words_markup(run, at);
    out->begin = at;
    for (; at < run->count && words_goes_on(run, at); at++) {
        classes |= run->items[at].classes;
        count += words_is_letter(&run->items[at]);
    }
    out->end = at;
    out->count = count;
    return classes;
}

/* Whether a letter that stands alone is no word of any language: a variable. */
static bool words_is_variable(uint32_t letter)
{
    return letter < 0x80 && !strchr("aeiouyAEIOUY", (int)letter);
}

/* Whether an item is of a formula: a sign, or a Greek letter that is like no Latin one. */
static bool words_is_of_formula(const Item *item)
{
    if (item->classes & CLASS_GREEK) return !confusables_row_of(item->code_point)->targets[SCRIPT_LATIN];
    if (item->classes & CLASSES_SCRIPTS) return false;
    switch (item->code_point) {
    case '=':
    case '+':
    case '<':
    case '>':
    case '^':
        return true;
    default:
        return item->code_point >= 0x80 && (unicode_category(item->code_point) & UNICODE_SM);
    }
}

void words_survey(SanitizeRun *run)
{
    Word word;
    uint32_t classes;
    memset(run->unmixed, 0, sizeof run->unmixed);
    run->surveyed = true;
    run->has_o = run->has_formula = false;
    for (uint32_t at = 0; (classes = words_find(run, at, &word)); at = word.end) {
        uint32_t scripts = classes & CLASSES_SCRIPTS;
        if (scripts & (scripts - 1)) continue;
        if (scripts == CLASS_OTHER_SCRIPT) words_measure(run, &word);
        if (scripts == CLASS_OTHER_SCRIPT && word.script_count > 1) continue;
        run->unmixed[words_script(&run->items[word.begin])] += word.count;
        if (scripts == CLASS_LATIN && word.end - word.begin == 1 &&
            words_is_variable(run->items[word.begin].code_point))
            run->has_formula = true;
    }
    for (uint32_t at = 0; at < run->count; at++) {
        run->has_o = run->has_o || run->items[at].code_point == 'o';
        run->has_formula = run->has_formula || words_is_of_formula(&run->items[at]);
    }
}

void words_measure(const SanitizeRun *run, Word *word)
{
    *word = (Word){.begin = word->begin, .end = word->end, .first = word->begin};
    for (uint32_t i = word->begin; i < word->end; i++) {
        const Item *item = &run->items[i];
        if (!words_is_letter(item)) continue;
        word->last = i;
        word->count++;
        word->script_count += word->letters[words_script(item)]++ == 0;
        word->exclusive += !(item->classes & CLASS_CONFUSABLE);
    }
    word->script = words_script(&run->items[word->last]);
}

/* Whether these are classes of a word of one script with a letter that no other has the like of: nearly all are. */
static bool words_is_honest(uint32_t classes)
{
    uint32_t scripts = classes & CLASSES_SCRIPTS;
    return (scripts & (scripts - 1)) == 0 && (classes & CLASSES_EVIDENCE) &&
           !(classes & (CLASS_OTHER_SCRIPT | CLASS_COMPAT));
}

bool words_next_doubtful(const SanitizeRun *run, uint32_t at, Word *out)
{
    uint32_t classes;
    while ((classes = words_find(run, at, out)) && words_is_honest(classes)) at = out->end;
    if (classes) words_measure(run, out);
    return classes != 0;
}
