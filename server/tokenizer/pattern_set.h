/* Sets of characters by name, written as the inside of a PCRE2 class. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* Text that grows; zeroed is empty. */
typedef struct PatternSetText {
    char *text; /* terminated; the owner frees it */
    size_t size;
    size_t capacity;
    bool failed; /* out of memory */
} PatternSetText;

void pattern_set_put(PatternSetText *out, const char *text);
void pattern_set_put_interval(PatternSetText *out, uint32_t count_min, uint32_t count_max);

typedef struct PatternSet {
    bool negated;
    bool space;          /* White_Space */
    bool word;           /* Oniguruma's \w */
    bool hexadecimal;    /* the digits of numbers to base 16 */
    unsigned categories; /* UnicodeCategory bits */
    const char *script;  /* of pattern_class.def; NULL: none */
} PatternSet;

/* The set of \s, \d, \w or \h. */
PatternSet pattern_set_letter(char letter);
/* The set of \p{name}, not negated. False: none that we have. */
bool pattern_set_named(TextView name, PatternSet *out_set);
/* The set of the "[:name:]" that `text` starts with. Returns its size; 0: it is none that we have. */
size_t pattern_set_bracketed(TextView text, PatternSet *out_set);
/* Whether the set holds a letter but not its other cases. */
bool pattern_set_cased(const PatternSet *set);

/* Writes the set's members, whether it is negated or not. */
void pattern_set_write(PatternSetText *out, const PatternSet *set);
/* Writes all characters that are no members, where these are few enough. */
bool pattern_set_write_others(PatternSetText *out, const PatternSet *set);
void pattern_set_write_range(PatternSetText *out, uint32_t first, uint32_t last);
