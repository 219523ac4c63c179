/* Sets that ICU has as strings, turned at their first use into sorted tables that a look-up needs no memory for. */
#include "unicode/emoji.h"

#include "unicode/property.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/uset.h>
#include <unicode/utf16.h>

enum {
    SEQUENCE_COUNT_MAX = 1024, /* ICU 72 has 288 sequences without tones */
    SEQUENCE_UNITS_MAX = 40,   /* UTF-16, tones and selectors included; the longest has 17 */
    IDEOGRAPH_COUNT_MAX =
        1024, /* 902, and no more will come: compatibility ideographs are closed but for a handful */
    IDEOGRAPH_SELECTORS_MAX = 3,
    SELECTOR_FIRST = 0xFE00,
    SELECTOR_LAST = 0xFE0F,
    IDEOGRAPH_SELECTOR_FIRST = 0xE0100,
    IDEOGRAPH_SELECTOR_LAST = 0xE01EF,
    IDEOGRAPH_ROW_FIRST = 0x4E00, /* ideographs.def's rows */
    IDEOGRAPH_ROW_SIZE = 96,
    MONGOLIAN_SELECTOR_FIRST = 0x180B,
    MONGOLIAN_SELECTOR_LAST = 0x180D,
    MONGOLIAN_SELECTOR_FOURTH = 0x180F,
    RIGHT_ARROW = 0x27A1,
    REGIONAL_INDICATOR_A = 0x1F1E6,
};

typedef struct EmojiSequence {
    uint32_t emoji[UNICODE_EMOJI_JOINED_MAX]; /* zero beyond `count` */
} EmojiSequence;

typedef struct IdeographForms {
    uint32_t base;
    uint32_t count; /* of the selectors from SELECTOR_FIRST on */
} IdeographForms;

/* Written once, read only afterwards. */
static EmojiSequence sequences[SEQUENCE_COUNT_MAX];
static size_t sequence_count;
static IdeographForms ideographs[IDEOGRAPH_COUNT_MAX];
static size_t ideograph_count;
static pthread_once_t sequences_once = PTHREAD_ONCE_INIT;
static pthread_once_t ideographs_once = PTHREAD_ONCE_INIT;

/* Emoji 15.1 and 17.0, and the cats that Windows draws. */
static const EmojiSequence sequences_added[] = {
    {{0x1F642, 0x2194}},           {{0x1F642, 0x2195}},
    {{0x1F426, 0x1F525}},          {{0x1F34B, 0x1F7E9}},
    {{0x1F344, 0x1F7EB}},          {{0x26D3, 0x1F4A5}},
    {{0x1F9D1, 0x1F9D2}},          {{0x1F9D1, 0x1F9D1, 0x1F9D2}},
    {{0x1F9D1, 0x1F9D2, 0x1F9D2}}, {{0x1F9D1, 0x1F9D1, 0x1F9D2, 0x1F9D2}},
    {{0x1F9D1, 0x1FA70}},          {{0x1F9D1, 0x1F430, 0x1F9D1}},
    {{0x1F468, 0x1F430, 0x1F468}}, {{0x1F469, 0x1F430, 0x1F469}},
    {{0x1F431, 0x1F464}},          {{0x1F431, 0x1F409}},
    {{0x1F431, 0x1F3CD}},          {{0x1F431, 0x1F4BB}},
    {{0x1F431, 0x1F453}},          {{0x1F431, 0x1F680}},
};

/* Who goes to the right since Emoji 15.1: {walking, running, kneeling} x {person, woman, man}, and three aids. */
static const EmojiSequence sequences_right[] = {
    {{0x1F6B6}},          {{0x1F3C3}},          {{0x1F9CE}},          {{0x1F6B6, 0x2640}},  {{0x1F3C3, 0x2640}},
    {{0x1F9CE, 0x2640}},  {{0x1F6B6, 0x2642}},  {{0x1F3C3, 0x2642}},  {{0x1F9CE, 0x2642}},  {{0x1F9D1, 0x1F9AF}},
    {{0x1F468, 0x1F9AF}}, {{0x1F469, 0x1F9AF}}, {{0x1F9D1, 0x1F9BC}}, {{0x1F468, 0x1F9BC}}, {{0x1F469, 0x1F9BC}},
    {{0x1F9D1, 0x1F9BD}}, {{0x1F468, 0x1F9BD}}, {{0x1F469, 0x1F9BD}},
};

