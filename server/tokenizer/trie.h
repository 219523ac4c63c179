/* Keys with scores as a double array: of all keys that a text starts with, each is found in one walk over the text.
 * Where only one key is left, its last bytes are compared at once: most units of a plain double array would be such
 * chains. Read by any number of threads once built. */
#pragma once

#include "base/status.h"
#include "base/text.h"

#include <math.h>

enum { TRIE_ROOT = 0 };

typedef struct TrieUnit {
    uint32_t
        base; /* children stand at base + byte; from TRIE_TAIL on: tails[base - TRIE_TAIL] is all that follows */
    uint32_t check; /* the parent; TRIE_FREE: nobody stands here */
    double score;   /* of the key that ends here; NaN: none does */
} TrieUnit;

#define TRIE_FREE UINT32_MAX
#define TRIE_TAIL 0x80000000u

/* Zeroed is closed. */
typedef struct Trie {
    TrieUnit *units; /* [unit_count], of which the last 256 are free */
    uint32_t *ids;   /* [unit_count]: of the key that ends here */
    uint32_t unit_count;
    TextView *tails; /* [one a key at most]: the ends of keys' texts, which the caller keeps */
} Trie;

typedef struct TrieKey {
    TextView text; /* not empty */
    uint32_t id;
    double score;
    uint64_t prefix; /* trie_open's */
} TrieKey;

/* Builds a trie of `count` keys, no two of them alike. Their texts must outlive it, the keys need not. The caller
 * closes it on success and on failure. Fails with RESOURCE_EXHAUSTED (the memory, or TRIE_UNIT_COUNT_MAX). */
CHECKED Status trie_open(Trie *trie, const TrieKey *keys, uint32_t count, Error *out_error);
void trie_close(Trie *trie); /* a zeroed one is a no-op */

/* Along a text; zeroed at its start. */
typedef struct TrieWalk {
    uint32_t unit;
    uint32_t size; /* of the text, so far; of the key, when one was found */
    bool ended;
} TrieWalk;

/* The next longer key that `text` starts with: its size is walk->size, its unit walk->unit; false: there is none. */
static inline bool trie_next(const Trie *trie, TextView text, TrieWalk *walk)
{
    while (!walk->ended && walk->size < text.size) {
        const TrieUnit *units = trie->units;
        uint32_t child = units[walk->unit].base + (unsigned char)text.bytes[walk->size];
        if (units[child].check != walk->unit) break;
        walk->unit = child;
        walk->size++;
        if (units[child].base >= TRIE_TAIL) {
            TextView tail = trie->tails[units[child].base - TRIE_TAIL];
            walk->ended = true;
            if (tail.size > text.size - walk->size) return false;
            if (memcmp(tail.bytes, text.bytes + walk->size, tail.size) != 0) return false;
            walk->size += (uint32_t)tail.size;
            return true;
        }
        if (!isnan(units[child].score)) return true;
    }
    walk->ended = true;
    return false;
}
