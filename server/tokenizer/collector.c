/* Counts all tokens, stores those that can be kept. */
#include "tokenizer/collector.h"

#include "tokenizer/characters.h"
#include "unicode/utf8.h"
#include <assert.h>
#include <stdlib.h>

enum { COLLECTOR_CAPACITY_MIN = 64 };

Collector collector_start(uint32_t limit, TruncationSide side)
{
    assert(limit > 0);
    return (Collector){.limit = limit, .side = side};
}

void collector_close(Collector *collector)
{
    free(collector->tokens);
    free(collector->edges);
    *collector = (Collector){0};
}

static bool collector_grow(Collector *collector)
{
    uint64_t capacity = (uint64_t)collector->capacity + collector->capacity / 2 + COLLECTOR_CAPACITY_MIN;
    if (capacity > collector->limit) capacity = collector->limit;
    StoredToken *tokens = realloc(collector->tokens, capacity * sizeof *tokens);
    if (!tokens) {
        collector->failed = true;
        return false;
    }
    collector->tokens = tokens;
    collector->capacity = (uint32_t)capacity;
    return true;
}

void collector_begin_word(Collector *collector)
{
    collector->word++;
}

static void collector_store(Collector *collector, CollectedToken token)
{
    uint32_t index = collector->count++;
    if (collector->failed) return;
    if (index >= collector->limit) {
        if (collector->side == TRUNCATION_RIGHT) return;
        index %= collector->limit;
    } else if (index == collector->capacity && !collector_grow(collector)) {
        return;
    }
    collector->tokens[index] = (StoredToken){token, collector->word};
}

void collector_push(Collector *collector, CollectedToken token)
{
    if (collector_bars(collector, token.id)) token.id = collector->unknown_id;
    collector_store(collector, token);
}

StoredToken collector_token(const Collector *collector, uint32_t kept, uint32_t index)
{
    assert(index < kept && kept <= collector->count && kept <= collector->limit);
    if (collector->side == TRUNCATION_RIGHT) return collector->tokens[index];
    return collector->tokens[(collector->count - kept + index) % collector->limit];
}

static bool collector_is_space(uint32_t code_point)
{
    enum { BYTE_ALPHABET_SPACE = 0x120 };
    return code_point == BYTE_ALPHABET_SPACE || (characters_flags(code_point) & CHARACTER_WHITE_SPACE) != 0;
}

static TokenEdges collector_edges_of(TextView text)
{
    TokenEdges edges = {0, 0};
    uint32_t code_point;
    for (size_t at = 0; at < text.size; edges.leading++) {
        at += utf8_decode(text.bytes + at, &code_point);
        if (!collector_is_space(code_point)) break;
    }
    for (size_t end = text.size; end > 0; edges.trailing++) {
        end = utf8_previous(text.bytes, end);
        utf8_decode(text.bytes + end, &code_point);
        if (!collector_is_space(code_point)) break;
    }
    return edges;
}

void collector_push_text(Collector *collector, CollectedToken token, TextView text)
{
    uint32_t index = collector->count;
    bool kept = collector->keeps_edges && (collector->side == TRUNCATION_LEFT || index < collector->limit);
    if (kept && collector->edges_count == collector->edges_capacity) {
        uint32_t capacity = collector->edges_capacity + collector->edges_capacity / 2 + COLLECTOR_CAPACITY_MIN;
        CollectedEdges *edges = realloc(collector->edges, capacity * sizeof *edges);
        if (!edges) {
            collector->failed = true;
            return;
        }
        collector->edges = edges;
        collector->edges_capacity = capacity;
    }
    if (kept) collector->edges[collector->edges_count++] = (CollectedEdges){index, collector_edges_of(text)};
    collector_store(collector, token);
}

TokenEdges collector_edges(const Collector *collector, uint32_t kept, uint32_t index, TextView text)
{
    if (collector->side == TRUNCATION_LEFT) index += collector->count - kept;
    uint32_t low = 0, high = collector->edges_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (collector->edges[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < collector->edges_count && collector->edges[low].index == index;
    return found ? collector->edges[low].edges : collector_edges_of(text);
}
