/* The library's view of characters: ICU's answers, cut off by age, and the differences of characters.def. */
#include "tokenizer/characters.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define CATEGORIES_VERSION UNICODE_VERSION(8, 0)
#define DECOMPOSITION_VERSION UNICODE_VERSION(9, 0)
#define SCRIPT_VERSION UNICODE_VERSION(9, 0)
#define LOWERCASE_VERSION UNICODE_VERSION(17, 0)
#define NUMERIC_VERSION UNICODE_VERSION(17, 0)
#define WORD_VERSION UNICODE_VERSION(16, 0)

typedef struct CharacterRange {
    uint32_t first;
    uint32_t last;
    int32_t difference;
} CharacterRange;

static const CharacterRange LOWERCASE_NEWER[] = {
#define CATEGORY(code_point, category)
#define LOWERCASE(first, last, difference) {first, last, difference},
#define WORD(first, last)
#define NUMERIC(first, last)
#include "tokenizer/characters.def"
};

static const CharacterRange WORD_NEWER[] = {
#define CATEGORY(code_point, category)
#define LOWERCASE(first, last, difference)
#define WORD(first, last) {first, last, 0},
#define NUMERIC(first, last)
#include "tokenizer/characters.def"
};

static const CharacterRange NUMERIC_NEWER[] = {
#define CATEGORY(code_point, category)
#define LOWERCASE(first, last, difference)
#define WORD(first, last)
#define NUMERIC(first, last) {first, last, 0},
#include "tokenizer/characters.def"
};

static const CharacterRange *characters_find(const CharacterRange *ranges, size_t count, uint32_t code_point)
{
    for (size_t i = 0; i < count; i++) {
        if (code_point >= ranges[i].first && code_point <= ranges[i].last) return &ranges[i];
    }
    return NULL;
}

/* The general category that Unicode 8.0 gave; UNICODE_CN for what came later. */
static unsigned characters_category(uint32_t code_point)
{
    switch (code_point) {
#define CATEGORY(code_point, category) \
    case code_point: \
        return category;
#define LOWERCASE(first, last, difference)
#define WORD(first, last)
#define NUMERIC(first, last)
#include "tokenizer/characters.def"
    default:
        break;
    }
    return unicode_age(code_point) <= CATEGORIES_VERSION ? unicode_category(code_point) : UNICODE_CN;
}

static bool characters_is_control(uint32_t code_point)
{
    if (code_point == '\t' || code_point == '\n' || code_point == '\r') return false;
    if (code_point == 0xFFFD) return true;
    return (characters_category(code_point) & (UNICODE_CC | UNICODE_CF | UNICODE_CO)) != 0;
}

/* The library's blocks of ideographs; its last but two starts at U+2B920 where Unicode's starts at U+2B820. */
static bool characters_is_chinese(uint32_t code_point)
{
    return (code_point >= 0x4E00 && code_point <= 0x9FFF) || (code_point >= 0x3400 && code_point <= 0x4DBF) ||
           (code_point >= 0x20000 && code_point <= 0x2A6DF) || (code_point >= 0x2A700 && code_point <= 0x2B81F) ||
           (code_point >= 0x2B920 && code_point <= 0x2CEAF) || (code_point >= 0xF900 && code_point <= 0xFAFF) ||
           (code_point >= 0x2F800 && code_point <= 0x2FA1F);
}

static bool characters_is_punctuation(uint32_t code_point)
{
    unsigned kinds = code_point < 0x80 ? UNICODE_P | UNICODE_SM | UNICODE_SC | UNICODE_SK : UNICODE_P;
    return (characters_category(code_point) & kinds) != 0;
}

/* \w; what is newer than ICU is in the list. */
static bool characters_is_word(uint32_t code_point)
{
    unsigned age = unicode_age(code_point);
    if (age != 0) return age <= WORD_VERSION && unicode_is_word(code_point);
    return characters_find(WORD_NEWER, sizeof WORD_NEWER / sizeof WORD_NEWER[0], code_point) != NULL;
}

static bool characters_is_numeric(uint32_t code_point)
{
    unsigned age = unicode_age(code_point);
    if (age != 0) return age <= NUMERIC_VERSION && (unicode_category(code_point) & UNICODE_N) != 0;
    return characters_find(NUMERIC_NEWER, sizeof NUMERIC_NEWER / sizeof NUMERIC_NEWER[0], code_point) != NULL;
}

/* Two signs were marks in Unicode 9.0 and are letters now; one was punctuation. */
static bool characters_is_any_mark(uint32_t code_point)
{
    if (code_point == 0x1CF2 || code_point == 0x1CF3) return true;
    return code_point != 0x111C9 && unicode_age(code_point) <= DECOMPOSITION_VERSION &&
           (unicode_category(code_point) & UNICODE_M) != 0;
}

