/* The door to ICU's character data. */
#include "unicode/property.h"

#include <assert.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/utf16.h>

static_assert(UNICODE_CN == 1 << U_UNASSIGNED && UNICODE_MN == 1 << U_NON_SPACING_MARK, "the bits are ICU's");
static_assert(UNICODE_CC == 1 << U_CONTROL_CHAR && UNICODE_PD == 1 << U_DASH_PUNCTUATION, "the bits are ICU's");
static_assert(UNICODE_PF == 1 << U_FINAL_PUNCTUATION && U_CHAR_CATEGORY_COUNT == 30, "the bits are ICU's");

/* No letter of a script with a virama, and none that does without spaces, is before Devanagari. */
enum { INDIC_FIRST = 0x900 };

/* Below are no letters that join others, which is most of what is asked about. */
enum { CURSIVE_FIRST = 0x620 };

UnicodeCategory unicode_category(uint32_t code_point)
{
    return (UnicodeCategory)(1u << u_charType((UChar32)code_point));
}

unsigned unicode_age(uint32_t code_point)
{
    UVersionInfo version;
    u_charAge((UChar32)code_point, version);
    return UNICODE_VERSION((unsigned)version[0], version[1]);
}

bool unicode_is_white_space(uint32_t code_point)
{
    return u_isUWhiteSpace((UChar32)code_point);
}

bool unicode_is_word(uint32_t code_point)
{
    return (unicode_category(code_point) & (UNICODE_M | UNICODE_ND | UNICODE_PC)) != 0 ||
           u_isUAlphabetic((UChar32)code_point) || u_hasBinaryProperty((UChar32)code_point, UCHAR_JOIN_CONTROL);
}

bool unicode_is_ignorable(uint32_t code_point)
{
    return u_hasBinaryProperty((UChar32)code_point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

bool unicode_ends_sentence(uint32_t code_point)
{
    return u_hasBinaryProperty((UChar32)code_point, UCHAR_S_TERM);
}

uint8_t unicode_combining_class(uint32_t code_point)
{
    return u_getCombiningClass((UChar32)code_point);
}

unsigned unicode_decompose(uint32_t code_point, bool compatible,
                           uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX])
{
    UErrorCode error = U_ZERO_ERROR;
    /* Constants inside ICU: no cost, nothing to free. */
    const UNormalizer2 *form = compatible ? unorm2_getNFKDInstance(&error) : unorm2_getNFDInstance(&error);
    UChar units[2 * UNICODE_DECOMPOSITION_MAX];
    int32_t size = -1;
    if (U_SUCCESS(error)) {
        size = unorm2_getDecomposition(form, (UChar32)code_point, units, 2 * UNICODE_DECOMPOSITION_MAX, &error);
    }
    if (size < 0 || U_FAILURE(error)) {
        out_code_points[0] = code_point;
        return 1;
    }
    unsigned count = 0;
    for (int32_t i = 0; i < size;) {
        UChar32 part;
        U16_NEXT(units, i, size, part);
        assert(count < UNICODE_DECOMPOSITION_MAX);
        out_code_points[count++] = (uint32_t)part;
    }
    return count;
}

uint32_t unicode_compose(uint32_t first, uint32_t second)
{
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2 *form = unorm2_getNFCInstance(&error);
    UChar32 both = U_SUCCESS(error) ? unorm2_composePair(form, (UChar32)first, (UChar32)second) : -1;
    return both > 0 ? (uint32_t)both : 0;
}

bool unicode_may_compose(uint32_t code_point)
{
    return u_getIntPropertyValue((UChar32)code_point, UCHAR_NFC_QUICK_CHECK) == UNORM_MAYBE;
}

unsigned unicode_script(uint32_t code_point)
{
    int32_t script = u_getIntPropertyValue((UChar32)code_point, UCHAR_SCRIPT);
    return script < 0 || script == USCRIPT_UNKNOWN ? UNICODE_SCRIPT_NONE : (unsigned)script;
}

UnicodeGrapheme unicode_grapheme(uint32_t code_point)
{
    switch (u_getIntPropertyValue((UChar32)code_point, UCHAR_GRAPHEME_CLUSTER_BREAK)) {
    case U_GCB_CONTROL:
        return UNICODE_GRAPHEME_CONTROL;
    case U_GCB_CR:
        return UNICODE_GRAPHEME_CR;
    case U_GCB_EXTEND:
        return UNICODE_GRAPHEME_EXTEND;
    case U_GCB_L:
        return UNICODE_GRAPHEME_L;
    case U_GCB_LF:
        return UNICODE_GRAPHEME_LF;
    case U_GCB_LV:
        return UNICODE_GRAPHEME_LV;
    case U_GCB_LVT:
        return UNICODE_GRAPHEME_LVT;
    case U_GCB_T:
        return UNICODE_GRAPHEME_T;
    case U_GCB_V:
        return UNICODE_GRAPHEME_V;
    case U_GCB_SPACING_MARK:
        return UNICODE_GRAPHEME_SPACING_MARK;
    case U_GCB_PREPEND:
        return UNICODE_GRAPHEME_PREPEND;
    case U_GCB_REGIONAL_INDICATOR:
        return UNICODE_GRAPHEME_REGIONAL_INDICATOR;
    case U_GCB_ZWJ:
        return UNICODE_GRAPHEME_ZWJ;
    default:
        return u_hasBinaryProperty((UChar32)code_point, UCHAR_EXTENDED_PICTOGRAPHIC)
                   ? UNICODE_GRAPHEME_PICTOGRAPHIC
                   : UNICODE_GRAPHEME_OTHER;
    }
}

/* SpecialCasing.txt has one unconditional lower-case mapping of more than one code point: that of U+0130. */
unsigned unicode_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX])
{
    if (code_point == 0x130) {
        out_code_points[0] = 'i';
        out_code_points[1] = 0x307;
        return 2;
    }
    out_code_points[0] = (uint32_t)u_tolower((UChar32)code_point);
    return 1;
}

