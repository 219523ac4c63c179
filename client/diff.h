/* Which parts of a text were changed into which of another. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* What `before` has in one place and `after` in another: the same bytes, or others. */
typedef struct DiffPiece {
    ByteRange before;
    ByteRange after;
    bool same;
} DiffPiece;

/* The pieces of both texts in order, which cut no character (a byte that is not UTF-8 is one), and of which no two
 * neighbours are both the same or both changed. Few characters are in changed ones, the fewest while both texts are
 * much alike. Time grows with the size times the distance of the texts, at most DIFF_EDITS_MAX. On success the caller
 * frees *out_pieces (free). Fails with NO_MEMORY. */
CHECKED Status diff_texts(TextView before, TextView after, DiffPiece **out_pieces, size_t *out_count,
                          Error *out_error);
enum { DIFF_EDITS_MAX = 64 };
