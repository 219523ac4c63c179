/* WordPiece by hashes of prefixes: one pass over the rest of the word gives the hash of each of its prefixes, and
 * the longest is looked up first, since most words are tokens themselves. */
#include "tokenizer/wordpiece.h"

#include <assert.h>

/* The tokens of a word are known to be no unknown word only at its end; these many wait for it, more are matched
 * again. */
enum { WORDPIECE_MATCHES = 64 };

typedef struct WordPieceMatch {
    uint32_t id;
    uint32_t end;
} WordPieceMatch;

static bool wordpiece_character_starts(const char *bytes, uint32_t at)
{
    return ((unsigned char)bytes[at] & 0xC0) != 0x80;
}

/* The longest token that starts at `at`; its id is VOCABULARY_NONE when there is none. */
static WordPieceMatch wordpiece_longest(const WordPiece *model, const char *bytes, uint32_t at, uint32_t end,
                                        bool continued)
{
    uint64_t hashes[WORDPIECE_TOKEN_BYTES_MAX];
    uint16_t sizes[WORDPIECE_TOKEN_BYTES_MAX];
    const Vocabulary *vocabulary = model->vocabulary;
    TextView head = continued ? model->prefix : (TextView){NULL, 0};
    if (head.size >= vocabulary->token_bytes_max) return (WordPieceMatch){VOCABULARY_NONE, at};
    uint32_t size_max = vocabulary->token_bytes_max - (uint32_t)head.size;
    if (size_max > end - at) size_max = end - at;
    uint64_t hash = continued ? model->prefix_hash : VOCABULARY_HASH_START;
    uint32_t count = 0;
    for (uint32_t size = 1; size <= size_max; size++) {
        hash = vocabulary_hash_byte(hash, (unsigned char)bytes[at + size - 1]);
        if (at + size < end && !wordpiece_character_starts(bytes, at + size)) continue;
        hashes[count] = hash;
        sizes[count++] = (uint16_t)size;
    }
    while (count > 0) {
        count--;
        uint32_t id =
            vocabulary_find_joined(vocabulary, hashes[count], head, (TextView){bytes + at, sizes[count]});
        if (id != VOCABULARY_NONE) return (WordPieceMatch){id, at + sizes[count]};
    }
    return (WordPieceMatch){VOCABULARY_NONE, at};
}

/* Whether the word has more characters than the model looks at. */
static bool wordpiece_too_long(const WordPiece *model, const char *bytes, uint32_t begin, uint32_t end)
{
    if (end - begin <= model->character_count_max) return false;
    uint32_t count = 0;
    for (uint32_t at = begin; at < end && count <= model->character_count_max; at++) {
        count += wordpiece_character_starts(bytes, at);
    }
    return count > model->character_count_max;
}

/* Writes the first WORDPIECE_MATCHES of the word's tokens and returns the count of all; 0: the word is unknown. */
static uint32_t wordpiece_match(const WordPiece *model, const char *bytes, uint32_t begin, uint32_t end,
                                WordPieceMatch out_matches[WORDPIECE_MATCHES])
{
    uint32_t count = 0;
    for (uint32_t at = begin; at < end; count++) {
        WordPieceMatch match = wordpiece_longest(model, bytes, at, end, at > begin);
        if (match.id == VOCABULARY_NONE) return 0;
        if (count < WORDPIECE_MATCHES) out_matches[count] = match;
        at = match.end;
    }
    return count;
}

void wordpiece_split(const WordPiece *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                     Collector *collector)
{
    assert(begin < end && model->vocabulary->token_bytes_max <= WORDPIECE_TOKEN_BYTES_MAX);
    const char *bytes = normalized->bytes;
    WordPieceMatch matches[WORDPIECE_MATCHES];
    uint32_t count = 0;
    if (!wordpiece_too_long(model, bytes, begin, end)) count = wordpiece_match(model, bytes, begin, end, matches);
    if (count == 0) matches[count++] = (WordPieceMatch){model->unknown_id, end};
    uint32_t at = begin;
    for (uint32_t i = 0; i < count; i++) {
        WordPieceMatch match = i < WORDPIECE_MATCHES ? matches[i] : wordpiece_longest(model, bytes, at, end, true);
        collector_push(collector, (CollectedToken){match.id, normalized_origin(normalized, at, match.end)});
        at = match.end;
    }
}
