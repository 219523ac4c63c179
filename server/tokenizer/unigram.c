/* Viterbi over the bytes of a word: for each place the best way to get there. Scores are added from the left in
 * double precision, and of equal sums the first that is found stays, which is the one whose last token is longest,
 * as in the library. */
#include "tokenizer/unigram.h"

#include "unicode/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { UNIGRAM_BYTES_SHORT = 255 }; /* of a word whose places fit on the stack */

#define UNIGRAM_UNKNOWN_PENALTY 10.0

/* A place between two bytes. */
typedef struct UnigramPlace {
    double score;
    uint32_t start; /* of the token that ends here, on the best way; once that is known, the end of the next one */
} UnigramPlace;

#define UNIGRAM_UNREACHED UINT32_MAX

/* Of a walk over the best way. */
typedef struct UnigramOutput {
    const Normalized *normalized;
    uint32_t begin; /* of the word */
    Collector *collector;
} UnigramOutput;

void unigram_close(Unigram *unigram)
{
    trie_close(&unigram->trie);
    *unigram = (Unigram){0};
}

Status unigram_open(Unigram *unigram, const Vocabulary *vocabulary, const double *scores, Error *out_error)
{
    double score_min = (double)INFINITY;
    uint32_t count = 0;
    TrieKey *keys = malloc(((size_t)vocabulary->count + 1) * sizeof *keys);
    if (!keys) return error_set(out_error, STATUS_NO_MEMORY, "no memory for %u tokens", vocabulary->count);
    for (uint32_t id = 0; id < vocabulary->id_count; id++) {
        if (!vocabulary_has(vocabulary, id)) continue;
        TextView text = vocabulary_text(vocabulary, id);
        if (scores[id] < score_min) score_min = scores[id];
        /* Of a text with several ids the last one counts. */
        if (vocabulary->repeats && vocabulary_find(vocabulary, text) != id) continue;
        if (text.size) keys[count++] = (TrieKey){.text = text, .id = id, .score = scores[id]};
    }
    unigram->vocabulary = vocabulary;
    unigram->unknown_score = score_min - UNIGRAM_UNKNOWN_PENALTY;
    vocabulary_find_bytes(vocabulary, unigram->byte_ids);
    Status status = trie_open(&unigram->trie, keys, count, out_error);
    free(keys);
    return status;
}

static inline void unigram_reach(UnigramPlace *place, uint32_t start, double score)
{
    if (place->start == UNIGRAM_UNREACHED || score > place->score) *place = (UnigramPlace){score, start};
}

/* Fills places[0, word.size]: at each end of a character the best way to it. */
static void unigram_search(const Unigram *unigram, TextView word, const Collector *collector, UnigramPlace *places)
{
    const Trie *trie = &unigram->trie;
    for (size_t i = 0; i <= word.size; i++) places[i].start = UNIGRAM_UNREACHED;
    places[0].score = 0;
    for (uint32_t start = 0, size; start < word.size; start += size) {
        uint32_t code_point;
        double here = places[start].score;
        bool known = false;
        TextView rest = {word.bytes + start, word.size - start};
        TrieWalk walk = {0};
        size = (uint32_t)utf8_decode(rest.bytes, &code_point);
        while (trie_next(trie, rest, &walk)) {
            if (collector_bars(collector, trie->ids[walk.unit])) continue;
            known |= walk.size == size;
            unigram_reach(&places[start + walk.size], start, trie->units[walk.unit].score + here);
        }
        if (!known) unigram_reach(&places[start + size], start, unigram->unknown_score + here);
    }
}

/* Turns the way round: afterwards places[p].start is where the token ends that follows the one that ends at p.
 * Returns the end of the first. */
static uint32_t unigram_reverse(UnigramPlace *places, uint32_t size)
{
    uint32_t next = UNIGRAM_UNREACHED;
    for (uint32_t at = size; at > 0;) {
        uint32_t start = places[at].start;
        places[at].start = next;
        next = at;
        at = start;
    }
    return next;
}

/* The token that is all of word[begin, end); VOCABULARY_NONE where the way went over an unknown character. */
static uint32_t unigram_token(const Trie *trie, TextView word, uint32_t begin, uint32_t end)
{
    TextView token = {word.bytes + begin, end - begin};
    TrieWalk walk = {0};
    while (trie_next(trie, token, &walk)) {
        if (walk.size == token.size) return trie->ids[walk.unit];
    }
    return VOCABULARY_NONE;
}

static void unigram_push(const UnigramOutput *output, uint32_t id, uint32_t begin, uint32_t end)
{
    ByteRange origin = normalized_origin(output->normalized, output->begin + begin, output->begin + end);
    collector_push(output->collector, (CollectedToken){id, origin});
}

/* Neighbouring unknown tokens are one, which may be a token after all, or else its bytes. */
static void unigram_push_unknown(const Unigram *unigram, const UnigramOutput *output, TextView word,
                                 uint32_t begin, uint32_t end)
{
    TextView text = {word.bytes + begin, end - begin};
    uint32_t id = vocabulary_find(unigram->vocabulary, text);
    bool bytes = id == VOCABULARY_NONE && unigram->byte_fallback;
    for (size_t i = 0; i < text.size && bytes; i++) {
        bytes = unigram->byte_ids[(unsigned char)text.bytes[i]] != VOCABULARY_NONE;
    }
    if (!bytes) unigram_push(output, id == VOCABULARY_NONE ? unigram->unknown_id : id, begin, end);
    for (size_t i = 0; i < text.size && bytes; i++) {
        unigram_push(output, unigram->byte_ids[(unsigned char)text.bytes[i]], begin, end);
    }
}

static void unigram_encode(const Unigram *unigram, TextView word, UnigramPlace *places,
                           const UnigramOutput *output)
{
    unigram_search(unigram, word, output->collector, places);
    uint32_t begin = 0, unknown = 0; /* word[unknown, begin) is not pushed yet */
    uint32_t end = unigram_reverse(places, (uint32_t)word.size);
    while (begin < word.size) {
        uint32_t id = unigram_token(&unigram->trie, word, begin, end);
        if (id != VOCABULARY_NONE && id != unigram->unknown_id) {
            if (unknown < begin) unigram_push_unknown(unigram, output, word, unknown, begin);
            unigram_push(output, id, begin, end);
            unknown = end;
        }
        begin = end;
        end = places[end].start;
    }
    if (unknown < begin) unigram_push_unknown(unigram, output, word, unknown, begin);
}

void unigram_split(const Unigram *unigram, const Normalized *normalized, uint32_t begin, uint32_t end,
                   Collector *collector)
{
    assert(begin < end);
    TextView word = {normalized->bytes + begin, end - begin};
    UnigramOutput output = {normalized, begin, collector};
    if (word.size <= UNIGRAM_BYTES_SHORT) {
        UnigramPlace places[UNIGRAM_BYTES_SHORT + 1];
        unigram_encode(unigram, word, places, &output);
        return;
    }
    UnigramPlace *places = malloc((word.size + 1) * sizeof *places);
    if (places)
        unigram_encode(unigram, word, places, &output);
    else
        collector->failed = true;
    free(places);
}
