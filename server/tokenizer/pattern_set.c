/* PCRE2's categories, completed to Unicode 16.0 by pattern_class.def; White_Space and \w range by range. */
#include "tokenizer/pattern_set.h"

#include "unicode/property.h"

#include <stdio.h>
#include <stdlib.h>

enum { SET_TEXT_CAPACITY_MIN = 256 };

typedef struct SetRange {
    uint32_t first;
    uint32_t last;
} SetRange;

static const SetRange SPACES[] = {{0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                  {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                  {0x205F, 0x205F}, {0x3000, 0x3000}};

/* What \w holds beyond letters, marks, decimal digits, letter numbers and Pc: the other numbers of Latin-1, and
 * symbols that are alphabetic. */
static const SetRange WORDS[] = {{0xB2, 0xB3},       {0xB9, 0xB9},       {0xBC, 0xBE},      {0x24B6, 0x24E9},
                                 {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

#define WORD_CATEGORIES \
    (UNICODE_LU | UNICODE_LL | UNICODE_LT | UNICODE_LM | UNICODE_LO | UNICODE_M | UNICODE_ND | UNICODE_NL | \
     UNICODE_PC)

static const struct {
    const char *name;
    unsigned categories;
} CATEGORIES[] = {
    {"L", UNICODE_LU | UNICODE_LL | UNICODE_LT | UNICODE_LM | UNICODE_LO},
    {"M", UNICODE_M},
    {"N", UNICODE_ND | UNICODE_NL | UNICODE_NO},
    {"P", UNICODE_P},
    {"S", UNICODE_SM | UNICODE_SC | UNICODE_SK | UNICODE_SO},
    {"Z", UNICODE_ZS | UNICODE_ZL | UNICODE_ZP},
    {"Lu", UNICODE_LU},
    {"Ll", UNICODE_LL},
    {"Lt", UNICODE_LT},
    {"Lm", UNICODE_LM},
    {"Lo", UNICODE_LO},
    {"Mn", UNICODE_MN},
    {"Mc", UNICODE_MC},
    {"Me", UNICODE_ME},
    {"Nd", UNICODE_ND},
    {"Nl", UNICODE_NL},
    {"No", UNICODE_NO},
    {"Pc", UNICODE_PC},
    {"Pd", UNICODE_PD},
    {"Ps", UNICODE_PS},
    {"Pe", UNICODE_PE},
    {"Pi", UNICODE_PI},
    {"Pf", UNICODE_PF},
    {"Po", UNICODE_PO},
    {"Sm", UNICODE_SM},
    {"Sc", UNICODE_SC},
    {"Sk", UNICODE_SK},
    {"So", UNICODE_SO},
    {"Zs", UNICODE_ZS},
    {"Zl", UNICODE_ZL},
    {"Zp", UNICODE_ZP},
    {"Cc", UNICODE_CC},
    {"Cf", UNICODE_CF},
};

enum { CATEGORY_COUNT = sizeof CATEGORIES / sizeof CATEGORIES[0] };

void pattern_set_put(PatternSetText *out, const char *text)
{
    size_t size = strlen(text);
    if (out->capacity - out->size <= size) {
        size_t capacity = out->capacity + out->capacity / 2 + size + SET_TEXT_CAPACITY_MIN;
        char *grown = out->failed ? NULL : realloc(out->text, capacity);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->text = grown;
        out->capacity = capacity;
    }
    memcpy(out->text + out->size, text, size + 1);
    out->size += size;
}

void pattern_set_put_interval(PatternSetText *out, uint32_t count_min, uint32_t count_max)
{
    char text[32];
    if (count_max == UINT32_MAX)
        snprintf(text, sizeof text, "{%u,}", count_min);
    else
        snprintf(text, sizeof text, "{%u,%u}", count_min, count_max);
    pattern_set_put(out, text);
}

void pattern_set_write_range(PatternSetText *out, uint32_t first, uint32_t last)
{
    char text[32];
    if (first == last)
        snprintf(text, sizeof text, "\\x{%X}", first);
    else
        snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", first, last);
    pattern_set_put(out, text);
}

PatternSet pattern_set_letter(char letter)
{
    switch (letter) {
    case 's':
        return (PatternSet){.space = true};
    case 'd':
        return (PatternSet){.categories = UNICODE_ND};
    case 'w':
        return (PatternSet){.word = true, .categories = WORD_CATEGORIES};
    default:
        return (PatternSet){.hexadecimal = true};
    }
}

/* Oniguruma's names ignore case, spaces, hyphens and underscores. */
static bool set_name_equal(TextView name, const char *known)
{
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.bytes[i];
        if (byte == ' ' || byte == '-' || byte == '_') continue;
        if (*known == '\0' || ((byte ^ *known) & ~0x20) != 0) return false;
        known++;
    }
    return *known == '\0';
}

static const char *set_script(TextView name)
{
    static const char *const NAMES[] = {
#define NEWER(category, first, last)
#define SCRIPT(name, first, last) name,
#include "tokenizer/pattern_class.def"
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (set_name_equal(name, NAMES[i])) return NAMES[i];
    }
    return NULL;
}

/* Names that \p{...} and [:...:] share. */
static bool set_common(TextView name, PatternSet *out_set)
{
    *out_set = (PatternSet){0};
    if (set_name_equal(name, "space"))
        out_set->space = true;
    else if (set_name_equal(name, "word"))
        *out_set = pattern_set_letter('w');
    else if (set_name_equal(name, "digit"))
        *out_set = pattern_set_letter('d');
    else if (set_name_equal(name, "xdigit"))
        *out_set = pattern_set_letter('h');
    else if (set_name_equal(name, "punct"))
        out_set->categories = UNICODE_P | UNICODE_SM | UNICODE_SC | UNICODE_SK | UNICODE_SO;
    else
        return false;
    return true;
}

bool pattern_set_named(TextView name, PatternSet *out_set)
{
    static const char *const LONG_NAMES[][2] = {{"Letter", "L"}, {"Mark", "M"},      {"Number", "N"},
                                                {"Symbol", "S"}, {"Separator", "Z"}, {"Punctuation", "P"}};
    for (size_t i = 0; i < sizeof LONG_NAMES / sizeof LONG_NAMES[0]; i++) {
        if (set_name_equal(name, LONG_NAMES[i][0])) name = text_view(LONG_NAMES[i][1]);
    }
    *out_set = (PatternSet){0};
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        if (set_name_equal(name, CATEGORIES[i].name)) {
            out_set->categories = CATEGORIES[i].categories;
            return true;
        }
    }
    out_set->script = set_script(name);
    return out_set->script || set_common(name, out_set);
}

size_t pattern_set_bracketed(TextView text, PatternSet *out_set)
{
    if (text.size < 4 || memcmp(text.bytes, "[:", 2) != 0) return 0;
    const char *name = text.bytes + 2, *end = text.bytes + text.size;
    const char *close = memchr(name, ':', (size_t)(end - name));
    if (!close || close + 1 == end || close[1] != ']') return 0;
    if (!set_common((TextView){name, (size_t)(close - name)}, out_set)) return 0;
    return (size_t)(close + 2 - text.bytes);
}

bool pattern_set_cased(const PatternSet *set)
{
    unsigned cases = set->categories & (UNICODE_LU | UNICODE_LL | UNICODE_LT);
    return cases != 0 && cases != (UNICODE_LU | UNICODE_LL | UNICODE_LT);
}

static void set_write_ranges(PatternSetText *out, const SetRange *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) pattern_set_write_range(out, ranges[i].first, ranges[i].last);
}

static void set_write_categories(PatternSetText *out, unsigned categories)
{
    unsigned left = categories;
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        if ((left & CATEGORIES[i].categories) != CATEGORIES[i].categories) continue;
        char text[16];
        snprintf(text, sizeof text, "\\p{%s}", CATEGORIES[i].name);
        pattern_set_put(out, text);
        left &= ~CATEGORIES[i].categories;
        if (left == 0) break;
    }
#define NEWER(category, first, last) \
    if (categories & (category)) pattern_set_write_range(out, first, last);
#define SCRIPT(name, first, last)
#include "tokenizer/pattern_class.def"
}

