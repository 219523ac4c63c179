/* Regular expressions as tokenizer.json writes them: in the syntax and with the meaning of Oniguruma, which the
 * library uses. The door to PCRE2. Immutable once open: any number of threads may search with one. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct Pattern Pattern;

/* Compiles `source`, or, if `literal`, makes a pattern that finds `source` itself. On success the caller owns
 * *out_pattern (pattern_close); on failure it is untouched. Any thread. Fails with UNSUPPORTED (what we cannot give
 * Oniguruma's meaning to, by name), CORRUPT (no regular expression), RESOURCE_EXHAUSTED (longer than
 * PATTERN_BYTES_MAX), NO_MEMORY. */
CHECKED Status pattern_open(TextView source, bool literal, Pattern **out_pattern, Error *out_error);
void pattern_close(Pattern *pattern); /* NULL is a no-op */

/* A walk over the matches in a text. Scratch of one thread. */
typedef struct PatternScan {
    const Pattern *pattern;
    TextView text;
    uint32_t from;     /* where the next match may start */
    uint32_t last_end; /* of the last match; UINT32_MAX: there is none */
    void *scratch;
    bool failed; /* the search took more steps or memory than it may: what was found is not all */
} PatternScan;

/* Starts a walk over `text`, valid UTF-8 of at most TEXT_BYTES_MAX. */
PatternScan pattern_scan(const Pattern *pattern, TextView text);
/* The next match, leftmost first; an empty one never directly behind the last one. False at the end, and when it
 * failed. */
bool pattern_next(PatternScan *scan, ByteRange *out_range);
/* Frees what the walk took. */
void pattern_scan_close(PatternScan *scan);
