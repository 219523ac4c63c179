/* The words of a sequence, which surrogates take for features, and the tokens that each is made of. For
 * pipeline/explain*.c only. */
#pragma once

#include "pipeline/copies.h"

/* A word that is there several times is one feature. Of a sequence with more than EXPLAIN_FEATURE_COUNT_MAX of them,
 * features are runs of as few neighbouring words as make that many. What shares a token is one word. */
typedef struct ExplainWords {
    const ExplainWord *items; /* [count], each where it is for the first time */
    uint32_t count;
    bool of_pair;                /* some are the pair's */
    const uint32_t *token_words; /* [token count]; EXPLAIN_NO_FEATURE: punctuation, and what is not of the text */
} ExplainWords;

/* How many there are, at most. */
uint32_t explain_words_max(const Prepared *prepared);
/* The bytes of the text and the pair that tokens are of: those of all words together, at most. */
uint64_t explain_words_text_bytes(const Prepared *prepared);
/* What explain_words_find takes of an arena, at most. */
uint64_t explain_words_bytes(const ExplainSubject *subject);
/* They live in `arena`; false: that is out. */
bool explain_words_find(const ExplainSubject *subject, Arena *arena, ExplainWords *out_words);