bool unicode_joins(uint32_t code_point)
{
    if (code_point < CURSIVE_FIRST) return false;
    switch (u_getIntPropertyValue((UChar32)code_point, UCHAR_JOINING_TYPE)) {
    case U_JT_DUAL_JOINING:
    case U_JT_JOIN_CAUSING:
    case U_JT_LEFT_JOINING:
    case U_JT_RIGHT_JOINING:
        return true;
    default:
        return false;
    }
}

bool unicode_is_virama(uint32_t code_point)
{
    switch (u_getIntPropertyValue((UChar32)code_point, UCHAR_INDIC_SYLLABIC_CATEGORY)) {
    case U_INSC_VIRAMA:
    case U_INSC_PURE_KILLER:
    case U_INSC_INVISIBLE_STACKER:
        return true;
    default:
        return false;
    }
}

bool unicode_is_indic(uint32_t code_point)
{
    const unsigned letters = UNICODE_LM | UNICODE_LO | UNICODE_M;
    if (code_point < INDIC_FIRST) return false;
    return u_getIntPropertyValue((UChar32)code_point, UCHAR_INDIC_SYLLABIC_CATEGORY) != U_INSC_OTHER &&
           (unicode_category(code_point) & letters) != 0;
}

bool unicode_is_indic_vowel_letter(uint32_t code_point)
{
    return u_getIntPropertyValue((UChar32)code_point, UCHAR_INDIC_SYLLABIC_CATEGORY) == U_INSC_VOWEL_INDEPENDENT;
}

bool unicode_is_right_to_left(uint32_t code_point)
{
    switch (u_charDirection((UChar32)code_point)) {
    case U_RIGHT_TO_LEFT:
    case U_RIGHT_TO_LEFT_ARABIC:
    case U_ARABIC_NUMBER:
        return !unicode_is_ignorable(code_point);
    default:
        return false;
    }
}

/* The scripts after Line_Break SA have classes of their own, or none, by the version of Unicode. */
bool unicode_is_without_spaces(uint32_t code_point)
{
    if (code_point < INDIC_FIRST) return false;
    if (u_getIntPropertyValue((UChar32)code_point, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT) return true;
    switch (u_getIntPropertyValue((UChar32)code_point, UCHAR_SCRIPT)) {
    case USCRIPT_TIBETAN:
    case USCRIPT_JAVANESE:
    case USCRIPT_BALINESE:
    case USCRIPT_SUNDANESE:
    case USCRIPT_BATAK:
    case USCRIPT_BUGINESE:
        return true;
    default:
        return false;
    }
}

bool unicode_is_vowel_before(uint32_t code_point)
{
    return u_hasBinaryProperty((UChar32)code_point, UCHAR_LOGICAL_ORDER_EXCEPTION);
}
