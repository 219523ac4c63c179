/* What explanations found, as English sentences that are made of their numbers and of the text's own words alone. */
#pragma once

#include "explain/explain.h"

enum { SUMMARY_BYTES_MAX = 8192 };

/* Numbers that are not there leave their sentence out. */
typedef struct SummaryNumbers {
    TextView label;      /* the target; empty: there is none */
    bool label_is_other; /* than the answer: somebody asked about it */
    bool has_score;
    float score;           /* of the target */
    const TextView *words; /* [word_count] */
    uint32_t word_count;
    uint32_t pair_count;                   /* of the words, the last ones: they are the pair's */
    const ExplainAttribution *attribution; /* the most faithful of those that were made; NULL: none */
    const float *word_scores;              /* [word_count]: its scores of each word's tokens together */
    const ExplainSurrogate *surrogates;    /* [surrogate_count], whose features are those words */
    uint32_t surrogate_count;
} SummaryNumbers;

/* Of several attributions the one that a summary is made of; NULL: there is none. */
const ExplainAttribution *summary_choose(const ExplainAttribution *attributions, uint32_t count);
/* Returns the bytes written: UTF-8, at most SUMMARY_BYTES_MAX. */
size_t summary_write(const SummaryNumbers *numbers, char *out_bytes);
