/* The normalizer that SentencePiece writes into its models: a double array of keys and a block of replacements.
 * Immutable once open: any number of threads may read it. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct Charsmap Charsmap;

/* Decodes and proves a `precompiled_charsmap`: after it nothing that a text asks for lies outside. On success the
 * caller owns *out_charsmap (charsmap_close); on failure it is untouched. Any thread. Fails with CORRUPT, NO_MEMORY. */
CHECKED Status charsmap_open(TextView base64, Charsmap **out_charsmap, Error *out_error);
void charsmap_close(Charsmap *charsmap); /* NULL is a no-op */

/* What `text` is replaced by, if the map has a key that `text` starts with: the replacement of the shortest such key,
 * for all of `text`, as the library does. It lives as long as the map. */
bool charsmap_transform(const Charsmap *charsmap, TextView text, TextView *out_replacement);

/* Whether the map leaves an ASCII byte as it is where it stands alone: [128]. */
const bool *charsmap_kept_ascii(const Charsmap *charsmap);
