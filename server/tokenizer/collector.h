/* The tokens of one text on their way to an encoding: all are counted, and only those that truncation may keep are
 * stored. */
#pragma once

#include "tokenizer/tokenizer.h"

typedef struct CollectedToken {
    uint32_t id;
    ByteRange origin;
} CollectedToken;

typedef struct StoredToken {
    CollectedToken token;
    uint32_t word; /* its word's number in the text */
} StoredToken;

/* One thread; scratch of one tokenizer_encode. */
typedef struct Collector {
    uint32_t limit; /* tokens that may be kept; UINT32_MAX: all */
    TruncationSide side;
    StoredToken *tokens; /* the first or the last `limit`; a ring once it is full and side is left */
    uint32_t capacity;
    uint32_t count; /* of all tokens */
    uint32_t word;  /* of the tokens to come */
    bool failed;    /* out of memory */
} Collector;

Collector collector_start(uint32_t limit, TruncationSide side);
void collector_close(Collector *collector);
/* The tokens from here on are of another word. */
void collector_begin_word(Collector *collector);
void collector_push(Collector *collector, CollectedToken token);
/* The `index`-th of the `kept` tokens on the side that truncation keeps. */
StoredToken collector_token(const Collector *collector, uint32_t kept, uint32_t index);
