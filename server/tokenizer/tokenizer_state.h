/* What a tokenizer is made of; filled by the readers, read by everything else. */
#pragma once

#include "tokenizer/added.h"
#include "tokenizer/decoder.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/template.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

/* The tokens with a task. */
typedef enum SpecialToken {
    SPECIAL_UNKNOWN,
    SPECIAL_SEPARATOR,
    SPECIAL_PADDING,
    SPECIAL_CLASSIFIER,
    SPECIAL_MASK,
    SPECIAL_COUNT,
} SpecialToken;

struct Tokenizer {
    NormalizerList normalizers;
    PreTokenizerList pre_tokenizers;
    Vocabulary vocabulary; /* of every kind of model: texts and ids */
    Model model;
    AddedTokens added;
    uint32_t
        *special; /* [vocabulary_size / 32 + 1] bits: an added token flagged special, but for the unknown one */
    Template single;
    Template pair;
    OffsetTrim trim;
    DecoderList decoders;
    uint32_t vocabulary_size;            /* one more than the largest id of the vocabulary and the added tokens */
    uint32_t special_ids[SPECIAL_COUNT]; /* VOCABULARY_NONE: there is none */
    TokenizerTypes types;
};

/* Whether texts reach the model in the byte alphabet. */
bool tokenizer_maps_bytes(const Tokenizer *tokenizer);