/* The flags that Unicode's normalization forms ask for. */
static unsigned characters_ask_forms(uint32_t code_point)
{
    uint32_t parts[UNICODE_DECOMPOSITION_MAX], others[UNICODE_DECOMPOSITION_MAX];
    unsigned flags = 0, count = characters_decompose(code_point, false, parts);
    if (count > 1 || parts[0] != code_point) flags |= CHARACTER_DECOMPOSES;
    unsigned other_count = characters_decompose(code_point, true, others);
    if (other_count != count || memcmp(parts, others, count * sizeof parts[0]) != 0) flags |= CHARACTER_COMPATIBLE;
    if (characters_combining_class(code_point)) flags |= CHARACTER_COMBINES;
    if (unicode_may_compose(code_point)) flags |= CHARACTER_MAY_COMPOSE;
    uint32_t composed = parts[0];
    for (unsigned i = 1; i < count && composed; i++) composed = characters_compose(composed, parts[i]);
    if (composed != code_point) flags |= CHARACTER_NFC_CHANGES;
    return flags;
}

static unsigned characters_ask(uint32_t code_point)
{
    uint32_t lower[UNICODE_LOWERCASE_MAX];
    unsigned flags = CHARACTER_KNOWN | characters_ask_forms(code_point);
    if (characters_is_control(code_point)) flags |= CHARACTER_CONTROL;
    if (unicode_is_white_space(code_point)) flags |= CHARACTER_WHITE_SPACE;
    if (characters_is_chinese(code_point)) flags |= CHARACTER_CHINESE;
    if (characters_is_punctuation(code_point)) flags |= CHARACTER_PUNCTUATION;
    if (characters_category(code_point) == UNICODE_MN) flags |= CHARACTER_MARK;
    if (characters_lowercase(code_point, lower) > 1 || lower[0] != code_point) flags |= CHARACTER_CAPITAL;
    if (characters_is_numeric(code_point)) flags |= CHARACTER_NUMERIC;
    if (characters_is_word(code_point)) flags |= CHARACTER_WORD;
    if (characters_is_any_mark(code_point)) flags |= CHARACTER_ANY_MARK;
    return flags;
}

unsigned characters_flags(uint32_t code_point)
{
    /* Shared by all threads: whoever comes first writes, and all write the same. Only pages that are used exist.
     */
    static _Atomic uint16_t cache[0x110000];
    assert(code_point < 0x110000);
    unsigned flags = atomic_load_explicit(&cache[code_point], memory_order_relaxed);
    if (!flags) {
        flags = characters_ask(code_point);
        atomic_store_explicit(&cache[code_point], (uint16_t)flags, memory_order_relaxed);
    }
    return flags;
}

uint8_t characters_combining_class(uint32_t code_point)
{
    if (code_point < 0x300) return 0;
    uint8_t combining_class = unicode_combining_class(code_point);
    return combining_class && unicode_age(code_point) <= DECOMPOSITION_VERSION ? combining_class : 0;
}

unsigned characters_decompose(uint32_t code_point, bool compatible,
                              uint32_t out_code_points[UNICODE_DECOMPOSITION_MAX])
{
    unsigned count = unicode_decompose(code_point, compatible, out_code_points);
    bool changed = count > 1 || out_code_points[0] != code_point;
    if (!changed || unicode_age(code_point) <= DECOMPOSITION_VERSION) return count;
    out_code_points[0] = code_point;
    return 1;
}

uint32_t characters_compose(uint32_t first, uint32_t second)
{
    uint32_t both = unicode_compose(first, second);
    return both && unicode_age(both) <= DECOMPOSITION_VERSION ? both : 0;
}

unsigned characters_lowercase(uint32_t code_point, uint32_t out_code_points[UNICODE_LOWERCASE_MAX])
{
    unsigned count = unicode_lowercase(code_point, out_code_points);
    if (count > 1) return count;
    if (out_code_points[0] != code_point) {
        if (unicode_age(code_point) > LOWERCASE_VERSION) out_code_points[0] = code_point;
    } else if (code_point >= LOWERCASE_NEWER[0].first) {
        const CharacterRange *newer =
            characters_find(LOWERCASE_NEWER, sizeof LOWERCASE_NEWER / sizeof LOWERCASE_NEWER[0], code_point);
        if (newer) out_code_points[0] = (uint32_t)((int32_t)code_point + newer->difference);
    }
    return 1;
}

unsigned characters_script(uint32_t code_point)
{
    static const uint32_t han = 0x4E00, common = '0', devanagari = 0x905, hiragana = 0x3042, katakana = 0x30A2;
    if (code_point == ' ') return CHARACTERS_SCRIPT_ANY;
    if (code_point == 0x589 || code_point == 0x61C) return unicode_script(common);
    if (code_point == 0x953 || code_point == 0x954) return unicode_script(devanagari);
    if (code_point == 0x30FC) return unicode_script(han);
    if (unicode_age(code_point) > SCRIPT_VERSION) return CHARACTERS_SCRIPT_ANY;
    unsigned script = unicode_script(code_point);
    bool kana = script == unicode_script(hiragana) || script == unicode_script(katakana);
    return kana ? unicode_script(han) : script;
}
