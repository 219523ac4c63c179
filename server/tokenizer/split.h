/* Cutting a text at what a pattern, a kind of character or a character matches. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

/* What becomes of the matches. */
typedef enum SplitBehavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS, /* with what is before, unless that is a match */
    SPLIT_MERGED_WITH_NEXT,     /* with what is behind, unless that is a match */
    SPLIT_CONTIGUOUS,           /* neighbouring matches become one */
} SplitBehavior;

typedef void SplitEmit(void *context, ByteRange part);

/* Takes the matches and what is in between, from left to right, and emits the parts. */
typedef struct Split {
    SplitBehavior behavior;
    bool invert; /* matches are what is between the pattern's */
    SplitEmit *emit;
    void *context;
    uint32_t end; /* of the last match */
    bool open;    /* `part` waits for what follows */
    bool last_match;
    ByteRange part;
} Split;

/* A match at or behind the one before. */
void split_match(Split *split, ByteRange match);
/* The end of the text at `size`. */
void split_end(Split *split, uint32_t size);
