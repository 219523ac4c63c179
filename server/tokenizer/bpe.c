/* Merging by rank. A pair's merge is looked up when the pair comes to be; words of a few dozen symbols then look for
 * the lowest rank among all pairs, longer ones keep them in a heap. Both merge in the library's order: symbols only
 * grow, so a pair that a heap still holds after one of its symbols has grown can never again become what it would
 * have. */
#include "tokenizer/bpe.h"

#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

enum {
    BPE_SYMBOLS_SHORT = 48,
    BPE_PROBE_COUNT_MAX = 512, /* as in vocabulary.c */
    BPE_NONE = -1,             /* no neighbour */
};

typedef struct BpeSymbol {
    uint32_t id;
    uint32_t size; /* bytes of the word; 0: merged into the one before */
    int32_t previous;
    int32_t next;
} BpeSymbol;

/* The characters of a word on their way to symbols. */
typedef struct BpeReader {
    BpeSymbol *symbols;
    uint32_t count;
    uint32_t unknown_size; /* bytes of unknown characters that are no symbol yet */
} BpeReader;

typedef struct BpeCandidate {
    uint32_t rank;
    uint32_t position;
    uint32_t id;
} BpeCandidate;

Status bpe_open(Bpe *bpe, const Vocabulary *vocabulary, uint32_t count, Error *out_error)
{
    uint32_t bits = 4;
    while ((uint64_t)1 << bits < (uint64_t)2 * count) bits++;
    *bpe = (Bpe){
        .vocabulary = vocabulary, .merge_shift = 64 - bits, .merge_mask = (uint32_t)(((uint64_t)1 << bits) - 1)};
    bpe->unknown_id = VOCABULARY_NONE;
    bpe->merges = malloc(((size_t)bpe->merge_mask + 1) * sizeof *bpe->merges);
    bpe->whole = calloc((size_t)vocabulary->id_capacity / 32 + 1, sizeof *bpe->whole);
    if (!bpe->merges || !bpe->whole)
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for %u merges", count);
    for (uint32_t i = 0; i <= bpe->merge_mask; i++) bpe->merges[i].left = VOCABULARY_NONE;
    return STATUS_OK;
}

void bpe_close(Bpe *bpe)
{
    free(bpe->merges);
    free(bpe->whole);
    free(bpe->prefix);
    free(bpe->suffix);
    *bpe = (Bpe){0};
}

/* The slot of the pair, or the free one where it would be. */
static inline BpeMerge *bpe_slot(const Bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(key >> bpe->merge_shift);
    while (bpe->merges[slot].left != VOCABULARY_NONE &&
           (bpe->merges[slot].left != left || bpe->merges[slot].right != right)) {
        slot = (slot + 1) & bpe->merge_mask;
    }
    return &bpe->merges[slot];
}

bool bpe_add(Bpe *bpe, BpeMerge merge)
{
    BpeMerge *slot = bpe_slot(bpe, merge.left, merge.right);
    uint64_t key = ((uint64_t)merge.left << 32 | merge.right) * 0x9E3779B97F4A7C15u;
    uint32_t distance = ((uint32_t)(slot - bpe->merges) - (uint32_t)(key >> bpe->merge_shift)) & bpe->merge_mask;
    *slot = merge;
    return distance <= BPE_PROBE_COUNT_MAX;
}

static uint32_t bpe_find_slowly(const Bpe *bpe, TextView character, bool first, bool last)
{
    char text[2 * BPE_AFFIX_BYTES_MAX + UTF8_BYTES_MAX];
    uint32_t size = first ? 0 : bpe->prefix_size;
    memcpy(text, bpe->prefix, size);
    memcpy(text + size, character.bytes, character.size);
    size += (uint32_t)character.size;
    if (last) {
        memcpy(text + size, bpe->suffix, bpe->suffix_size);
        size += bpe->suffix_size;
    }
    return vocabulary_find(bpe->vocabulary, (TextView){text, size});
}

/* The token of a character of a word. */
static inline uint32_t bpe_find(const Bpe *bpe, TextView character, uint32_t code_point, bool first, bool last)
{
    if ((!first && bpe->prefix_size) || (last && bpe->suffix_size)) {
        return bpe_find_slowly(bpe, character, first, last);
    }
    return code_point < BPE_DIRECT_COUNT ? bpe->direct[code_point] : vocabulary_find(bpe->vocabulary, character);
}

static inline void bpe_append(BpeReader *reader, uint32_t id, uint32_t size)
{
    reader->symbols[reader->count++].id = id;
    reader->symbols[reader->count - 1].size = size;
}

static void bpe_append_unknown(const Bpe *bpe, BpeReader *reader)
{
    if (reader->unknown_size) bpe_append(reader, bpe->unknown_id, reader->unknown_size);
    reader->unknown_size = 0;
}

