/* BPE: the characters of a word, and then the merge of the lowest rank, leftmost first, until none is left. */
#pragma once

#include "tokenizer/collector.h"
#include "tokenizer/normalized.h"
#include "tokenizer/vocabulary.h"

typedef struct BpeMerge {
    uint32_t left; /* VOCABULARY_NONE: a free slot */
    uint32_t right;
    uint32_t rank;
    uint32_t id; /* of what the two become */
} BpeMerge;

enum {
    BPE_DIRECT_COUNT = 0x800
}; /* code points whose tokens are found without a hash: what byte-level words hold */

/* Zeroed is closed. Read by any number of threads once built. */
typedef struct Bpe {
    const Vocabulary *vocabulary;
    BpeMerge *merges; /* [1 << (64 - merge_shift)], at most half of them taken; owned */
    uint32_t merge_mask;
    uint32_t merge_shift;
    uint32_t *whole; /* bit id % 32 of [id / 32]: a word that is this token's text is this one token; owned */
    char *prefix;    /* before every character but a word's first, to look it up; owned */
    char *suffix;    /* behind a word's last character, to look it up; owned */
    uint32_t prefix_size;
    uint32_t suffix_size;
    uint32_t unknown_id;    /* VOCABULARY_NONE: unknown characters vanish */
    bool fuse_unknown;      /* neighbouring unknown characters are one token */
    bool byte_fallback;     /* an unknown character is its bytes' tokens, where all of them exist */
    uint32_t byte_ids[256]; /* of "<0x00>" and so on; VOCABULARY_NONE: there is none */
    uint32_t direct[BPE_DIRECT_COUNT];
} Bpe;

enum { BPE_AFFIX_BYTES_MAX = 64 };

/* Makes room for `count` merges. The caller makes the settings, adds the merges, finishes, and closes it on success
 * and on failure. Fails with NO_MEMORY. */
CHECKED Status bpe_open(Bpe *bpe, const Vocabulary *vocabulary, uint32_t count, Error *out_error);
/* Adds a merge; a pair that is there takes the new rank. False: more collisions than chance can explain. */
bool bpe_add(Bpe *bpe, BpeMerge merge);
/* Prepares the tables. `ignore_merges`: every word that is a token is that token. Fails with NO_MEMORY. */
CHECKED Status bpe_finish(Bpe *bpe, bool ignore_merges, Error *out_error);
void bpe_close(Bpe *bpe); /* a zeroed one is a no-op */

/* Pushes the tokens of the word normalized[begin, end), which is not empty. Any thread. n log n in the word's size,
 * with 40 bytes of scratch a byte. Out of memory: collector->failed. */
void bpe_split(const Bpe *bpe, const Normalized *normalized, uint32_t begin, uint32_t end, Collector *collector);
