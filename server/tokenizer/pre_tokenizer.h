/* The pre-tokenizers as steps: a normalized text falls into ever smaller parts, and the last ones are the words that
 * the model sees. */
#pragma once

#include "tokenizer/pattern.h"
#include "tokenizer/split.h"

typedef enum PreTokenizerKind {
    PRE_TOKENIZER_BERT,         /* white space separates, punctuation stands alone */
    PRE_TOKENIZER_PREFIX_SPACE, /* ByteLevel: a space in front, if there is none */
    PRE_TOKENIZER_BYTES,        /* ByteLevel: the byte alphabet */
    PRE_TOKENIZER_METASPACE,    /* `character` for spaces, and in front */
    PRE_TOKENIZER_PATTERN,      /* Split; ByteLevel's words */
    PRE_TOKENIZER_WORDS,        /* Whitespace: runs of \w, and of what is neither that nor white space */
    PRE_TOKENIZER_WHITE_SPACE,  /* from here on: characters of a kind are the matches */
    PRE_TOKENIZER_PUNCTUATION,
    PRE_TOKENIZER_NUMERIC,
    PRE_TOKENIZER_CHARACTER, /* `character` */
    PRE_TOKENIZER_SCRIPTS,   /* where the script changes */
    PRE_TOKENIZER_LENGTH,    /* every `length` characters */
} PreTokenizerKind;

typedef enum PrependScheme { PREPEND_NEVER, PREPEND_FIRST, PREPEND_ALWAYS } PrependScheme;

typedef struct PreTokenizer {
    PreTokenizerKind kind;
    SplitBehavior behavior;
    bool invert;
    Pattern *pattern; /* owned */
    uint32_t character;
    PrependScheme prepend;
    uint32_t length;
} PreTokenizer;

/* Published files have up to 4 pre-tokenizers; ByteLevel and Metaspace are up to 3 steps. */
enum { PRE_TOKENIZER_COUNT_MAX = 32 };

typedef struct PreTokenizerList {
    PreTokenizer items[PRE_TOKENIZER_COUNT_MAX];
    uint32_t count; /* 0: the whole text is one word */
} PreTokenizerList;

void pre_tokenizer_close(PreTokenizerList *pre_tokenizers);
