/* Characters as the `tokenizers` library sees them. Its crates carry tables of several Unicode versions, and ICU
 * has yet another one, so each question is answered by ICU and cut off by age:
 *     general categories   unicode_categories 0.1               Unicode 8.0
 *     normalization forms  unicode-normalization-alignments 0.1 Unicode 9.0
 *     scripts              a table of the library's own         Unicode 9.0
 *     lower case, numbers  Rust's standard library              Unicode 17.0
 *     \w                   regex-syntax 0.8                     Unicode 16.0
 * What a later version changed for a character that existed, and what is newer than Debian 12's ICU, is listed in
 * characters.def. tests/golden/tokenizer/characters.bin holds the library's answers for every code point. */
#pragma once

#include "unicode/property.h"

/* What a code point is, as bits. */
typedef enum CharacterFlag {
    CHARACTER_KNOWN = 1 << 0,        /* always set */
    CHARACTER_CONTROL = 1 << 1,      /* clean_text drops it: Cc, Cf, Co, U+FFFD, but not tab, newline, return */
    CHARACTER_WHITE_SPACE = 1 << 2,  /* char::is_whitespace and \s: White_Space */
    CHARACTER_CHINESE = 1 << 3,      /* handle_chinese_chars surrounds it with spaces */
    CHARACTER_PUNCTUATION = 1 << 4,  /* BertPreTokenizer isolates it: P and ASCII's symbols */
    CHARACTER_MARK = 1 << 5,         /* Mn: strip_accents removes it */
    CHARACTER_DECOMPOSES = 1 << 6,   /* characters_decompose gives something else */
    CHARACTER_COMBINES = 1 << 7,     /* has a combining class other than 0 */
    CHARACTER_CAPITAL = 1 << 8,      /* characters_lowercase gives something else */
    CHARACTER_NUMERIC = 1 << 9,      /* char::is_numeric: N */
    CHARACTER_WORD = 1 << 10,        /* \w, what a single_word token may not touch */
    CHARACTER_ANY_MARK = 1 << 11,    /* M: StripAccents removes it */
    CHARACTER_COMPATIBLE = 1 << 12,  /* its compatibility decomposition is another than the canonical one */
    CHARACTER_MAY_COMPOSE = 1 << 13, /* with the one before it */
    CHARACTER_NFC_CHANGES = 1 << 14, /* NFC makes something else of it even when it is alone */
} CharacterFlag;

/* The flags of a scalar value. Asking ICU takes 100 ns and more, so answers are kept: one load after the first
 * time. Any thread. */
unsigned characters_flags(uint32_t code_point);

uint8_t characters_combining_class(uint32_t code_point);
/* The canonical or the compatibility decomposition; the code point itself when it has none. Returns the count. */
unsigned characters_decompose(uint32_t code_point, bool compatible,
                              uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX]);
/* What the two make together by canonical composition; 0: nothing. */
uint32_t characters_compose(uint32_t first, uint32_t second);
unsigned characters_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX]);
/* The script as UnicodeScripts sees it: Hiragana and Katakana are Han; CHARACTERS_SCRIPT_ANY fits beside any. */
unsigned characters_script(uint32_t code_point);

#define CHARACTERS_SCRIPT_ANY UNICODE_SCRIPT_NONE