/* StandardizedVariants.txt but for ideographs and Mongolian: ranges of bases, and how many selectors they take. Some
 * ranges have bases in between that take none; ICU has no such list. */
static const struct {
    uint32_t first;
    uint32_t last;
    uint32_t count;
} selector_ranges[] = {
    {0x1000, 0x1000, 1}, /* Myanmar: dotted letters of Khamti */
    {0x1002, 0x1002, 1},   {0x1004, 0x1004, 1}, {0x1010, 0x1011, 1},
    {0x1015, 0x1015, 1},   {0x1019, 0x101A, 1}, {0x101C, 0x101D, 1},
    {0x1022, 0x1022, 1},   {0x1031, 0x1031, 1}, {0x1075, 0x1075, 1},
    {0x1078, 0x1078, 1},   {0x107A, 0x107A, 1}, {0x1080, 0x1080, 1},
    {0x2018, 0x201D, 2}, /* quotation marks, narrow and wide */
    {0x2110, 0x2112, 2}, /* script letters, chancery and roundhand */
    {0x211B, 0x211B, 2},   {0x212C, 0x212C, 2}, {0x2130, 0x2133, 2},
    {0x210B, 0x210B, 2},   {0x2205, 0x2205, 1}, /* mathematics */
    {0x2229, 0x229C, 1},   {0x22DA, 0x22DB, 1}, {0x2A3C, 0x2ACC, 1},
    {0x3001, 0x3002, 2}, /* fullwidth punctuation, in a corner or centred */
    {0xA856, 0xA868, 1}, /* Phags-pa */
    {0xAA60, 0xAA66, 1}, /* Myanmar extended */
    {0xAA6B, 0xAA6C, 1},   {0xAA6F, 0xAA6F, 1}, {0xAA7A, 0xAA7A, 1},
    {0xFF01, 0xFF01, 2},   {0xFF0C, 0xFF0C, 2}, {0xFF0E, 0xFF0E, 2},
    {0xFF10, 0xFF10, 1},   {0xFF1A, 0xFF1B, 2}, {0xFF1F, 0xFF1F, 2},
    {0x10AC5, 0x10AE1, 1}, /* Manichaean */
    {0x13000, 0x143FA, 7}, /* Egyptian: rotations */
    {0x1D49C, 0x1D4B5, 2},
};

static int compare_sequences(const void *a, const void *b)
{
    const EmojiSequence *first = a, *second = b;
    for (size_t i = 0; i < UNICODE_EMOJI_JOINED_MAX; i++) {
        if (first->emoji[i] != second->emoji[i]) return first->emoji[i] < second->emoji[i] ? -1 : 1;
    }
    return 0;
}

static void add_sequence(const EmojiSequence *sequence)
{
    for (size_t i = 0; i < sequence_count; i++) {
        if (compare_sequences(sequence, &sequences[i]) == 0) return;
    }
    if (sequence_count < SEQUENCE_COUNT_MAX) sequences[sequence_count++] = *sequence;
}

/* The pictographs of a sequence as ICU writes it; false: more than UNICODE_EMOJI_JOINED_MAX. */
static bool read_sequence(const UChar *units, int32_t size, EmojiSequence *out)
{
    *out = (EmojiSequence){0};
    size_t count = 0;
    for (int32_t i = 0; i < size;) {
        UChar32 code_point;
        U16_NEXT(units, i, size, code_point);
        if (code_point == UNICODE_ZWJ || code_point == UNICODE_EMOJI_SELECTOR ||
            unicode_is_emoji_modifier((uint32_t)code_point)) {
            continue;
        }
        if (count == UNICODE_EMOJI_JOINED_MAX) return false;
        out->emoji[count++] = (uint32_t)code_point;
    }
    return true;
}

