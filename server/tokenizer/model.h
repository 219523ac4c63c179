/* The model: the last step of encoding, from a word to tokens. Every kind has its texts and ids in the tokenizer's
 * vocabulary. */
#pragma once

#include "tokenizer/bpe.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordlevel.h"
#include "tokenizer/wordpiece.h"

typedef enum ModelKind {
    MODEL_WORDPIECE,
    MODEL_WORDLEVEL,
    MODEL_BPE,
    MODEL_UNIGRAM,
} ModelKind;

typedef struct Model {
    ModelKind kind;
    char *prefix; /* owned; what wordpiece.prefix shows */
    union {
        WordPiece wordpiece;
        WordLevel wordlevel;
        Bpe bpe;
        Unigram unigram;
    };
} Model;

void model_close(Model *model); /* accepts a zeroed and a half-built one */

/* False: the model has no token for what it does not know. */
bool model_unknown_id(const Model *model, uint32_t *out_id);
/* Pushes the tokens of the word normalized[begin, end), which is not empty. Any thread. */
void model_split(const Model *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                 Collector *collector);
