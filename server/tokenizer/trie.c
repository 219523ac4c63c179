/* Building a double array: the keys are sorted, so a node is a range of them that share their first bytes. Its
 * children are put where the free units fit, which for one child, the usual case, is the first free one; a node with
 * several tries a few places and then takes a fresh block, so that building is linear. */
#include "tokenizer/trie.h"

#include "base/limits.h"

#include <stdlib.h>

enum {
    TRIE_TRIES_MAX = 24, /* places that a node with several children tries */
    TRIE_WINDOW = 512,   /* units that it looks at */
    TRIE_CAPACITY_MIN = 1024,
    TRIE_BLOCK = 256, /* of a node's children */
    TRIE_PREFIX_BYTES = 8,
};

#define TRIE_TAKEN (TRIE_FREE - 1) /* the root's check: nobody's child */

typedef struct TrieNode {
    uint32_t first; /* keys[first, last) go through the unit */
    uint32_t last;
    uint32_t depth; /* bytes that they share */
    uint32_t unit;
} TrieNode;

typedef struct TrieBuilder {
    Trie *trie;
    const TrieKey *keys;
    uint32_t free;   /* where free units are looked for */
    uint32_t fresh;  /* no unit from it on is taken */
    TrieNode *nodes; /* a stack */
    uint32_t node_count;
    uint32_t node_capacity;
    uint32_t tail_count;
} TrieBuilder;

/* The children of a node: where each byte's keys start. */
typedef struct TrieChildren {
    unsigned char bytes[256];
    uint32_t firsts[257];
    uint32_t count;
} TrieChildren;

/* The first bytes of a key as one number, which sorts as they do: most keys need no look at their text. */
static uint64_t trie_prefix(TextView text)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < TRIE_PREFIX_BYTES; i++)
        prefix = prefix << 8 | (i < text.size ? (unsigned char)text.bytes[i] : 0);
    return prefix;
}

static inline unsigned char trie_byte(const TrieKey *key, uint32_t index)
{
    if (index >= TRIE_PREFIX_BYTES) return (unsigned char)key->text.bytes[index];
    return (unsigned char)(key->prefix >> 8 * (TRIE_PREFIX_BYTES - 1 - index));
}

/* Of keys that share their prefix. */
static int trie_compare(const void *a, const void *b)
{
    TextView left = ((const TrieKey *)a)->text, right = ((const TrieKey *)b)->text;
    int order = memcmp(left.bytes, right.bytes, left.size < right.size ? left.size : right.size);
    if (order != 0) return order;
    return (left.size > right.size) - (left.size < right.size);
}

/* A key on its way to its place. */
typedef struct TrieOrder {
    uint64_t prefix;
    uint32_t index;
} TrieOrder;

/* Sorts from[count] to to[count] by the byte of the prefix at `shift`; equal ones keep their order. */
static void trie_sort_byte(const TrieOrder *from, TrieOrder *to, uint32_t count, unsigned shift)
{
    uint32_t places[257] = {0};
    for (uint32_t i = 0; i < count; i++) places[(from[i].prefix >> shift & 0xFF) + 1]++;
    for (int i = 0; i < 256; i++) places[i + 1] += places[i];
    for (uint32_t i = 0; i < count; i++) to[places[from[i].prefix >> shift & 0xFF]++] = from[i];
}

/* Puts keys[count] in order into `sorted`: by their prefixes a byte at a time from the last, then by their texts. */
static bool trie_sort(const TrieKey *keys, uint32_t count, TrieKey *sorted)
{
    TrieOrder *orders = malloc((2 * (size_t)count + 1) * sizeof *orders);
    if (!orders) return false;
    TrieOrder *from = orders, *to = orders + count;
    for (uint32_t i = 0; i < count; i++) from[i] = (TrieOrder){trie_prefix(keys[i].text), i};
    for (unsigned shift = 0; shift < 8 * TRIE_PREFIX_BYTES; shift += 8) {
        trie_sort_byte(from, to, count, shift);
        TrieOrder *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = keys[from[i].index];
        sorted[i].prefix = from[i].prefix;
    }
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && sorted[end].prefix == sorted[begin].prefix;) end++;
        if (end > begin + 1) qsort(sorted + begin, end - begin, sizeof *sorted, trie_compare);
    }
    free(orders);
    return true;
}

/* Makes `count` units exist. */
static bool trie_reserve(Trie *trie, uint32_t count)
{
    if (count <= trie->unit_count) return true;
    uint64_t capacity = (uint64_t)trie->unit_count + trie->unit_count / 2 + TRIE_CAPACITY_MIN;
    if (capacity < count) capacity = count;
    if (capacity > TRIE_UNIT_COUNT_MAX) return false;
    TrieUnit *units = realloc(trie->units, capacity * sizeof *units);
    if (units) trie->units = units;
    uint32_t *ids = realloc(trie->ids, capacity * sizeof *ids);
    if (ids) trie->ids = ids;
    if (!units || !ids) return false;
    for (uint32_t i = trie->unit_count; i < capacity; i++) units[i] = (TrieUnit){0, TRIE_FREE, (double)NAN};
    trie->unit_count = (uint32_t)capacity;
    return true;
}