static void make_sequences(void)
{
    for (size_t i = 0; i < sizeof(sequences_added) / sizeof(*sequences_added); i++)
        add_sequence(&sequences_added[i]);
    for (size_t i = 0; i < sizeof(sequences_right) / sizeof(*sequences_right); i++) {
        EmojiSequence sequence = sequences_right[i];
        sequence.emoji[sequence.emoji[1] == 0 ? 1 : 2] = RIGHT_ARROW;
        add_sequence(&sequence);
    }
    UErrorCode error = U_ZERO_ERROR;
    const USet *set = u_getBinaryPropertySet(UCHAR_RGI_EMOJI_ZWJ_SEQUENCE, &error); /* ICU's own, never freed */
    int32_t count = U_SUCCESS(error) ? uset_getItemCount(set) : 0;
    for (int32_t i = 0; i < count; i++) {
        UChar units[SEQUENCE_UNITS_MAX];
        UChar32 first, end;
        error = U_ZERO_ERROR;
        int32_t size = uset_getItem(set, i, &first, &end, units, SEQUENCE_UNITS_MAX, &error);
        EmojiSequence sequence;
        if (U_SUCCESS(error) && size > 1 && read_sequence(units, size, &sequence)) add_sequence(&sequence);
    }
    qsort(sequences, sequence_count, sizeof(*sequences), compare_sequences);
}

