/* The pre-tokenizers: how a normalized text falls into words, one step after the other. */
#pragma once

#include <stdint.h>

typedef enum PreTokenizerKind {
    PRE_TOKENIZER_BERT, /* white space separates, punctuation stands alone */
} PreTokenizerKind;

typedef struct PreTokenizer {
    PreTokenizerKind kind;
} PreTokenizer;

/* Published files have up to 4; ByteLevel and Metaspace count as 2 or 3 steps. */
enum { PRE_TOKENIZER_COUNT_MAX = 32 };

typedef struct PreTokenizerList {
    PreTokenizer items[PRE_TOKENIZER_COUNT_MAX];
    uint32_t count; /* 0: the whole text is one word */
} PreTokenizerList;
