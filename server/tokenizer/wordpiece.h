/* WordPiece: the longest token of the vocabulary that starts the rest of the word, until nothing is left. */
#pragma once

#include "tokenizer/collector.h"
#include "tokenizer/normalized.h"
#include "tokenizer/vocabulary.h"

typedef struct WordPiece {
    const Vocabulary *vocabulary;
    TextView prefix; /* of every token but a word's first: "##" */
    uint64_t prefix_hash;
    uint32_t unknown_id;
    uint32_t character_count_max; /* a longer word is unknown */
} WordPiece;

enum { WORDPIECE_TOKEN_BYTES_MAX = 1024 };

/* Pushes the tokens of the word normalized[begin, end), which is not empty. */
void wordpiece_split(const WordPiece *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                     Collector *collector);
