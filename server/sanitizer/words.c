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

const uint64_t *words_count_line(SanitizeRun *run)
{
    if (!run->line_counted) {
        memset(run->line_letters, 0, sizeof run->line_letters);
        words_count_evidence(run, 0, run->count, run->line_letters);
        run->line_counted = true;
    }
    return run->line_letters;
}

void words_count_context(const SanitizeRun *run, const Word *word, uint64_t out_letters[SCRIPT_COUNT + 1])
{
    WordSpan context = words_context(run, word);
    memset(out_letters, 0, (SCRIPT_COUNT + 1) * sizeof out_letters[0]);
    words_count_evidence(run, context.begin, word->begin, out_letters);
    words_count_evidence(run, word->end, context.end, out_letters);
}

void words_measure(const SanitizeRun *run, Word *word)
{
    uint32_t targets = (1u << SCRIPT_COUNT) - 1, loose = 0, exclusive = 0;
    *word = (Word){.begin = word->begin, .end = word->end, .first = word->begin};
    for (uint32_t i = word->begin; i < word->end; i++) {
        const Item *item = &run->items[i];
        if (!words_is_letter(item)) continue;
        const Confusable *row = confusables_row_of(item->code_point);
        WordScript own = words_script(item);
        word->last = i;
        word->count++;
        word->script_count += word->letters[own]++ == 0;
        exclusive += !(item->classes & CLASS_CONFUSABLE);
        targets &= 1u << own | row->scripts;
        loose |= row->loose & ~(1u << own);
    }
    word->script = words_script(&run->items[word->last]);
    word->exclusive = exclusive;
    word->targets = (uint8_t)targets;
    word->loose = (uint8_t)loose;
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

/* Whether these are classes of a word of one script with a letter that no other has the like of: nearly all are. */
static bool words_is_honest(uint32_t classes)
{
    uint32_t scripts = classes & CLASSES_SCRIPTS;
    return (scripts & (scripts - 1)) == 0 && (classes & CLASSES_EVIDENCE) &&
           !(classes & (CLASS_OTHER_SCRIPT | CLASS_COMPAT));
}

/* What a survey meets: words and what is between them, and of the line so far, in run->unmixed and what follows it. */
typedef struct Survey {
    SanitizeRun *run;
    WordSpan word;
    uint32_t classes; /* of the word, all together */
    uint32_t count;   /* of its letters */
    uint32_t latin;   /* letters of words that have Latin ones */
} Survey;

/* Finds the next word from `at` on; false: there is none. */
static bool survey_next(Survey *survey, uint32_t at)
{
    SanitizeRun *run = survey->run;
    const Item *items = run->items;
    uint32_t classes = 0, count = 0, end = run->count;
    bool has_o = false;
    for (; at < end && !words_is_letter(&items[at]); at++)
        run->has_formula = run->has_formula || words_is_of_formula(&items[at]);
    if (at == end) return false;
    at += words_markup(run, at);
    survey->word.begin = at;
    for (; at < end && words_goes_on(run, at); at++) {
        classes |= items[at].classes;
        count += words_is_letter(&items[at]);
        uint32_t code_point = items[at].code_point;
        has_o |= code_point == 'o' || code_point == 0x3BF || code_point == 0x43E;
    }
    run->has_o |= has_o;
    survey->word.end = at;
    survey->classes = classes;
    survey->count = count;
    return true;
}

/* Counts the word if it is of one script. */
static void survey_count(Survey *survey)
{
    SanitizeRun *run = survey->run;
    uint32_t scripts = survey->classes & CLASSES_SCRIPTS, letter = run->items[survey->word.begin].code_point;
    Word word = {.begin = survey->word.begin, .end = survey->word.end};
    for (uint32_t i = word.begin; i < word.end && scripts & CLASS_GREEK; i++)
        run->has_formula = run->has_formula || words_is_of_formula(&run->items[i]);
    if (scripts & CLASS_LATIN) survey->latin += survey->count;
    if (scripts & (scripts - 1)) return;
    if (scripts == CLASS_OTHER_SCRIPT) words_measure(run, &word);
    if (scripts == CLASS_OTHER_SCRIPT && word.script_count > 1) return;
    run->unmixed[words_script(&run->items[word.begin])] += survey->count;
    if (scripts == CLASS_LATIN && word.end - word.begin == 1 && words_is_variable(letter)) run->has_formula = true;
}

const WordSpan *words_survey(SanitizeRun *run, uint32_t *out_count)
{
    Survey survey = {.run = run};
    uint32_t count = 0;
    WordSpan *doubtful = run_scratch(run, (run->count / 2 + 1) * sizeof *doubtful);
    memset(run->unmixed, 0, sizeof run->unmixed);
    run->has_o = run->has_formula = run->line_counted = false;
    for (uint32_t at = 0; doubtful && survey_next(&survey, at); at = survey.word.end) {
        if (!words_is_honest(survey.classes)) doubtful[count++] = survey.word;
        survey_count(&survey);
    }
    run->has_prose = run->unmixed[SCRIPT_LATIN] > PROSE_LETTERS_MIN || survey.latin > 4 * PROSE_LETTERS_MIN;
    *out_count = count;
    return doubtful;
}
