/* WordLevel: each word is one token. */
#pragma once

#include "tokenizer/collector.h"
#include "tokenizer/normalized.h"
#include "tokenizer/vocabulary.h"

typedef struct WordLevel {
    const Vocabulary *vocabulary;
    uint32_t unknown_id;
} WordLevel;

/* Pushes the token of the word normalized[begin, end), which is not empty. */
void wordlevel_split(const WordLevel *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                     Collector *collector);
