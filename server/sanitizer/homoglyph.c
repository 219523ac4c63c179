/* Letters that look like those of another script. A word that mixes scripts is repaired towards the one of its own
 * scripts in which it can be written whole; where none can, the mixture is honest: T-shirt in Katakana, delta t. */
#include "sanitizer/strokes.h"

#include "unicode/property.h"
#include "unicode/utf8.h"

#include <string.h>

/* So many letters that only one script has in a word's context are words. */
enum { CONTEXT_LETTERS_MIN = 4 };

/* What a letter becomes in a word of `target`, behind `before`. */
static uint32_t homoglyph_map(const SanitizeRun *run, const Word *word, uint32_t index, WordScript target,
                              uint32_t before)
{
    const Item *item = &run->items[index];
    uint32_t mapped = confusables_row_of(item->code_point)->targets[target];
    bool stroke = mapped == 'I' || mapped == UPPER_UKRAINIAN_I || mapped == 'l';
    return stroke ? strokes_read(run, word, index, mapped, before) : mapped;
}

/* Says that letters of a word become `target`'s, and makes them so if `rule` is repaired. */
static void homoglyph_repair(SanitizeRun *run, const Word *word, WordScript target, SanitizeRule rule)
{
    char detail[FINDING_DETAIL_BYTES_MAX + UTF8_BYTES_MAX];
    uint32_t size = 0, before = ' ';
    bool repairs = run_repairs(run, rule);
    for (uint32_t i = word->begin; i < word->end; i++) {
        if (words_is_foreign(&run->items[i], target)) {
            before = homoglyph_map(run, word, i, target, before);
            if (repairs) rewrite_replace(run, i, before);
        } else {
            before = run->items[i].code_point;
        }
        if (size < FINDING_DETAIL_BYTES_MAX) size += (uint32_t)utf8_write(before, detail + size);
    }
    run_find_detail(run, rule, word->begin, word->end, word->count - word->letters[target],
                    (TextView){detail, size});
}

/* Whether the words around it are of East Asia, where what else there is is Latin. */
static bool homoglyph_is_in_east_asian(const SanitizeRun *run, const Word *word)
{
    WordSpan context = words_context(run, word);
    for (uint32_t i = context.begin; i < context.end; i++) {
        if (run_is_east_asian(run->items[i].code_point)) return true;
    }
    return false;
}

/* The more likely one of two scripts in either of which a word can be written: what tells it, then its neighbours',
 * then the text's, then what the letters say. */
static WordScript homoglyph_choose(const SanitizeRun *run, const Word *word, WordScript a, WordScript b)
{
    uint64_t near[SCRIPT_COUNT + 1];
    WordScript told = a == SCRIPT_LATIN && b == SCRIPT_CYRILLIC ? words_told(run, word) : SCRIPT_NONE;
    if (told != SCRIPT_NONE) return told;
    words_count_context(run, word, near);
    /* Letters that were put into words are no evidence. */
    if (!run->unmixed[a] != !run->unmixed[b]) {
        WordScript only = run->unmixed[a] ? a : b;
        if (run->unmixed[only] > PROSE_LETTERS_MIN) return only;
    }
    bool loose_a = words_count_loose(run, word, a) > 0, loose_b = words_count_loose(run, word, b) > 0;
    if (loose_a != loose_b && near[loose_a ? b : a]) return loose_a ? b : a;
    if (b == SCRIPT_GREEK && near[b] >= near[a] && words_is_strange(run, word)) return b;
    if (near[a] != near[b]) return near[a] > near[b] ? a : b;
    if (a < SCRIPT_ARMENIAN && b < SCRIPT_ARMENIAN) {
        if (run->scripts.more[a][b]) return a;
        if (run->scripts.more[b][a]) return b;
    }
    if (a == SCRIPT_LATIN && homoglyph_is_in_east_asian(run, word)) return a;
    return words_guess(run, word, a, b);
}

/* Whether a word that mixes two other scripts was a Latin one: neither has all its letters, or the text has no word
 * that is certainly of the one that has. */
static bool homoglyph_is_latin(const SanitizeRun *run, const Word *word, WordScript target)
{
    if (word->letters[SCRIPT_LATIN] || !words_reads_as(run, word, SCRIPT_LATIN)) return false;
    if (target == SCRIPT_NONE) return true;
    return !run->scripts.has[target] && (run->scripts.has[SCRIPT_LATIN] || homoglyph_is_in_east_asian(run, word));
}

static void homoglyph_look_at_mixed(SanitizeRun *run, const Word *word)
{
    WordScript target = SCRIPT_NONE;
    if (word->letters[SCRIPT_CYRILLIC] && words_is_inflected(run, word)) return;
    for (int script = 0; script < SCRIPT_COUNT; script++) {
        if (!word->letters[script] || !(word->targets >> script & 1)) continue;
        if (!words_can_be(run, word, (WordScript)script)) continue;
        target =
            target == SCRIPT_NONE ? (WordScript)script : homoglyph_choose(run, word, target, (WordScript)script);
    }
    if (homoglyph_is_latin(run, word, target)) target = SCRIPT_LATIN;
    if (target != SCRIPT_NONE) homoglyph_repair(run, word, target, RULE_HOMO_MIXED);
}

