/* Words as people read them: what stands between white space and punctuation, and, in scripts that write no spaces,
 * what ICU's dictionaries take for a word. One thread. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

/* Where a walk over a text's words stands. A value; unicode_words_close frees what it holds. */
typedef struct UnicodeWords {
    TextView text; /* valid UTF-8, below 2 GiB; outlives the walk */
    uint32_t at;
    ByteRange run; /* letters that the dictionary is cutting */
    void *breaks;
} UnicodeWords;

/* A walk from byte `from` on, which begins a character. */
UnicodeWords unicode_words_open(TextView text, uint32_t from);
void unicode_words_close(UnicodeWords *words);
/* The next word; false: there is no more. Where memory is out, a run of letters is a word. */
bool unicode_words_next(UnicodeWords *words, ByteRange *out_word);
