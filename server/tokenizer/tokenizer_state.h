/* What a tokenizer is made of; filled by the readers, read by everything else. */
#pragma once

#include "tokenizer/added.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/template.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

/* The WordPiece decoder. */
typedef struct Decoder {
    bool enabled; /* false: tokens are joined by spaces */
    char *prefix; /* owned */
    size_t prefix_size;
    bool cleanup; /* takes the spaces before punctuation and contractions out */
} Decoder;

struct Tokenizer {
    NormalizerList normalizers;
    PreTokenizerList pre_tokenizers;
    Vocabulary vocabulary; /* of every kind of model: texts and ids */
    Model model;
    AddedTokens added;
    Template single;
    Template pair;
    Decoder decoder;
    uint32_t vocabulary_size; /* one more than the largest id of the vocabulary and the added tokens */
};