static void set_write_script(PatternSetText *out, const char *script)
{
#define NEWER(category, first, last)
#define SCRIPT(name, first, last) \
    if (strcmp(script, name) == 0) pattern_set_write_range(out, first, last);
#include "tokenizer/pattern_class.def"
}

void pattern_set_write(PatternSetText *out, const PatternSet *set)
{
    if (set->space) set_write_ranges(out, SPACES, sizeof SPACES / sizeof SPACES[0]);
    if (set->word) set_write_ranges(out, WORDS, sizeof WORDS / sizeof WORDS[0]);
    if (set->hexadecimal) pattern_set_put(out, "0-9A-Fa-f");
    if (set->categories) set_write_categories(out, set->categories);
    if (set->script) set_write_script(out, set->script);
}

bool pattern_set_write_others(PatternSetText *out, const PatternSet *set)
{
    if (!set->space) return false;
    uint32_t next = 0;
    for (size_t i = 0; i < sizeof SPACES / sizeof SPACES[0]; i++) {
        if (next < SPACES[i].first) pattern_set_write_range(out, next, SPACES[i].first - 1);
        next = SPACES[i].last + 1;
    }
    pattern_set_write_range(out, next, 0xD7FF);
    pattern_set_write_range(out, 0xE000, 0x10FFFF);
    return true;
}
