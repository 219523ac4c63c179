/* Unigram: of all ways to write a word as tokens, the one with the largest sum of scores. */
#pragma once

#include "tokenizer/collector.h"
#include "tokenizer/normalized.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

/* Zeroed is closed. Read by any number of threads once built. */
typedef struct Unigram {
    const Vocabulary *vocabulary;
    Trie trie; /* of all tokens that are not empty */
    double unknown_score;
    uint32_t unknown_id;
    bool byte_fallback;     /* an unknown piece is its bytes' tokens, where all of them exist */
    uint32_t byte_ids[256]; /* of "<0x00>" and so on; VOCABULARY_NONE: there is none */
} Unigram;

/* Builds the trie over `vocabulary`; scores[id] is finite. The caller makes the settings, and closes it on success
 * and on failure. Fails with RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status unigram_open(Unigram *unigram, const Vocabulary *vocabulary, const double *scores,
                            Error *out_error);
void unigram_close(Unigram *unigram); /* a zeroed one is a no-op */

/* Pushes the tokens of the word normalized[begin, end), which is not empty. Any thread. Linear in the word's size
 * times the longest token's, with 16 bytes of scratch a byte. Out of memory: collector->failed. */
void unigram_split(const Unigram *unigram, const Normalized *normalized, uint32_t begin, uint32_t end,
                   Collector *collector);
