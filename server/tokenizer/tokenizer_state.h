/* What a tokenizer is made of; filled by the readers, read by everything else. */
#pragma once

#include "tokenizer/added.h"
#include "tokenizer/normalized.h"
#include "tokenizer/template.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/wordpiece.h"

typedef enum PreTokenizer {
    PRE_TOKENIZER_NONE, /* the whole piece is one word */
    PRE_TOKENIZER_BERT, /* white space separates, punctuation stands alone */
} PreTokenizer;

/* The WordPiece decoder. */
typedef struct Decoder {
    bool enabled; /* false: tokens are joined by spaces */
    char *prefix; /* owned */
    size_t prefix_size;
    bool cleanup; /* takes the spaces before punctuation and contractions out */
} Decoder;

struct Tokenizer {
    BertNormalizer normalizer;
    PreTokenizer pre_tokenizer;
    Vocabulary vocabulary;
    WordPiece model;
    char *model_prefix; /* owned; what model.prefix shows */
    AddedTokens added;
    Template single;
    Template pair;
    Decoder decoder;
    uint32_t vocabulary_size; /* one more than the largest id of the vocabulary and the added tokens */
};
