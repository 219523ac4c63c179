/* One part is held back, since what follows may belong to it. Empty parts are never emitted, but an empty match counts
 * as one: that is what the library does. */
#include "tokenizer/split.h"

static void split_emit(const Split *split, ByteRange part)
{
    if (part.begin < part.end) split->emit(split->context, part);
}

static void split_flush(Split *split)
{
    if (split->open) split_emit(split, split->part);
    split->open = false;
}

/* Whether `part` continues the one that is open. */
static bool split_joins(const Split *split, bool is_match)
{
    switch (split->behavior) {
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !split->last_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !is_match && split->last_match;
    case SPLIT_CONTIGUOUS:
        return is_match == split->last_match;
    case SPLIT_REMOVED:
    case SPLIT_ISOLATED:
        break;
    }
    return false;
}

static void split_part(Split *split, ByteRange part, bool is_match)
{
    if (split->invert) is_match = !is_match;
    if (split->behavior <= SPLIT_ISOLATED) {
        if (!is_match || split->behavior == SPLIT_ISOLATED) split_emit(split, part);
        return;
    }
    if (split->open && split_joins(split, is_match)) {
        split->part.end = part.end;
    } else {
        split_flush(split);
        split->part = part;
        split->open = true;
    }
    split->last_match = is_match;
}

void split_match(Split *split, ByteRange match)
{
    if (split->end != match.begin) split_part(split, (ByteRange){split->end, match.begin}, false);
    split_part(split, match, true);
    split->end = match.end;
}

void split_end(Split *split, uint32_t size)
{
    if (split->end != size) split_part(split, (ByteRange){split->end, size}, false);
    split_flush(split);
}