static bool trie_push(TrieBuilder *builder, TrieNode node)
{
    if (builder->node_count == builder->node_capacity) {
        uint32_t capacity = builder->node_capacity * 2 + TRIE_BLOCK;
        TrieNode *nodes = realloc(builder->nodes, capacity * sizeof *nodes);
        if (!nodes) return false;
        builder->nodes = nodes;
        builder->node_capacity = capacity;
    }
    builder->nodes[builder->node_count++] = node;
    return true;
}

static bool trie_fits(const Trie *trie, const TrieChildren *children, uint32_t base)
{
    for (uint32_t i = 0; i < children->count; i++) {
        if (trie->units[base + children->bytes[i]].check != TRIE_FREE) return false;
    }
    return true;
}

static uint32_t trie_next_free(const TrieBuilder *builder, uint32_t at)
{
    while (at < builder->fresh && builder->trie->units[at].check != TRIE_FREE) at++;
    return at;
}

/* Where the children go: their base. The first 256 units hold but the root, so that every other fits any byte. A free
 * unit in which too many nodes were tried in vain is given up. */
static uint32_t trie_place(TrieBuilder *builder, const TrieChildren *children)
{
    uint32_t first = children->bytes[0];
    builder->free = trie_next_free(builder, builder->free);
    uint32_t at = builder->free, end = builder->free + TRIE_WINDOW;
    for (int tries = 0; tries < TRIE_TRIES_MAX && at < builder->fresh && at < end; tries++) {
        if (trie_fits(builder->trie, children, at - first)) return at - first;
        at = trie_next_free(builder, at + 1);
    }
    if (builder->free < builder->fresh) builder->free++;
    return builder->fresh - first;
}

/* The keys that go on, by their next byte; the one that ends is the first. */
static TrieChildren trie_children(const TrieBuilder *builder, TrieNode node)
{
    TrieChildren children;
    children.count = 0;
    for (uint32_t i = node.first; i < node.last; i++) {
        unsigned char byte = trie_byte(&builder->keys[i], node.depth);
        if (children.count && children.bytes[children.count - 1] == byte) continue;
        children.bytes[children.count] = byte;
        children.firsts[children.count++] = i;
    }
    children.firsts[children.count] = node.last;
    return children;
}

/* The node's only key is stored with what follows. */
static void trie_end(TrieBuilder *builder, TrieNode node)
{
    const TrieKey *key = &builder->keys[node.first];
    Trie *trie = builder->trie;
    trie->units[node.unit].base = TRIE_TAIL + builder->tail_count;
    trie->units[node.unit].score = key->score;
    trie->ids[node.unit] = key->id;
    trie->tails[builder->tail_count++] = (TextView){key->text.bytes + node.depth, key->text.size - node.depth};
}

static bool trie_expand(TrieBuilder *builder, TrieNode node)
{
    Trie *trie = builder->trie;
    if (builder->keys[node.first].text.size == node.depth) {
        trie->units[node.unit].score = builder->keys[node.first].score;
        trie->ids[node.unit] = builder->keys[node.first].id;
        node.first++;
    }
    if (node.first == node.last) return true;
    if (node.first + 1 == node.last && node.depth > 0 && isnan(trie->units[node.unit].score)) {
        trie_end(builder, node);
        return true;
    }
    TrieChildren children = trie_children(builder, node);
    if (!trie_reserve(trie, builder->fresh + 2 * TRIE_BLOCK)) return false;
    uint32_t base = trie_place(builder, &children);
    trie->units[node.unit].base = base;
    for (uint32_t i = children.count; i-- > 0;) {
        uint32_t unit = base + children.bytes[i];
        trie->units[unit].check = node.unit;
        if (unit >= builder->fresh) builder->fresh = unit + 1;
        TrieNode child = {children.firsts[i], children.firsts[i + 1], node.depth + 1, unit};
        if (!trie_push(builder, child)) return false;
    }
    return true;
}

Status trie_open(Trie *trie, const TrieKey *keys, uint32_t count, Error *out_error)
{
    TrieKey *sorted = malloc(((size_t)count + 1) * sizeof *sorted);
    TrieBuilder builder = {.trie = trie, .keys = sorted, .free = TRIE_BLOCK, .fresh = TRIE_BLOCK};
    *trie = (Trie){0};
    trie->tails = malloc(((size_t)count + 1) * sizeof *trie->tails);
    bool built = sorted && trie->tails && trie_sort(keys, count, sorted) && trie_reserve(trie, 2 * TRIE_BLOCK);
    if (built) trie->units[TRIE_ROOT].check = TRIE_TAKEN;
    if (built && count > 0) built = trie_push(&builder, (TrieNode){0, count, 0, TRIE_ROOT});
    while (built && builder.node_count > 0) built = trie_expand(&builder, builder.nodes[--builder.node_count]);
    /* A walk looks at base + byte wherever it is; base may be any unit's, at most `fresh`. */
    if (built) built = trie_reserve(trie, builder.fresh + TRIE_BLOCK);
    free(builder.nodes);
    free(sorted);
    if (built) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "no memory for %u tokens, or more than %u bytes of them", count, TRIE_UNIT_COUNT_MAX);
}

void trie_close(Trie *trie)
{
    free(trie->units);
    free(trie->ids);
    free(trie->tails);
    *trie = (Trie){0};
}
