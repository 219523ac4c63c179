/* Characters as the `tokenizers` library sees them. Its crates carry tables of several Unicode versions, and ICU
 * has yet another one, so each question is answered by ICU and cut off by age: general categories
 * unicode_categories 0.1                Unicode 8.0 decomposition        unicode-normalization-alignments 0.1
 * Unicode 9.0 lower case           Rust's standard library               Unicode 17.0 \w regex-syntax 0.8
 * Unicode 16.0 What a later version changed for a character that existed, and what is newer than Debian 12's ICU,
 * is listed in characters.def. tests/golden/tokenizer/characters.bin holds the library's answers for every code point.
 */
#pragma once

#include "unicode/property.h"

/* What a code point is, as bits. */
typedef enum CharacterFlag {
    CHARACTER_KNOWN = 1 << 0,       /* always set */
    CHARACTER_CONTROL = 1 << 1,     /* clean_text drops it: Cc, Cf, Co, U+FFFD, but not tab, newline, return */
    CHARACTER_WHITE_SPACE = 1 << 2, /* char::is_whitespace and \s: White_Space */
    CHARACTER_CHINESE = 1 << 3,     /* handle_chinese_chars surrounds it with spaces */
    CHARACTER_PUNCTUATION = 1 << 4, /* BertPreTokenizer isolates it: P and ASCII's symbols */
    CHARACTER_MARK = 1 << 5,        /* Mn: strip_accents removes it */
    CHARACTER_DECOMPOSES = 1 << 6,  /* characters_decompose gives something else */
    CHARACTER_COMBINES = 1 << 7,    /* has a combining class other than 0 */
    CHARACTER_CAPITAL = 1 << 8,     /* characters_lowercase gives something else */
} CharacterFlag;

/* The flags of a scalar value. Asking ICU takes 100 ns and more, so answers are kept: one load after the first
 * time. Any thread. */
unsigned characters_flags(uint32_t code_point);

/* \w, what a single_word token may not touch. */
bool characters_is_word(uint32_t code_point);

uint8_t characters_combining_class(uint32_t code_point);
unsigned characters_decompose(uint32_t code_point, uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX]);
unsigned characters_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX]);
