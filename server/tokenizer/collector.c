/* Counts all tokens, stores those that can be kept. */
#include "tokenizer/collector.h"

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
    free(collector->word_starts);
    *collector = (Collector){0};
}

static bool collector_grow(Collector *collector)
{
    uint64_t capacity = (uint64_t)collector->capacity + collector->capacity / 2 + COLLECTOR_CAPACITY_MIN;
    if (capacity > collector->limit) capacity = collector->limit;
    CollectedToken *tokens = realloc(collector->tokens, capacity * sizeof *tokens);
    if (tokens) collector->tokens = tokens;
    uint8_t *starts = collector->word_starts;
    if (collector->side == TRUNCATION_LEFT) {
        starts = realloc(collector->word_starts, capacity);
        if (starts) collector->word_starts = starts;
    }
    if (!tokens || (collector->side == TRUNCATION_LEFT && !starts)) {
        collector->failed = true;
        return false;
    }
    collector->capacity = (uint32_t)capacity;
    return true;
}

void collector_push(Collector *collector, CollectedToken token, bool word_start)
{
    uint32_t index = collector->count++;
    if (index >= collector->limit) {
        if (collector->side == TRUNCATION_RIGHT) return;
        index %= collector->limit;
    } else if (index == collector->capacity && (collector->failed || !collector_grow(collector))) {
        return;
    }
    if (collector->failed) return;
    collector->tokens[index] = token;
    if (collector->side == TRUNCATION_RIGHT) return;
    collector->word_starts[index] = word_start;
    if (collector->count >= collector->limit) {
        uint32_t oldest = collector->count - collector->limit;
        if (collector->word_starts[oldest % collector->limit]) collector->resumed_before = oldest;
    }
}

void collector_end_word(Collector *collector)
{
    if (collector->stopped_count == 0 && collector->count >= collector->limit) {
        collector->stopped_count = collector->count;
    }
}

uint32_t collector_library_count(const Collector *collector)
{
    if (collector->side == TRUNCATION_LEFT) return collector->count - collector->resumed_before;
    return collector->stopped_count ? collector->stopped_count : collector->count;
}

CollectedToken collector_token(const Collector *collector, uint32_t kept, uint32_t index)
{
    assert(index < kept && kept <= collector->count && kept <= collector->limit);
    if (collector->side == TRUNCATION_RIGHT) return collector->tokens[index];
    return collector->tokens[(collector->count - kept + index) % collector->limit];
}
