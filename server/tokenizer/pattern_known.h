/* The regular expressions that nearly all byte-level tokenizers split words by, as code: ten times as fast as a search
 * by PCRE2. They are known by their exact text. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

typedef struct PatternKnown PatternKnown;

/* The code for the regular expression `source`; NULL: there is none. */
const PatternKnown *pattern_known_find(TextView source);
/* The end of the match that starts at `at`, before the end of `text`, valid UTF-8: each of these matches anywhere. */
uint32_t pattern_known_end(const PatternKnown *known, TextView text, uint32_t at);
