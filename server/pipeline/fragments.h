/* How many tokens a tokenizer makes of a letter, and where a text has many more: words taken apart, noise. */
#pragma once

#include "pipeline/pipeline.h"

typedef enum LetterKind {
    LETTER_LATIN,
    LETTER_CYRILLIC,
    LETTER_GREEK,
    LETTER_HEBREW,
    LETTER_ARABIC,
    LETTER_DEVANAGARI,
    LETTER_HANGUL,
    LETTER_KIND_COUNT,
    LETTER_OTHER = LETTER_KIND_COUNT, /* digits, signs, and scripts that are written without blanks */
    LETTER_BLANK,
} LetterKind;

/* Tokens that a letter of each kind may take; 0 of a kind that is not looked at. */
typedef struct FragmentRates {
    float rates[LETTER_KIND_COUNT];
} FragmentRates;

/* Measures `pipeline`'s tokenizer. Fails as pipeline_encode. */
CHECKED Status fragments_calibrate(const Pipeline *pipeline, FragmentRates *out_rates, Error *out_error);
/* The tokens among `tokens` that go farthest beyond what their letters may take; false: none go far enough. `text` is
 * what the offsets are of, with `skipped` bytes in front of it that are not there. */
bool fragments_find(const FragmentRates *rates, TextView text, const Encoding *encoding, TokenRange tokens,
                    uint32_t skipped, TokenRange *out_range);
