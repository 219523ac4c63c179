/* Added tokens: found in the text before the model sees it, some in the text as it came, some after normalization.
 */
#pragma once

#include "tokenizer/normalized.h"
#include "tokenizer/vocabulary.h"

typedef struct AddedToken {
    uint32_t id;
    TextView content; /* as in the file */
    TextView text;    /* what decoding gives: the normalized content of a token that was ever `normalized` */
    bool single_word; /* not beside a letter or digit */
    bool lstrip;      /* takes the white space before it */
    bool rstrip;
    bool normalized; /* looked for in the normalized text, as its normalized content */
    bool special;
    bool ever_special; /* this, or an earlier entry of the same content, was special */
    bool skipped;      /* by a decoder that skips special tokens: `text` is the content of a special one */
} AddedToken;

/* Patterns sorted by their bytes, so that all that start with the same bytes are neighbours. */
typedef struct AddedSet {
    const AddedToken **tokens; /* [count] */
    uint32_t count;
    uint32_t first[257]; /* tokens[first[b] .. first[b + 1]) start with byte b */
    bool all_special;
} AddedSet;

/* Zeroed is empty. */
typedef struct AddedTokens {
    AddedToken *tokens; /* [count], ids ascending */
    uint32_t count;
    AddedSet plain;      /* in the text as it came */
    AddedSet normalized; /* in the normalized text */
    char *bytes;         /* what the views of `tokens` point into */
} AddedTokens;

void added_close(AddedTokens *added); /* accepts a half-built one */
/* The token with `id`, or NULL. */
const AddedToken *added_find(const AddedTokens *added, uint32_t id);
/* Fills both sets from `tokens`. Fails with NO_MEMORY. */
CHECKED Status added_index(AddedTokens *added, Error *out_error);

/* Which special tokens are more than plain text. */
typedef struct AddedParse {
    bool all;
    uint32_t id; /* this one is in any case; VOCABULARY_NONE: none */
} AddedParse;

/* A walk over a text's pieces. */
typedef struct AddedScan {
    const AddedSet *set;
    TextView text;
    AddedParse parse;
    uint32_t search;           /* where the next match may start */
    uint32_t begin;            /* what is before has been handed out */
    const AddedToken *pending; /* to be handed out next, at `pending_range` */
    ByteRange pending_range;
    ByteRange space; /* white space that a token took to its right; the next one does not walk it again */
} AddedScan;

typedef struct AddedPiece {
    const AddedToken *token; /* NULL: text in between */
    ByteRange range;
} AddedPiece;

/* The first token flagged special that text[from, ...) has, whatever stands beside it. False: there is none. */
bool added_find_special(const AddedSet *set, TextView text, uint32_t from, const AddedToken **out_token,
                        ByteRange *out_range);

AddedScan added_scan(const AddedSet *set, TextView text, AddedParse parse);
/* The next piece, never empty; false at the end. A token that strips white space may overlap with the next one's
 * piece, as in the library. */
bool added_next(AddedScan *scan, AddedPiece *out_piece);
