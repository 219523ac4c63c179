/* Characters as Oniguruma sees them: Unicode 16.0, whatever version ICU has. */
#pragma once

#include "unicode/property.h"

/* What a code point is, as bits. */
typedef enum PatternClass {
    PATTERN_KNOWN = 1 << 0, /* always set */
    PATTERN_UPPER = 1 << 1, /* Lu, Lt */
    PATTERN_LOWER = 1 << 2, /* Ll */
    PATTERN_OTHER = 1 << 3, /* Lm, Lo */
    PATTERN_MARK = 1 << 4,  /* M */
    PATTERN_DIGIT = 1 << 5, /* N */
    PATTERN_SPACE = 1 << 6, /* \s */
} PatternClass;

#define PATTERN_LETTER (PATTERN_UPPER | PATTERN_LOWER | PATTERN_OTHER)

/* The bits of a scalar value. Any thread; one load after the first time. */
unsigned pattern_class(uint32_t code_point);
