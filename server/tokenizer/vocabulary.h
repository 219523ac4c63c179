/* Tokens' texts and ids: an open-addressing hash over one block of bytes. Read by any number of threads once
 * built. */
#pragma once

#include "base/status.h"
#include "base/text.h"

#define VOCABULARY_NONE UINT32_MAX

typedef struct VocabularySlot {
    uint32_t tag; /* the upper half of the hash */
    uint32_t id;  /* VOCABULARY_NONE: free */
} VocabularySlot;

/* Zeroed is closed. */
typedef struct Vocabulary {
    VocabularySlot *slots; /* [slot_mask + 1], at most half of them taken */
    uint32_t slot_mask;
    uint32_t count;
    uint32_t id_count;        /* one more than the largest id */
    uint32_t token_bytes_max; /* of the longest token */
    char *bytes;              /* every token's text, one behind the other */
    size_t bytes_used;
    size_t bytes_capacity;
    ByteRange *texts; /* [id_capacity] of `bytes`; {0, 0} for an id that does not exist */
    uint32_t id_capacity;
    bool repeats;      /* a text has several ids */
    uint32_t *present; /* bit id % 32 of [id / 32]: the id exists, even if its text is empty */
} Vocabulary;

/* Makes room for `count` tokens with ids below `id_capacity`, together `bytes_capacity` bytes long. The caller
 * closes it on success and on failure (vocabulary_close). Fails with NO_MEMORY. */
CHECKED Status vocabulary_open(Vocabulary *vocabulary, uint32_t count, uint32_t id_capacity, size_t bytes_capacity,
                               Error *out_error);
void vocabulary_close(Vocabulary *vocabulary); /* a zeroed one is a no-op */

typedef enum VocabularyAdd {
    VOCABULARY_ADDED,
    VOCABULARY_TEXT_TAKEN,
    VOCABULARY_ID_TAKEN,
    VOCABULARY_CROWDED, /* more collisions than chance can explain: a file made to stall us */
} VocabularyAdd;

/* Adds one token within the capacities given to vocabulary_open. One thread. */
VocabularyAdd vocabulary_add(Vocabulary *vocabulary, TextView text, uint32_t id);

/* Gives a text that is there already one more id within the capacity, by which it is found from now on. One thread. */
void vocabulary_repeat(Vocabulary *vocabulary, TextView text, uint32_t id);

/* The id of `text`, or VOCABULARY_NONE. */
uint32_t vocabulary_find(const Vocabulary *vocabulary, TextView text);
/* The ids of "<0x00>" to "<0xFF>", the tokens of bytes; VOCABULARY_NONE where there is none. */
void vocabulary_find_bytes(const Vocabulary *vocabulary, uint32_t out_ids[256]);
/* Whether `id` exists. */
bool vocabulary_has(const Vocabulary *vocabulary, uint32_t id);
/* The text of `id`; empty when it does not exist. Lives as long as the vocabulary. */
TextView vocabulary_text(const Vocabulary *vocabulary, uint32_t id);

/* The hash of a text is this start value, put through vocabulary_hash_byte for each byte: prefixes cost nothing.
 */
#define VOCABULARY_HASH_START 0xCBF29CE484222325u

static inline uint64_t vocabulary_hash_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * 0x100000001B3u;
}

/* The id of the token that is `head` and then `tail`, whose hash is `hash`; or VOCABULARY_NONE. */
uint32_t vocabulary_find_joined(const Vocabulary *vocabulary, uint64_t hash, TextView head, TextView tail);