/* Unknown characters wait for the next known one, while the bytes of others overtake them, as in the library. */
static void bpe_read_unknown(const Bpe *bpe, BpeReader *reader, TextView character)
{
    bool bytes = bpe->byte_fallback;
    for (size_t i = 0; i < character.size && bytes; i++) {
        bytes = bpe->byte_ids[(unsigned char)character.bytes[i]] != VOCABULARY_NONE;
    }
    if (bytes) {
        for (size_t i = 0; i < character.size; i++) {
            bpe_append(reader, bpe->byte_ids[(unsigned char)character.bytes[i]], 1);
        }
    } else if (bpe->unknown_id != VOCABULARY_NONE) {
        if (!bpe->fuse_unknown) bpe_append_unknown(bpe, reader);
        reader->unknown_size += (uint32_t)character.size;
    }
}

/* Writes the word's characters as symbols, at most one a byte, and returns their count. */
static uint32_t bpe_read(const Bpe *bpe, TextView word, BpeSymbol *out_symbols)
{
    BpeReader reader = {.symbols = out_symbols};
    for (size_t at = 0, size; at < word.size; at += size) {
        uint32_t code_point;
        size = utf8_decode(word.bytes + at, &code_point);
        TextView character = {word.bytes + at, size};
        uint32_t id = bpe_find(bpe, character, code_point, at == 0, at + size == word.size);
        if (id == VOCABULARY_NONE) {
            bpe_read_unknown(bpe, &reader, character);
            continue;
        }
        bpe_append_unknown(bpe, &reader);
        bpe_append(&reader, id, (uint32_t)size);
    }
    bpe_append_unknown(bpe, &reader);
    return reader.count;
}

/* Merges the few symbols of a short word; returns how many are left, without gaps. */
static uint32_t bpe_merge_short(const Bpe *bpe, BpeSymbol *symbols, uint32_t count)
{
    uint32_t ranks[BPE_SYMBOLS_SHORT], ids[BPE_SYMBOLS_SHORT]; /* of each symbol's merge with the next */
    for (uint32_t i = 0; i + 1 < count; i++) {
        const BpeMerge *merge = bpe_slot(bpe, symbols[i].id, symbols[i + 1].id);
        ranks[i] = merge->left == VOCABULARY_NONE ? UINT32_MAX : merge->rank;
        ids[i] = merge->id;
    }
    while (count > 1) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < count; i++) {
            if (ranks[i] < ranks[best]) best = i;
        }
        if (ranks[best] == UINT32_MAX) break;
        symbols[best].id = ids[best];
        symbols[best].size += symbols[best + 1].size;
        count--;
        for (uint32_t i = best + 1; i < count; i++) {
            symbols[i] = symbols[i + 1];
            ranks[i - 1] = ranks[i];
            ids[i - 1] = ids[i];
        }
        for (uint32_t i = best ? best - 1 : 0; i <= best && i + 1 < count; i++) {
            const BpeMerge *merge = bpe_slot(bpe, symbols[i].id, symbols[i + 1].id);
            ranks[i] = merge->left == VOCABULARY_NONE ? UINT32_MAX : merge->rank;
            ids[i] = merge->id;
        }
    }
    return count;
}

static inline bool candidate_before(BpeCandidate a, BpeCandidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.position < b.position;
}

/* A heap with room for all candidates that a word can have. */
typedef struct BpeHeap {
    BpeCandidate *candidates;
    uint32_t count;
} BpeHeap;

