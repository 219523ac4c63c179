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

void collector_push(Collector *collector, CollectedToken token)
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

StoredToken collector_token(const Collector *collector, uint32_t kept, uint32_t index)
{
    assert(index < kept && kept <= collector->count && kept <= collector->limit);
    if (collector->side == TRUNCATION_RIGHT) return collector->tokens[index];
    return collector->tokens[(collector->count - kept + index) % collector->limit];
}
