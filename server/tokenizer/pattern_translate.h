/* From Oniguruma's syntax to PCRE2's: the parts of both that tokenizer.json files use, with Oniguruma's meaning. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* Rewrites `source`, valid UTF-8 without NUL, for PCRE2 with UTF and multi-line anchors. On success the caller frees
 * *out_regex, terminated. Any thread. Fails with UNSUPPORTED (by name and position), CORRUPT, NO_MEMORY. */
CHECKED Status pattern_translate(TextView source, char **out_regex, Error *out_error);
