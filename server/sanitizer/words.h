/* Words of a line and the scripts of their letters: which script a word that mixes them can be written in. Pure. */
#pragma once

#include "sanitizer/confusables.h"
#include "sanitizer/run.h"

/* Letters with the marks, digits and apostrophes between them: items[begin, end). */
typedef struct Word {
    uint32_t begin, end;
    uint32_t first, last; /* letters; the first is items[begin] */
    uint32_t count;       /* of letters */
    uint32_t letters[SCRIPT_COUNT + 1];
    uint32_t script_count;
    WordScript script;  /* of the last letter */
    uint32_t exclusive; /* letters that only one script has */
    uint8_t targets;    /* the scripts in which all letters have a like, a bit each */
    uint8_t loose;      /* those in which some are only alike in some fonts, or honest beside them */
} Word;

/* Words are items[begin, end). */
typedef struct WordSpan {
    uint32_t begin, end;
} WordSpan;

/* More letters in words of one script alone than formulas have. */
enum { PROSE_LETTERS_MIN = 6 };

/* So many items on either side of a word are its context. */
enum { CONTEXT_ITEMS = 64 };

static inline WordSpan words_context(const SanitizeRun *run, const Word *word)
{
    uint32_t begin = word->begin > CONTEXT_ITEMS ? word->begin - CONTEXT_ITEMS : 0;
    return (WordSpan){begin, run->count - word->end > CONTEXT_ITEMS ? word->end + CONTEXT_ITEMS : run->count};
}

/* A letter, or a digit or sign that may stand for one. */
static inline bool words_is_letter(const Item *item)
{
    return (item->classes & CLASSES_SCRIPTS) != 0;
}

static inline bool words_is_armenian(const Item *item)
{
    return item->code_point >= 0x531 && item->code_point <= 0x588;
}

/* Of a letter. */
static inline WordScript words_script(const Item *item)
{
    uint32_t scripts = (item->classes & CLASSES_SCRIPTS) / CLASS_LATIN;
    if (scripts < 1u << SCRIPT_ARMENIAN) return (WordScript)(scripts / 2); /* 1, 2, 4 */
    return words_is_armenian(item) ? SCRIPT_ARMENIAN : SCRIPT_NONE;
}

static inline bool words_is_foreign(const Item *item, WordScript own)
{
    uint32_t others =
        item->classes & CLASSES_SCRIPTS & ~(own < SCRIPT_ARMENIAN ? (uint32_t)CLASS_LATIN << own : 0);
    return others && !(own == SCRIPT_ARMENIAN && words_is_armenian(item));
}

/* A letter that tells which script is meant: no other one has its like. */
static inline bool words_is_evidence(const Item *item)
{
    return (item->classes & CLASSES_EVIDENCE) != 0;
}

static inline bool words_is_apostrophe(uint32_t code_point)
{
    return code_point == '\'' || code_point == 0x2019 || code_point == 0x2BC;
}

static inline bool words_is_digit(uint32_t code_point)
{
    return code_point >= '0' && code_point <= '9';
}

/* Adds the letters of items[begin, end) that are evidence of a script. */
void words_count_evidence(const SanitizeRun *run, uint32_t begin, uint32_t end,
                          uint64_t letters[SCRIPT_COUNT + 1]);
/* The same of the whole line, as it was when it was first asked for. [SCRIPT_COUNT + 1], of `run`: until the next
 * line. */
const uint64_t *words_count_line(SanitizeRun *run);
/* Counts such letters in the word's context. */
void words_count_context(const SanitizeRun *run, const Word *word, uint64_t out_letters[SCRIPT_COUNT + 1]);
/* Looks the line over for what words that mix scripts are judged by, run->unmixed and what follows it, and for words
 * that may be judged: with letters of several scripts, of others than Latin, Greek and Cyrillic, or none that only one
 * script has. [*out_count], in run_scratch; NULL: no memory. */
const WordSpan *words_survey(SanitizeRun *run, uint32_t *out_count);
/* Counts its letters anew. */
void words_measure(const SanitizeRun *run, Word *word);
/* Whether a word has a letter of African languages and phonetics that looks like a Greek one. */
bool words_is_strange(const SanitizeRun *run, const Word *word);
/* The letters of other scripts that look like `target`'s in some fonts only. */
uint32_t words_count_loose(const SanitizeRun *run, const Word *word, WordScript target);
/* Whether a word that mixes scripts can be of `target`, one of them and of its targets, and is not honestly mixed. */
bool words_can_be(const SanitizeRun *run, const Word *word, WordScript target);
/* Whether it is a Latin name with a Cyrillic ending behind an apostrophe, as Russian inflects them. */
bool words_is_inflected(const SanitizeRun *run, const Word *word);
/* Whether a word of one script reads as one of `target`. */
bool words_reads_as(const SanitizeRun *run, const Word *word, WordScript target);
/* Whether it stands between quotation marks. */
bool words_is_quoted(const SanitizeRun *run, const Word *word);
/* The script that one of these says a word is of in which both could be written; SCRIPT_NONE: none does. A letter that
 * next to no Cyrillic language writes, or small capitals, which stand for Cyrillic letters only; a sign of programs
 * beside it; letters that it shares no space with; an i where others write none. */
WordScript words_told(const SanitizeRun *run, const Word *word);
/* Whether items[begin, end) are the name of a mathematical function. */
bool words_is_function(const SanitizeRun *run, uint32_t begin, uint32_t end);
/* Whether items[index] is drawn as a stroke, which i and l are as well. */
bool words_is_stroke(const SanitizeRun *run, uint32_t index);
/* Whether a word has a capital behind a small letter, or its items[stroke] has one behind it. */
bool words_is_camel(const SanitizeRun *run, const Word *word, uint32_t stroke);
/* Whether a Cyrillic word has a letter that next to no language writes. */
bool words_is_rare(const SanitizeRun *run, const Word *word);
/* The more likely one of two scripts by the letters alone. */
WordScript words_guess(const SanitizeRun *run, const Word *word, WordScript a, WordScript b);
