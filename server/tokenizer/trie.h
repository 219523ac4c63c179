/* Keys with scores as a double array: of all keys that a text starts with, each is found in one walk over the text.
 * Read by any number of threads once built. */
#pragma once

#include "base/status.h"
#include "base/text.h"

enum { TRIE_ROOT = 0 };

typedef struct TrieUnit {
    uint32_t base;  /* children stand at base + byte */
    uint32_t check; /* the parent; TRIE_FREE: nobody stands here */
    double score;   /* of the key that ends here; NaN: none does */
} TrieUnit;

#define TRIE_FREE UINT32_MAX

/* Zeroed is closed. */
typedef struct Trie {
    TrieUnit *units; /* [unit_count], of which the last 256 are free */
    uint32_t *ids;   /* [unit_count]: of the key that ends here */
    uint32_t unit_count;
} Trie;

typedef struct TrieKey {
    TextView text; /* not empty */
    uint32_t id;
    double score;
    uint64_t prefix; /* trie_open's */
} TrieKey;

/* Builds a trie of `count` keys, which it sorts; no two are alike. The caller closes it on success and on failure.
 * Fails with RESOURCE_EXHAUSTED (the memory, or TRIE_UNIT_COUNT_MAX). */
CHECKED Status trie_open(Trie *trie, TrieKey *keys, uint32_t count, Error *out_error);
void trie_close(Trie *trie); /* a zeroed one is a no-op */

/* From the unit `at` over `byte`; false: no key goes on like that. */
static inline bool trie_step(const Trie *trie, uint32_t *at, unsigned char byte)
{
    uint32_t child = trie->units[*at].base + byte;
    if (trie->units[child].check != *at) return false;
    *at = child;
    return true;
}
