/* From a normalized text to its words, and from them to tokens. */
#pragma once

#include "tokenizer/tokenizer_state.h"

/* Scratch of one thread, for any number of texts; zeroed is empty. */
typedef struct Words {
    const Tokenizer *tokenizer;
    Collector *collector;
    uint32_t size_max;                           /* of the scratch below */
    Normalized scratch[PRE_TOKENIZER_COUNT_MAX]; /* what a step made of the part before it */
} Words;

void words_close(Words *words);
/* Pushes the tokens of normalized[range], which is what is between two added tokens. Fails with NO_MEMORY,
 * RESOURCE_EXHAUSTED. */
CHECKED Status words_push(Words *words, const Normalized *normalized, ByteRange range, Error *out_error);