bool unicode_is_pictographic(uint32_t code_point)
{
    return u_hasBinaryProperty((UChar32)code_point, UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool unicode_is_emoji_modifier(uint32_t code_point)
{
    return code_point >= 0x1F3FB && code_point <= 0x1F3FF;
}

bool unicode_is_text_emoji(uint32_t code_point)
{
    return u_hasBinaryProperty((UChar32)code_point, UCHAR_EMOJI) &&
           !u_hasBinaryProperty((UChar32)code_point, UCHAR_EMOJI_PRESENTATION);
}

unsigned unicode_emoji_joined(const uint32_t *pictographs, unsigned count)
{
    pthread_once(&sequences_once, make_sequences);
    if (count > UNICODE_EMOJI_JOINED_MAX) count = UNICODE_EMOJI_JOINED_MAX;
    EmojiSequence sequence = {0};
    memcpy(sequence.emoji, pictographs, count * sizeof(*pictographs));
    for (unsigned i = 0; i < count; i++) {
        if (unicode_category(pictographs[i]) == UNICODE_CN) return count;
    }
    for (; count > 1; count--) {
        if (bsearch(&sequence, sequences, sequence_count, sizeof(*sequences), compare_sequences) != NULL)
            return count;
        sequence.emoji[count - 1] = 0;
    }
    return 1;
}

bool unicode_region_has_flag(uint32_t first, uint32_t second)
{
    if (first < 'a' || first > 'z' || second < 'a' || second > 'z') return false;
    UChar units[4];
    int32_t size = 0;
    U16_APPEND_UNSAFE(units, size, REGIONAL_INDICATOR_A + (UChar32)(first - 'a'));
    U16_APPEND_UNSAFE(units, size, REGIONAL_INDICATOR_A + (UChar32)(second - 'a'));
    return u_stringHasBinaryProperty(units, size, UCHAR_RGI_EMOJI_FLAG_SEQUENCE);
}

static int compare_ideographs(const void *a, const void *b)
{
    const IdeographForms *first = a, *second = b;
    return (first->base > second->base) - (first->base < second->base);
}

/* A compatibility ideograph stands for a selector on what it decomposes to, in the order of their code points. */
static void make_ideographs(void)
{
    static const uint32_t ranges[][2] = {{0xF900, 0xFAFF}, {0x2F800, 0x2FA1F}};
    for (size_t range = 0; range < 2; range++) {
        for (uint32_t at = ranges[range][0]; at <= ranges[range][1]; at++) {
            uint32_t parts[UNICODE_DECOMPOSITION_MAX];
            if (unicode_decompose(at, false, parts) != 1 || parts[0] == at) continue;
            if (ideograph_count < IDEOGRAPH_COUNT_MAX) ideographs[ideograph_count++].base = parts[0];
        }
    }
    qsort(ideographs, ideograph_count, sizeof(*ideographs), compare_ideographs);
    size_t kept = 0;
    for (size_t i = 0; i < ideograph_count; i++) {
        if (kept == 0 || ideographs[kept - 1].base != ideographs[i].base) ideographs[kept++] = ideographs[i];
        ideographs[kept - 1].count++;
    }
    ideograph_count = kept;
}

bool unicode_is_selector(uint32_t code_point)
{
    return (code_point >= SELECTOR_FIRST && code_point <= SELECTOR_LAST) ||
           (code_point >= IDEOGRAPH_SELECTOR_FIRST && code_point <= IDEOGRAPH_SELECTOR_LAST) ||
           (code_point >= MONGOLIAN_SELECTOR_FIRST && code_point <= MONGOLIAN_SELECTOR_LAST) ||
           code_point == MONGOLIAN_SELECTOR_FOURTH;
}

/* 0: it is not in the list. */
static unsigned ideograph_count_of(const IdeographForms *list, size_t size, uint32_t base)
{
    const IdeographForms key = {.base = base};
    const IdeographForms *found = bsearch(&key, list, size, sizeof *list, compare_ideographs);
    return found ? found->count : 0;
}

/* ideographs.def's character for an ideograph of its rows; NUL: it is of none. */
static char ideograph_digit(uint32_t base)
{
#define ROW(digits) digits,
#define USUAL(base, count)
#define FORMS(base, count)
    static const char rows[][IDEOGRAPH_ROW_SIZE + 1] = {
#include "unicode/ideographs.def"
    };
#undef ROW
#undef USUAL
#undef FORMS
    const uint32_t at = base - IDEOGRAPH_ROW_FIRST;
    if (base < IDEOGRAPH_ROW_FIRST || at / IDEOGRAPH_ROW_SIZE >= sizeof rows / sizeof rows[0]) return '\0';
    return rows[at / IDEOGRAPH_ROW_SIZE][at % IDEOGRAPH_ROW_SIZE];
}

unsigned unicode_ideograph_forms(uint32_t base)
{
#define ROW(digits)
#define USUAL(base, count)
#define FORMS(base, count) {base, count},
    static const IdeographForms others[] = {
#include "unicode/ideographs.def"
    };
#undef ROW
#undef USUAL
#undef FORMS
    char digit = ideograph_digit(base);
    if (digit >= 'a') return (unsigned)(digit - 'a' + 10);
    if (digit >= 'A') return digit == 'Z' ? 32 : (unsigned)(digit - 'A' + 2);
    if (digit) return (unsigned)(digit - '0');
    return ideograph_count_of(others, sizeof others / sizeof others[0], base);
}

unsigned unicode_usual_forms(uint32_t base)
{
#define ROW(digits)
#define USUAL(base, count) {base, count},
#define FORMS(base, count)
    static const IdeographForms many[] = {
#include "unicode/ideographs.def"
    };
#undef ROW
#undef USUAL
#undef FORMS
    char digit = ideograph_digit(base);
    if (!digit) return unicode_ideograph_forms(base);
    if (digit < 'A' || digit > 'Z') return 0;
    unsigned count = ideograph_count_of(many, sizeof many / sizeof many[0], base);
    return count ? count : 2;
}

/* What an emoji is drawn as: pictographs, and what stands beside them in their blocks and is drawn like them. */
static bool takes_emoji_selector(uint32_t base)
{
    static const uint32_t blocks[][2] = {{0x2190, 0x21FF}, {0x2300, 0x23FF}, {0x25A0, 0x27BF},
                                         {0x2900, 0x297F}, {0x2B00, 0x2BFF}, {0x1F000, 0x1FAFF}};
    if (unicode_is_pictographic(base) || u_hasBinaryProperty((UChar32)base, UCHAR_EMOJI)) return true;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (base >= blocks[i][0] && base <= blocks[i][1]) return unicode_category(base) == UNICODE_SO;
    }
    return false;
}

static bool takes_standard_selector(uint32_t base, uint32_t number)
{
    for (size_t i = 0; i < sizeof(selector_ranges) / sizeof(*selector_ranges); i++) {
        if (base >= selector_ranges[i].first && base <= selector_ranges[i].last) {
            return number < selector_ranges[i].count;
        }
    }
    if (number >= IDEOGRAPH_SELECTORS_MAX) return false;
    pthread_once(&ideographs_once, make_ideographs);
    return number < ideograph_count_of(ideographs, ideograph_count, base);
}

bool unicode_takes_selector(uint32_t base, uint32_t selector)
{
    if (base < 0x80) return false;
    if (selector == UNICODE_TEXT_SELECTOR || selector == UNICODE_EMOJI_SELECTOR) {
        return takes_emoji_selector(base);
    }
    if (selector >= SELECTOR_FIRST && selector <= SELECTOR_LAST) {
        return takes_standard_selector(base, selector - SELECTOR_FIRST);
    }
    if (selector >= IDEOGRAPH_SELECTOR_FIRST) {
        unsigned forms = unicode_ideograph_forms(base);
        return forms > 1 && selector - IDEOGRAPH_SELECTOR_FIRST < forms;
    }
    return unicode_script(base) == USCRIPT_MONGOLIAN && (unicode_category(base) & UNICODE_LO) != 0;
}
