#include "pipeline/explain_words.h"

#include "explain/memory.h"
#include "unicode/utf8.h"
#include "unicode/words.h"

#include <assert.h>

enum { SEGMENT_COUNT = 2, UTF8_BYTES_BESIDE = UTF8_BYTES_MAX - 1 };

/* Whether `token` is of the text, or of the pair, and none of the prompt's; what bytes it is of. */
static bool token_find(const Prepared *prepared, uint32_t token, ByteRange *out_range)
{
    uint8_t segment = prepared->encoding.segments[token];
    ByteRange range = prepared->encoding.offsets[token];
    if (segment == ENCODING_SEGMENT_NONE || token < prepared->prompt_token_count) return false;
    uint32_t skipped = segment == 0 ? prepared->prompt_bytes : 0;
    *out_range = byte_range_behind(range, skipped);
    return out_range->end > out_range->begin;
}

/* From the first byte that tokens of `segment` are of to the last one. */
static ByteRange segment_range(const Prepared *prepared, uint8_t segment)
{
    ByteRange all = {0, 0}, range;
    for (uint32_t i = 0; i < prepared->encoding.count; i++) {
        if (prepared->encoding.segments[i] != segment || !token_find(prepared, i, &range)) continue;
        if (all.end == 0 || range.begin < all.begin) all.begin = range.begin;
        if (range.end > all.end) all.end = range.end;
    }
    return all;
}

uint32_t explain_words_max(const Prepared *prepared)
{
    uint32_t count = 0;
    ByteRange range;
    for (uint32_t i = 0; i < prepared->encoding.count; i++) count += token_find(prepared, i, &range);
    return count < EXPLAIN_FEATURE_COUNT_MAX ? count : EXPLAIN_FEATURE_COUNT_MAX;
}

uint64_t explain_words_text_bytes(const Prepared *prepared)
{
    uint64_t bytes = 0;
    for (uint8_t segment = 0; segment < SEGMENT_COUNT; segment++) {
        ByteRange range = segment_range(prepared, segment);
        bytes += range.end - range.begin + 2 * UTF8_BYTES_BESIDE;
    }
    return bytes;
}

/* A power of two, at least twice as many as there can be words. */
static uint32_t table_size(uint32_t token_count)
{
    uint32_t size = 2;
    while (size < 2 * token_count) size *= 2;
    return size;
}

typedef struct WordSearch {
    const ExplainSubject *subject;
    ExplainWord *places; /* [token count]: every word wherever it is */
    uint32_t place_count;
    uint32_t *token_words; /* [token count]: the places of words, and in the end the words */
    uint32_t *place_words; /* [token count]: the word at each place */
    uint32_t *table;       /* [table_size]: words + 1, by the hash of their bytes */
    ExplainWord *items;    /* [EXPLAIN_FEATURE_COUNT_MAX] */
    uint32_t count;
} WordSearch;

/* `spec`: an ExplainSubject. */
static void *search_lay_out(const void *spec, ExplainMemory *memory)
{
    const ExplainSubject *subject = spec;
    uint32_t token_count = subject->prepared->encoding.count;
    WordSearch *search = explain_take(memory, 1, sizeof *search);
    WordSearch made = {.subject = subject};
    made.places = explain_take(memory, token_count, sizeof *made.places);
    made.token_words = explain_take(memory, token_count, sizeof *made.token_words);
    made.place_words = explain_take(memory, token_count, sizeof *made.place_words);
    made.table = explain_take(memory, table_size(token_count), sizeof *made.table);
    made.items = explain_take(memory, EXPLAIN_FEATURE_COUNT_MAX, sizeof *made.items);
    if (search) *search = made;
    return search;
}

uint64_t explain_words_bytes(const ExplainSubject *subject)
{
    return explain_made_bytes(search_lay_out, subject);
}

static TextView segment_text(const WordSearch *search, uint8_t segment)
{
    return segment == 0 ? search->subject->text : search->subject->pair;
}

/* ---- Places ---- */

/* The words of one segment, one ahead. */
typedef struct WordWalk {
    UnicodeWords words;
    ByteRange next;
    bool has_next;
} WordWalk;

static void walk_advance(WordWalk *walk)
{
    walk->has_next = unicode_words_next(&walk->words, &walk->next);
}

static WordWalk walk_begin(const WordSearch *search, uint8_t segment)
{
    TextView text = segment_text(search, segment);
    ByteRange range = segment_range(search->subject->prepared, segment);
    assert(range.end <= text.size);
    while (range.begin > 0 && (text.bytes[range.begin] & 0xC0) == 0x80) range.begin--;
    while (range.end < text.size && (text.bytes[range.end] & 0xC0) == 0x80) range.end++;
    text.size = range.end;
    WordWalk walk = {.words = unicode_words_open(text, range.begin)};
    walk_advance(&walk);
    return walk;
}