/* Whether there are small letters near the word: tables of letters are labelled in capitals. */
static bool homoglyph_is_prose(const SanitizeRun *run, const Word *word)
{
    WordSpan context = words_context(run, word);
    for (uint32_t i = context.begin; i < context.end; i++) {
        if (run->items[i].code_point >= 'a' && run->items[i].code_point <= 'z') return true;
    }
    return false;
}

/* Whether an ideograph or a syllable of East Asia stands right beside the word, as beside Latin ones. */
static bool homoglyph_is_among_ideographs(const SanitizeRun *run, const Word *word)
{
    return (word->begin > 0 && run_is_east_asian(run->items[word->begin - 1].code_point)) ||
           (word->end < run->count && run_is_east_asian(run->items[word->end].code_point));
}

/* Whether the word is joined to a number, which Russian reads as an ordinal. */
static bool homoglyph_is_ending(const SanitizeRun *run, const Word *word)
{
    if (word->begin < 2 || run->items[word->begin - 1].code_point != '-') return false;
    uint32_t before = run->items[word->begin - 2].code_point;
    return before >= '0' && before <= '9';
}

/* Whether a word of a script that nothing else in the text is certainly of was put among the words of another one. */
static bool homoglyph_is_planted(const SanitizeRun *run, const Word *word, WordScript text)
{
    uint64_t near[SCRIPT_COUNT + 1];
    if (text != SCRIPT_LATIN || word->script > SCRIPT_CYRILLIC || run->scripts.has[word->script]) return false;
    /* Acronyms, and words that are spoken of, are cited. */
    if (words_is_quoted(run, word)) return false;
    if (word->count > 1 && homoglyph_is_among_ideographs(run, word)) return true;
    if (word->count > 1 && unicode_category(run->items[word->last].code_point) == UNICODE_LU) return false;
    /* A letter alone is a word in Latin, or one of a list of letters. */
    uint32_t latin = confusables_row_of(run->items[word->last].code_point)->targets[SCRIPT_LATIN];
    if (word->count == 1 && !strchr("aeiouyAEIOUY", (int)latin)) return false;
    if (word->count == 1 && homoglyph_is_ending(run, word)) return false;
    if (!homoglyph_is_prose(run, word)) return false;
    words_count_context(run, word, near);
    return near[text] >= CONTEXT_LETTERS_MIN;
}

/* A word of one script that reads as one of the text's main script. Short words do that by accident, so none counts
 * that stands beside honest ones of its own. */
static void homoglyph_look_at_whole(SanitizeRun *run, const Word *word)
{
    WordScript own = word->script, text = (WordScript)run->scripts.most;
    if (own == text) return;
    bool among_ideographs = word->count > 1 && homoglyph_is_among_ideographs(run, word);
    if (text == SCRIPT_NONE) text = among_ideographs || words_is_rare(run, word) ? SCRIPT_LATIN : own;
    if (own == text || !words_reads_as(run, word, text)) return;
    const uint64_t *line = words_count_line(run);
    if (line[own]) return;
    if (homoglyph_is_planted(run, word, text)) {
        homoglyph_repair(run, word, text, RULE_HOMO_MIXED);
        return;
    }
    bool alone = !run->scripts.has[own < SCRIPT_ARMENIAN ? own : SCRIPT_ARMENIAN];
    if (word->count < 2 && (own != SCRIPT_CYRILLIC || !alone)) return;
    if (line[text] || alone || words_is_rare(run, word)) homoglyph_repair(run, word, text, RULE_HOMO_WHOLE);
}

/* A click of Khoisan languages never ends a word; it is an exclamation mark. */
static void homoglyph_look_at_clicks(SanitizeRun *run, Word *word)
{
    uint32_t begin = word->end;
    while (begin > word->begin && run->items[begin - 1].code_point == CONFUSABLE_CLICK) begin--;
    if (begin == word->end || begin == word->begin) return;
    run_find_detail(run, RULE_HOMO_MIXED, begin, word->end, word->end - begin, text_view("!"));
    for (uint32_t i = begin; i < word->end; i++) rewrite_replace(run, i, '!');
    words_measure(run, word);
}

/* Whether a line of letters of one class has one that no other script has the like of: then its words are honest,
 * unless they are of scripts that the class does not tell apart. */
static bool homoglyph_is_evident(const SanitizeRun *run)
{
    uint32_t evidence = 0, armenian = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        evidence |= run->items[i].classes & CLASSES_EVIDENCE;
        armenian |= words_is_armenian(&run->items[i]);
    }
    return evidence && !armenian;
}

void homoglyph_pass(SanitizeRun *run)
{
    unsigned scripts = run->seen & CLASSES_SCRIPTS, main_class = run_main_class(run);
    bool native = scripts == (main_class ? main_class : CLASS_LATIN);
    bool single = (scripts & (scripts - 1)) == 0;
    if (!(run->seen & CLASS_COMPAT) && (native || !scripts || (single && homoglyph_is_evident(run)))) return;
    uint32_t count;
    const WordSpan *spans = words_survey(run, &count);
    for (uint32_t i = 0; i < count; i++) {
        Word word = {.begin = spans[i].begin, .end = spans[i].end};
        words_measure(run, &word);
        homoglyph_look_at_clicks(run, &word);
        if (word.script_count > 1)
            homoglyph_look_at_mixed(run, &word);
        else if (word.letters[word.script] != word.exclusive)
            homoglyph_look_at_whole(run, &word);
    }
}
