/* Tokens' texts and ids: FNV-1a, whose state after a prefix is the prefix's hash, mixed once more for the slot. */
#include "tokenizer/vocabulary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* At a load of one half, a chain of this length does not happen by chance (below 2^-100 for 4 million tokens). */
enum { VOCABULARY_PROBE_COUNT_MAX = 512 };

Status vocabulary_open(Vocabulary *vocabulary, uint32_t count, uint32_t id_capacity, size_t bytes_capacity,
                       Error *out_error)
{
    assert(count < UINT32_MAX / 4 && bytes_capacity <= UINT32_MAX);
    uint32_t slot_count = 16;
    while (slot_count < 2 * count) slot_count *= 2;
    *vocabulary = (Vocabulary){.slot_mask = slot_count - 1, .id_capacity = id_capacity};
    vocabulary->bytes_capacity = bytes_capacity;
    vocabulary->slots = malloc(slot_count * sizeof *vocabulary->slots);
    vocabulary->bytes = malloc(bytes_capacity + 1);
    vocabulary->texts = calloc((size_t)id_capacity + 1, sizeof *vocabulary->texts);
    vocabulary->present = calloc((size_t)id_capacity / 32 + 1, sizeof *vocabulary->present);
    if (!vocabulary->slots || !vocabulary->bytes || !vocabulary->texts || !vocabulary->present) {
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for a vocabulary of %u tokens", count);
    }
    memset(vocabulary->slots, 0xFF, slot_count * sizeof *vocabulary->slots);
    return STATUS_OK;
}

void vocabulary_close(Vocabulary *vocabulary)
{
    free(vocabulary->slots);
    free(vocabulary->bytes);
    free(vocabulary->texts);
    free(vocabulary->present);
    *vocabulary = (Vocabulary){0};
}

/* FNV leaves its upper bits' entropy out of the lower ones; this is the finalizer of MurmurHash3. */
static inline uint64_t vocabulary_mix(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 33;
    return hash;
}

static uint64_t vocabulary_hash(TextView text)
{
    uint64_t hash = VOCABULARY_HASH_START;
    for (size_t i = 0; i < text.size; i++) hash = vocabulary_hash_byte(hash, (unsigned char)text.bytes[i]);
    return hash;
}

static void vocabulary_enter(Vocabulary *vocabulary, uint32_t id)
{
    vocabulary->present[id / 32] |= 1u << id % 32;
    vocabulary->count++;
    if (id >= vocabulary->id_count) vocabulary->id_count = id + 1;
}

VocabularyAdd vocabulary_add(Vocabulary *vocabulary, TextView text, uint32_t id)
{
    assert(id < vocabulary->id_capacity && text.size <= vocabulary->bytes_capacity - vocabulary->bytes_used);
    assert(vocabulary->count <= vocabulary->slot_mask / 2);
    uint64_t hash = vocabulary_hash(text);
    if (vocabulary_find_joined(vocabulary, hash, (TextView){0}, text) != VOCABULARY_NONE)
        return VOCABULARY_TEXT_TAKEN;
    if (vocabulary_has(vocabulary, id)) return VOCABULARY_ID_TAKEN;
    uint64_t mixed = vocabulary_mix(hash);
    uint32_t slot = (uint32_t)mixed & vocabulary->slot_mask;
    for (int probe = 0; vocabulary->slots[slot].id != VOCABULARY_NONE; probe++) {
        if (probe == VOCABULARY_PROBE_COUNT_MAX) return VOCABULARY_CROWDED;
        slot = (slot + 1) & vocabulary->slot_mask;
    }
    vocabulary->slots[slot] = (VocabularySlot){(uint32_t)(mixed >> 32), id};
    ByteRange range = {(uint32_t)vocabulary->bytes_used, (uint32_t)(vocabulary->bytes_used + text.size)};
    if (text.size) memcpy(vocabulary->bytes + range.begin, text.bytes, text.size);
    vocabulary->bytes_used += text.size;
    vocabulary->texts[id] = range;
    vocabulary_enter(vocabulary, id);
    if (text.size > vocabulary->token_bytes_max) vocabulary->token_bytes_max = (uint32_t)text.size;
    return VOCABULARY_ADDED;
}

uint32_t vocabulary_find(const Vocabulary *vocabulary, TextView text)
{
    if (vocabulary->count == 0) return VOCABULARY_NONE;
    return vocabulary_find_joined(vocabulary, vocabulary_hash(text), (TextView){0}, text);
}

void vocabulary_find_bytes(const Vocabulary *vocabulary, uint32_t out_ids[256])
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", byte);
        out_ids[byte] = vocabulary_find(vocabulary, text_view(text));
    }
}

bool vocabulary_has(const Vocabulary *vocabulary, uint32_t id)
{
    return id < vocabulary->id_capacity && (vocabulary->present[id / 32] >> id % 32 & 1) != 0;
}

TextView vocabulary_text(const Vocabulary *vocabulary, uint32_t id)
{
    if (!vocabulary_has(vocabulary, id)) return (TextView){"", 0};
    ByteRange range = vocabulary->texts[id];
    return (TextView){vocabulary->bytes + range.begin, range.end - range.begin};
}

static inline VocabularySlot *vocabulary_slot(const Vocabulary *vocabulary, uint64_t hash, TextView head,
                                              TextView tail)
{
    uint64_t mixed = vocabulary_mix(hash);
    uint32_t tag = (uint32_t)(mixed >> 32);
    uint32_t slot = (uint32_t)mixed & vocabulary->slot_mask;
    for (; vocabulary->slots[slot].id != VOCABULARY_NONE; slot = (slot + 1) & vocabulary->slot_mask) {
        if (vocabulary->slots[slot].tag != tag) continue;
        uint32_t id = vocabulary->slots[slot].id;
        TextView text = vocabulary_text(vocabulary, id);
        if (text.size != head.size + tail.size) continue;
        if (head.size && memcmp(text.bytes, head.bytes, head.size) != 0) continue;
        if (tail.size && memcmp(text.bytes + head.size, tail.bytes, tail.size) != 0) continue;
        return &vocabulary->slots[slot];
    }
    return NULL;
}

void vocabulary_repeat(Vocabulary *vocabulary, TextView text, uint32_t id)
{
    VocabularySlot *slot = vocabulary_slot(vocabulary, vocabulary_hash(text), (TextView){0}, text);
    assert(slot && id < vocabulary->id_capacity && !vocabulary_has(vocabulary, id));
    vocabulary->texts[id] = vocabulary->texts[slot->id];
    slot->id = id;
    vocabulary_enter(vocabulary, id);
    vocabulary->repeats = true;
}

uint32_t vocabulary_find_joined(const Vocabulary *vocabulary, uint64_t hash, TextView head, TextView tail)
{
    const VocabularySlot *slot = vocabulary_slot(vocabulary, hash, head, tail);
    return slot ? slot->id : VOCABULARY_NONE;
}