/* The place of the word that a token of these bytes is of, or EXPLAIN_NO_FEATURE; `before` is that of the last
 * token. */
static uint32_t place_of(WordSearch *search, WordWalk *walk, uint8_t segment, uint32_t before, ByteRange token)
{
    bool inside = before != EXPLAIN_NO_FEATURE && search->places[before].range.end > token.begin;
    while (walk->has_next && walk->next.end <= token.begin) walk_advance(walk);
    if (!inside) {
        if (!walk->has_next || walk->next.begin >= token.end) return EXPLAIN_NO_FEATURE;
        before = search->place_count++;
        search->places[before] = (ExplainWord){walk->next, segment};
        walk_advance(walk);
    }
    for (; walk->has_next && walk->next.begin < token.end; walk_advance(walk))
        search->places[before].range.end = walk->next.end;
    return before;
}

static void places_find(WordSearch *search, uint8_t segment)
{
    const Prepared *prepared = search->subject->prepared;
    uint32_t last = EXPLAIN_NO_FEATURE;
    ByteRange range;
    WordWalk walk = walk_begin(search, segment);
    for (uint32_t i = 0; i < prepared->encoding.count; i++) {
        if (prepared->encoding.segments[i] != segment || !token_find(prepared, i, &range)) continue;
        search->token_words[i] = place_of(search, &walk, segment, last, range);
        if (search->token_words[i] != EXPLAIN_NO_FEATURE) last = search->token_words[i];
    }
    unicode_words_close(&walk.words);
}

/* ---- Words ---- */

static TextView word_text(const WordSearch *search, const ExplainWord *word)
{
    TextView text = segment_text(search, word->segment);
    return (TextView){text.bytes + word->range.begin, word->range.end - word->range.begin};
}

/* Fowler, Noll and Vo's hash, 1a. */
static uint32_t word_hash(TextView text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.size; i++) hash = (hash ^ (unsigned char)text.bytes[i]) * 16777619u;
    return hash;
}

/* The word at a place, a new one if it has not been seen; false: there are too many. */
static bool word_number(WordSearch *search, const ExplainWord *place, uint32_t mask, uint32_t *out_word)
{
    TextView text = word_text(search, place);
    uint32_t slot = word_hash(text) & mask;
    for (; search->table[slot] != 0; slot = (slot + 1) & mask) {
        const ExplainWord *item = &search->items[search->table[slot] - 1];
        *out_word = search->table[slot] - 1;
        if (item->segment == place->segment && text_equal(word_text(search, item), text)) return true;
    }
    if (search->count == EXPLAIN_FEATURE_COUNT_MAX) return false;
    *out_word = search->count;
    search->items[search->count++] = *place;
    search->table[slot] = search->count;
    return true;
}

static bool words_number(WordSearch *search, uint32_t mask)
{
    for (uint32_t i = 0; i < search->place_count; i++) {
        if (!word_number(search, &search->places[i], mask, &search->place_words[i])) return false;
    }
    return true;
}

/* Runs of neighbouring words; a run is of one segment. */
static void words_join(WordSearch *search)
{
    uint32_t run = (search->place_count + EXPLAIN_FEATURE_COUNT_MAX - 2) / (EXPLAIN_FEATURE_COUNT_MAX - 1);
    uint32_t left = 0;
    search->count = 0;
    for (uint32_t i = 0; i < search->place_count; i++) {
        const ExplainWord *place = &search->places[i];
        if (left == 0 || search->items[search->count - 1].segment != place->segment) {
            search->items[search->count++] = *place;
            left = run;
        }
        search->items[search->count - 1].range.end = place->range.end;
        search->place_words[i] = search->count - 1;
        left--;
    }
    assert(search->count <= EXPLAIN_FEATURE_COUNT_MAX);
}

bool explain_words_find(const ExplainSubject *subject, Arena *arena, ExplainWords *out_words)
{
    uint32_t token_count = subject->prepared->encoding.count, size = table_size(token_count);
    WordSearch *search = explain_make(search_lay_out, subject, arena, NULL);
    if (!search) return false;
    memset(search->table, 0, size * sizeof *search->table);
    for (uint32_t i = 0; i < token_count; i++) search->token_words[i] = EXPLAIN_NO_FEATURE;
    for (uint8_t segment = 0; segment < SEGMENT_COUNT; segment++) places_find(search, segment);
    if (!words_number(search, size - 1)) words_join(search);
    for (uint32_t i = 0; i < token_count; i++) {
        if (search->token_words[i] != EXPLAIN_NO_FEATURE)
            search->token_words[i] = search->place_words[search->token_words[i]];
    }
    *out_words = (ExplainWords){
        .items = search->items,
        .count = search->count,
        .of_pair = search->count > 0 && search->items[search->count - 1].segment == 1,
        .token_words = search->token_words,
    };
    return true;
}
