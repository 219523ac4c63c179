/* Where code points that do not show have a meaning, and where they only hide something.
 *
 * They stand in runs between two code points that show. A run is judged as a whole by its two neighbours, so that noise
 * beside a joiner does not make the joiner look lost, and a second joiner does not hide behind the first. What is kept
 * depends only on what is kept: a line without the rest is judged the same. A line takes time linear in its length. */
#pragma once

#include "sanitizer/run.h"

#define INVISIBLE_KEPT RULE_COUNT

/* A line, and its run of the moment. */
typedef struct InvisibleJudge {
    const Item *items;
    uint32_t count;
    /* The run: items[begin, end), what shows before and after it (0: the line ends), and what was kept of it. */
    uint32_t begin;
    uint32_t end;
    uint32_t before;
    uint32_t after;
    uint32_t selector_count;
    uint32_t joiner_count; /* ZWJ, ZWNJ */
    bool joins_emoji;
    bool is_noise; /* many zero-width characters */
    bool kept_any;
    unsigned kept_joiners;     /* ZWJ */
    unsigned kept_non_joiners; /* ZWNJ */
    unsigned kept_spaces;
    unsigned kept_others;
    /* What is known of the line, so that nothing is looked at twice. */
    uint32_t flag_end;       /* tags before it are a flag's */
    uint32_t emoji_end;      /* joiners before it join an emoji */
    uint32_t hyphenated_end; /* of the word that `hyphenated` is about */
    bool hyphenated;
    bool direction_known;
    bool right_to_left; /* letters of the line */
    bool arabic_surveyed;
    bool arabic; /* the language, not others in its script */
    bool kurdish;
    bool surveyed;   /* what follows is known */
    bool japanese;   /* with kana */
    bool chinese;    /* prose, not names that may be Japanese */
    bool alphabetic; /* letters, and none of East Asia */
    uint32_t styled; /* signs and letters with a form that is the style of all of them; 0: it is not */
} InvisibleJudge;

/* Does the item not show? Those that are gone do not. */
static inline bool invisible_is_hidden(const Item *item)
{
    return (item->classes & (CLASS_INVISIBLE | CLASS_BIDI)) != 0 || item->code_point == REWRITE_GONE;
}

/* White space, or the line's end: 0. */
bool invisible_is_gap(uint32_t code_point);
/* A zeroed judge with its items begins with the run that starts at `begin`; returns where the run ends. */
uint32_t invisible_begin_run(InvisibleJudge *judge, uint32_t begin);
/* The rule that item `at` of the run breaks, or INVISIBLE_KEPT. Asked of each item in order. */
SanitizeRule invisible_judge(InvisibleJudge *judge, uint32_t at);
/* Whether it is kept only for want of evidence: soft hyphens between syllables and their like could be anybody's, and
 * with `selectors` so could the forms of ideographs, and in a line of Thai borders of words. */
bool invisible_is_doubtful(const Item *item, bool selectors, bool thai);
/* Of Thai's block. */
bool invisible_is_thai(uint32_t code_point);
