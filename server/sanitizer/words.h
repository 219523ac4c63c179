/* Words of a line and the scripts of their letters: which script a word that mixes them can be written in. Pure. */
#pragma once

#include "sanitizer/confusables.h"
#include "sanitizer/run.h"

/* Letters with the marks, digits and apostrophes between them: items[begin, end). */
typedef struct Word {
    uint32_t begin, end;
    uint32_t first, last; /* letters */
    uint32_t count;       /* of letters */
    uint32_t letters[SCRIPT_COUNT + 1];
    uint32_t script_count;
    WordScript script;  /* of the last letter */
    uint32_t exclusive; /* letters that only one script has */
} Word;

/* So many items on either side of a word are its context. */
enum { CONTEXT_ITEMS = 64 };

/* A letter, or a digit or sign that may stand for one. */
static inline bool words_is_letter(const Item *item)
{
    return (item->classes & CLASSES_SCRIPTS) != 0;
}

static inline bool words_is_armenian(const Item *item)
{
    return item->code_point >= 0x531 && item->code_point <= 0x588;
}

static inline WordScript words_script(const Item *item)
{
    if (item->classes & CLASS_LATIN) return SCRIPT_LATIN;
    if (item->classes & CLASS_GREEK) return SCRIPT_GREEK;
    if (item->classes & CLASS_CYRILLIC) return SCRIPT_CYRILLIC;
    return words_is_armenian(item) ? SCRIPT_ARMENIAN : SCRIPT_NONE;
}

static inline bool words_is_foreign(const Item *item, WordScript own)
{
    return words_is_letter(item) && words_script(item) != own;
}

/* A letter that tells which script is meant: no other one has its like. */
static inline bool words_is_evidence(const Item *item)
{
    return item->classes >> CLASS_EVIDENCE_SHIFT != 0;
}

/* Adds the letters of items[begin, end) that are evidence of a script. */
void words_count_evidence(const SanitizeRun *run, uint32_t begin, uint32_t end,
                          uint64_t letters[SCRIPT_COUNT + 1]);
/* Finds the next word from `at` on; false: there is none. */
bool words_next(const SanitizeRun *run, uint32_t at, Word *out);
/* Looks the line over once for what words that mix scripts are judged by: run->unmixed and what follows it. */
void words_survey(SanitizeRun *run);
/* Counts its letters anew. */
void words_measure(const SanitizeRun *run, Word *word);
/* Whether a word has a letter of African languages and phonetics that looks like a Greek one. */
bool words_is_strange(const SanitizeRun *run, const Word *word);
/* The letters of other scripts that look like `target`'s in some fonts only. */
uint32_t words_count_loose(const SanitizeRun *run, const Word *word, WordScript target);
/* Whether all letters of a word that mixes scripts can be `target`'s, one of them, and it is not honestly mixed. `near`
 * counts letters around the word that only one script has. */
bool words_can_be(const SanitizeRun *run, const Word *word, WordScript target, const uint64_t near[SCRIPT_COUNT]);
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
/* Whether a word has a capital behind a small letter, or its items[stroke] has one behind it. */
bool words_is_camel(const SanitizeRun *run, const Word *word, uint32_t stroke);
/* Whether a Cyrillic word has a letter that next to no language writes. */
bool words_is_rare(const SanitizeRun *run, const Word *word);
/* The more likely one of two scripts by the letters alone. */
WordScript words_guess(const SanitizeRun *run, const Word *word, WordScript a, WordScript b);
