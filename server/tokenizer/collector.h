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

/* How many characters of white space a token's text starts and ends with; the byte alphabet's space is some, too. */
typedef struct TokenEdges {
    uint32_t leading;
    uint32_t trailing;
} TokenEdges;

/* The edges of a token whose text is not the vocabulary's. */
typedef struct CollectedEdges {
    uint32_t index; /* of the token among all */
    TokenEdges edges;
} CollectedEdges;

/* One thread; scratch of one tokenizer_encode. */
typedef struct Collector {
    uint32_t limit; /* tokens that may be kept; UINT32_MAX: all */
    TruncationSide side;
    StoredToken *tokens; /* the first or the last `limit`; a ring once it is full and side is left */
    uint32_t capacity;
    uint32_t count; /* of all tokens */
    uint32_t word;  /* of the tokens to come */
    bool keeps_edges;
    const uint32_t *barred; /* bit id % 32 of [id / 32]: no piece of a text is this token; NULL: any may be */
    uint32_t unknown_id;    /* what a barred one is instead, when the model has no other way to split it */
    CollectedEdges *edges;  /* [edges_capacity], by rising index; if keeps_edges */
    uint32_t edges_count;
    uint32_t edges_capacity;
    bool failed; /* out of memory */
} Collector;

static inline bool collector_bars(const Collector *collector, uint32_t id)
{
    return collector->barred && (collector->barred[id / 32] >> id % 32 & 1);
}

Collector collector_start(uint32_t limit, TruncationSide side);
void collector_close(Collector *collector);
/* The tokens from here on are of another word. */
void collector_begin_word(Collector *collector);
/* Pushes a token whose text is the vocabulary's, or one whose text in the library is `text`: an added token with the
 * white space that it took, or an unknown piece. */
void collector_push(Collector *collector, CollectedToken token);
void collector_push_text(Collector *collector, CollectedToken token, TextView text);
/* The edges of the `index`-th of the `kept` tokens, whose text in the vocabulary is `text`. */
TokenEdges collector_edges(const Collector *collector, uint32_t kept, uint32_t index, TextView text);
/* The `index`-th of the `kept` tokens on the side that truncation keeps. */
StoredToken collector_token(const Collector *collector, uint32_t kept, uint32_t index);
