/* Properties and mappings of single code points, from ICU. Values above U+10FFFF and surrogates count as
 * unassigned. ICU's data is of one Unicode version (72: 15.0, 76: 16.0); who must agree with older data asks for
 * the age. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* General categories as bits, so that a set of them is one test. */
typedef enum UnicodeCategory {
    UNICODE_CN = 1 << 0,
    UNICODE_LU = 1 << 1,
    UNICODE_LL = 1 << 2,
    UNICODE_LT = 1 << 3,
    UNICODE_LM = 1 << 4,
    UNICODE_LO = 1 << 5,
    UNICODE_MN = 1 << 6,
    UNICODE_ME = 1 << 7,
    UNICODE_MC = 1 << 8,
    UNICODE_ND = 1 << 9,
    UNICODE_NL = 1 << 10,
    UNICODE_NO = 1 << 11,
    UNICODE_ZS = 1 << 12,
    UNICODE_ZL = 1 << 13,
    UNICODE_ZP = 1 << 14,
    UNICODE_CC = 1 << 15,
    UNICODE_CF = 1 << 16,
    UNICODE_CO = 1 << 17,
    UNICODE_CS = 1 << 18,
    UNICODE_PD = 1 << 19,
    UNICODE_PS = 1 << 20,
    UNICODE_PE = 1 << 21,
    UNICODE_PC = 1 << 22,
    UNICODE_PO = 1 << 23,
    UNICODE_SM = 1 << 24,
    UNICODE_SC = 1 << 25,
    UNICODE_SK = 1 << 26,
    UNICODE_SO = 1 << 27,
    UNICODE_PI = 1 << 28,
    UNICODE_PF = 1 << 29,
} UnicodeCategory;

#define UNICODE_M (UNICODE_MN | UNICODE_ME | UNICODE_MC)
#define UNICODE_N (UNICODE_ND | UNICODE_NL | UNICODE_NO)
#define UNICODE_P (UNICODE_PD | UNICODE_PS | UNICODE_PE | UNICODE_PC | UNICODE_PO | UNICODE_PI | UNICODE_PF)

/* A version of Unicode as a number that orders as versions do. */
#define UNICODE_VERSION(major, minor) ((major) << 8 | (minor))

/* Grapheme_Cluster_Break, and for what has none Extended_Pictographic. */
typedef enum UnicodeGrapheme {
    UNICODE_GRAPHEME_OTHER,
    UNICODE_GRAPHEME_CONTROL,
    UNICODE_GRAPHEME_CR,
    UNICODE_GRAPHEME_EXTEND,
    UNICODE_GRAPHEME_L,
    UNICODE_GRAPHEME_LF,
    UNICODE_GRAPHEME_LV,
    UNICODE_GRAPHEME_LVT,
    UNICODE_GRAPHEME_T,
    UNICODE_GRAPHEME_V,
    UNICODE_GRAPHEME_SPACING_MARK,
    UNICODE_GRAPHEME_PREPEND,
    UNICODE_GRAPHEME_REGIONAL_INDICATOR,
    UNICODE_GRAPHEME_ZWJ,
    UNICODE_GRAPHEME_PICTOGRAPHIC,
} UnicodeGrapheme;

#define UNICODE_SCRIPT_NONE UINT32_MAX

enum {
    UNICODE_DECOMPOSITION_MAX = 18, /* of one code point: U+FDFA by compatibility, canonical ones have up to 4 */
    UNICODE_LOWERCASE_MAX = 2,
};

UnicodeCategory unicode_category(uint32_t code_point);
/* The UNICODE_VERSION that assigned `code_point`; 0: none that ICU knows. */
unsigned unicode_age(uint32_t code_point);
/* White_Space of PropList.txt. */
bool unicode_is_white_space(uint32_t code_point);
/* \w of UTS #18, annex C: Alphabetic, M, Nd, Pc, Join_Control. */
bool unicode_is_word(uint32_t code_point);
/* Default_Ignorable_Code_Point of DerivedCoreProperties.txt. */
bool unicode_is_ignorable(uint32_t code_point);
/* Sentence_Terminal of PropList.txt: full stops and their like, in all scripts. */
bool unicode_ends_sentence(uint32_t code_point);
/* The canonical combining class, 0 to 254. */
uint8_t unicode_combining_class(uint32_t code_point);
/* The full canonical or, with `compatible`, compatibility decomposition, Hangul included; the code point itself when
 * it has none. Returns the count. */
unsigned unicode_decompose(uint32_t code_point, bool compatible,
                           uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX]);
/* What the two make together by canonical composition, Hangul included; 0: nothing. */
uint32_t unicode_compose(uint32_t first, uint32_t second);
/* Whether it can be the second one of unicode_compose. */
bool unicode_may_compose(uint32_t code_point);
/* A number for each script; UNICODE_SCRIPT_NONE for unassigned and private code points. */
unsigned unicode_script(uint32_t code_point);
UnicodeGrapheme unicode_grapheme(uint32_t code_point);
/* The full lower-case mapping that depends on no context and no language. Returns the count, at least 1. */
unsigned unicode_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX]);
/* Letters of cursive scripts that join a neighbour, and what causes joining (tatweel, ZWJ): Joining_Type D, L, R or C
 * of ArabicShaping.txt. */
bool unicode_joins(uint32_t code_point);
/* Marks that kill a vowel or stack a consonant in scripts of India and South-East Asia: virama, coeng and the like. */
bool unicode_is_virama(uint32_t code_point);
/* Letters and marks of those scripts, and the vowels among them that are letters. */
bool unicode_is_indic(uint32_t code_point);
bool unicode_is_indic_vowel_letter(uint32_t code_point);
/* Letters of the directions R and AL, and Arabic digits: what makes a line right to left. */
bool unicode_is_right_to_left(uint32_t code_point);
/* Letters of scripts that write words without spaces: Thai, Lao, Khmer, Burmese, Tibetan, Javanese, ... */
bool unicode_is_without_spaces(uint32_t code_point);
/* Vowels that are written before the consonant they follow in speech (Thai, Lao, Tai Viet, New Tai Lue). */
bool unicode_is_vowel_before(uint32_t code_point);