static void heap_push(BpeHeap *heap, BpeCandidate candidate)
{
    uint32_t at = heap->count++;
    while (at > 0 && candidate_before(candidate, heap->candidates[(at - 1) / 2])) {
        heap->candidates[at] = heap->candidates[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->candidates[at] = candidate;
}

static BpeCandidate heap_pop(BpeHeap *heap)
{
    BpeCandidate top = heap->candidates[0], last = heap->candidates[--heap->count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && candidate_before(heap->candidates[child + 1], heap->candidates[child]))
            child++;
        if (!candidate_before(heap->candidates[child], last)) break;
        heap->candidates[at] = heap->candidates[child];
    }
    heap->candidates[at] = last;
    return top;
}

static void heap_consider(const Bpe *bpe, BpeHeap *heap, const BpeSymbol *symbols, int32_t position)
{
    if (position == BPE_NONE || symbols[position].next == BPE_NONE) return;
    const BpeMerge *merge = bpe_slot(bpe, symbols[position].id, symbols[symbols[position].next].id);
    if (merge->left == VOCABULARY_NONE) return;
    heap_push(heap, (BpeCandidate){merge->rank, (uint32_t)position, merge->id});
}

static void bpe_merge_at(BpeSymbol *symbols, uint32_t position, uint32_t id)
{
    BpeSymbol *left = &symbols[position], *right = &symbols[left->next];
    left->id = id;
    left->size += right->size;
    left->next = right->next;
    right->size = 0;
    if (left->next != BPE_NONE) symbols[left->next].previous = (int32_t)position;
}

/* Merges any number of symbols; what was merged away has size 0. A merge takes two pairs away and brings two, so the
 * heap never holds more than twice the symbols. */
static void bpe_merge_long(const Bpe *bpe, BpeSymbol *symbols, uint32_t count, BpeHeap *heap)
{
    for (uint32_t i = 0; i < count; i++) {
        symbols[i].previous = (int32_t)i - 1;
        symbols[i].next = i + 1 < count ? (int32_t)i + 1 : BPE_NONE;
    }
    for (uint32_t i = 0; i < count; i++) heap_consider(bpe, heap, symbols, (int32_t)i);
    while (heap->count > 0) {
        BpeCandidate top = heap_pop(heap);
        const BpeSymbol *left = &symbols[top.position];
        if (left->size == 0 || left->next == BPE_NONE) continue;
        const BpeMerge *merge = bpe_slot(bpe, left->id, symbols[left->next].id);
        if (merge->left == VOCABULARY_NONE || merge->id != top.id) continue;
        bpe_merge_at(symbols, top.position, top.id);
        heap_consider(bpe, heap, symbols, left->previous);
        heap_consider(bpe, heap, symbols, (int32_t)top.position);
    }
}

static void bpe_push(const BpeSymbol *symbols, uint32_t count, const Normalized *normalized, uint32_t begin,
                     Collector *collector)
{
    for (uint32_t i = 0; i < count; i++) {
        if (symbols[i].size == 0) continue;
        ByteRange origin = normalized_origin(normalized, begin, begin + symbols[i].size);
        collector_push(collector, (CollectedToken){symbols[i].id, origin});
        begin += symbols[i].size;
    }
}

static void bpe_split_long(const Bpe *bpe, const Normalized *normalized, uint32_t begin, uint32_t end,
                           Collector *collector)
{
    TextView word = {normalized->bytes + begin, end - begin};
    BpeSymbol *symbols = malloc(word.size * sizeof *symbols);
    uint32_t count = symbols ? bpe_read(bpe, word, symbols) : 0;
    BpeHeap heap = {.candidates = malloc(((size_t)count + 1) * 2 * sizeof *heap.candidates)};
    if (symbols && heap.candidates) {
        bpe_merge_long(bpe, symbols, count, &heap);
        bpe_push(symbols, count, normalized, begin, collector);
    } else {
        collector->failed = true;
    }
    free(symbols);
    free(heap.candidates);
}

void bpe_split(const Bpe *bpe, const Normalized *normalized, uint32_t begin, uint32_t end, Collector *collector)
{
    assert(begin < end);
    TextView word = {normalized->bytes + begin, end - begin};
    if (word.size <= bpe->vocabulary->token_bytes_max) {
        uint32_t id = vocabulary_find(bpe->vocabulary, word);
        if (id != VOCABULARY_NONE && bpe->whole[id / 32] >> id % 32 & 1 && !collector_bars(collector, id)) {
            collector_push(collector, (CollectedToken){id, normalized_origin(normalized, begin, end)});
            return;
        }
    }
    if (word.size > BPE_SYMBOLS_SHORT) {
        bpe_split_long(bpe, normalized, begin, end, collector);
        return;
    }
    BpeSymbol symbols[BPE_SYMBOLS_SHORT];
    uint32_t count = bpe_read(bpe, word, symbols);
    count = bpe_merge_short(bpe, symbols, count);
    bpe_push(symbols, count, normalized, begin, collector);
}

/* Whether the token's text, as a word, becomes the token. Of long ones this is not asked. */
static bool bpe_is_whole(const Bpe *bpe, uint32_t id)
{
    BpeSymbol symbols[BPE_SYMBOLS_SHORT];
    TextView text = vocabulary_text(bpe->vocabulary, id);
    if (text.size == 0 || text.size > BPE_SYMBOLS_SHORT) return false;
    uint32_t count = bpe_merge_short(bpe, symbols, bpe_read(bpe, text, symbols));
    return count == 1 && symbols[0].id == id && symbols[0].size == text.size;
}

Status bpe_finish(Bpe *bpe, bool ignore_merges, Error *out_error)
{
    const Vocabulary *vocabulary = bpe->vocabulary;
    if (!bpe->prefix) bpe->prefix = calloc(1, 1);
    if (!bpe->suffix) bpe->suffix = calloc(1, 1);
    if (!bpe->prefix || !bpe->suffix) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a tokenizer");
    assert(bpe->prefix_size <= BPE_AFFIX_BYTES_MAX && bpe->suffix_size <= BPE_AFFIX_BYTES_MAX);
    vocabulary_find_bytes(vocabulary, bpe->byte_ids);
    for (uint32_t code_point = 0; code_point < BPE_DIRECT_COUNT; code_point++) {
        char text[UTF8_BYTES_MAX];
        bpe->direct[code_point] = vocabulary_find(vocabulary, (TextView){text, utf8_write(code_point, text)});
    }
    for (uint32_t id = 0; id < vocabulary->id_count; id++) {
        if (vocabulary_has(vocabulary, id) && (ignore_merges || bpe_is_whole(bpe, id))) {
            bpe->whole[id / 32] |= 1u << id % 32;
        }
    }
    return STATUS_OK;
}
