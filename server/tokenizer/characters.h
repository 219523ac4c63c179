/* Characters as the `tokenizers` library sees them. Its crates carry tables of several Unicode versions, and ICU
 * has yet another one, so each question is answered by ICU and cut off by age: general categories
 * unicode_categories 0.1                Unicode 8.0 decomposition        unicode-normalization-alignments 0.1
 * Unicode 9.0 lower case           Rust's standard library               Unicode 17.0 \w regex-syntax 0.8
 * Unicode 16.0 What a later version changed for a character that existed, and what is newer than Debian 12's ICU,
 * is listed in characters.def. tests/golden/tokenizer_characters holds the library's answers for every code point.
 */
#pragma once

#include "unicode/property.h"

/* BertNormalizer's clean_text drops these: Cc, Cf, Co, U+0000, U+FFFD, but neither tab, newline nor return. */
bool characters_is_control(uint32_t code_point);
/* char::is_whitespace and \s: White_Space. */
bool characters_is_white_space(uint32_t code_point);
/* The blocks that BertNormalizer surrounds with spaces (its fifth starts at U+2B920: the library's own slip). */
bool characters_is_chinese(uint32_t code_point);
/* What BertPreTokenizer isolates: P and ASCII's symbols. */
bool characters_is_punctuation(uint32_t code_point);
/* Mn, what stripping accents removes. */
bool characters_is_nonspacing_mark(uint32_t code_point);
/* \w, what a single_word token may not touch. */
bool characters_is_word(uint32_t code_point);

uint8_t characters_combining_class(uint32_t code_point);
unsigned characters_decompose(uint32_t code_point, uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX]);
unsigned characters_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX]);
