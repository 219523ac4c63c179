/* The tokens of one text on their way to an encoding: all are counted, and only those that truncation may keep are
 * stored. */
#pragma once

#include "tokenizer/tokenizer.h"

typedef struct CollectedToken {
    uint32_t id;
    ByteRange origin;
} CollectedToken;

/* One thread; scratch of one tokenizer_encode. */
typedef struct Collector {
    uint32_t limit; /* tokens that may be kept; UINT32_MAX: all */
    TruncationSide side;
    CollectedToken *tokens; /* the first or the last `limit`; a ring once it is full and side is left */
    uint32_t capacity;
    uint32_t count; /* of all tokens */
    /* The library stops once it has `limit` tokens, at the end of a word, and compares these counts when both
     * texts of a pair are too long: which of them gets the odd token depends on it. */
    uint32_t stopped_count;  /* side right: the count at which the library stopped; 0: not yet */
    uint32_t resumed_before; /* side left: the latest start of a word with at least `limit` tokens behind it */
    uint8_t *word_starts;    /* side left: [capacity], beside tokens */
    bool failed;             /* out of memory */
} Collector;

Collector collector_start(uint32_t limit, TruncationSide side);
void collector_close(Collector *collector);
/* `word_start`: the first token of a word that the model split; false for an added token. */
void collector_push(Collector *collector, CollectedToken token, bool word_start);
/* The word whose tokens were pushed is complete. */
void collector_end_word(Collector *collector);
/* How many tokens the library would have seen. */
uint32_t collector_library_count(const Collector *collector);
/* The `index`-th of the `kept` tokens on the side that truncation keeps. */
CollectedToken collector_token(const Collector *collector, uint32_t kept, uint32_t index);
