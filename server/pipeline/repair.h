/* What is repaired by the model's own vocabulary, when it is asked for; for the files of pipeline/ only. */
#pragma once

#include "pipeline/pipeline.h"
#include "sanitizer/sanitizer.h"

/* TYPO_WORD, and under SANITIZE_CLEAN FLOOD_REPEAT, of what sanitizer_run has made of `original`; nothing unless they
 * are enabled. Fails with RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status repair_by_tokens(const Pipeline *pipeline, TextView original, const SanitizeOptions *options,
                                Arena *arena, Sanitized *sanitized, Error *out_error);

/* A text of letters that is not a token of its own, and one that is. */
typedef struct TypoWord {
    TextView word;
    char bytes[64]; /* what it may have been */
    uint32_t size;
    uint32_t id;
} TypoWord;

/* The likeliest word of the vocabulary that is one edit from `word->word`: a letter that is missing, too many or
 * another, or two that are swapped. False: there is none. */
bool typo_find(const Tokenizer *tokenizer, TypoWord *word);
