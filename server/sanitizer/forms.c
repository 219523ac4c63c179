#include "sanitizer/forms.h"

#include "sanitizer/confusables.h"
#include "unicode/property.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct FormRange {
    uint32_t first, last;
    FormKind kind;
} FormRange;

/* Blocks whose letters decompose by compatibility, by code point. */
static const FormRange RANGES[] = {
    {0x2B0, 0x2B8, FORM_RAISED},     {0x2E1, 0x2E3, FORM_RAISED},       {0x1D2C, 0x1D6A, FORM_RAISED},
    {0x1D9B, 0x1DBF, FORM_RAISED},   {0x2071, 0x209C, FORM_RAISED},     {0x2102, 0x2149, FORM_MATH},
    {0x2160, 0x217F, FORM_ROMAN},    {0x249C, 0x24E9, FORM_ENCLOSED},   {0x2C7C, 0x2C7D, FORM_RAISED},
    {0xFB00, 0xFB06, FORM_LIGATURE}, {0xFF10, 0xFF5A, FORM_WIDE},       {0x1CCD6, 0x1CCF9, FORM_MATH},
    {0x1D400, 0x1D7FF, FORM_MATH},   {0x1F110, 0x1F12B, FORM_ENCLOSED}, {0x1F130, 0x1F149, FORM_ENCLOSED},
    {0x1FBF0, 0x1FBF9, FORM_MATH},
};

/* White on black: pictures without a decomposition. */
static const FormRange NEGATIVE[] = {{0x1F150, 0x1F169, FORM_ENCLOSED}, {0x1F170, 0x1F189, FORM_ENCLOSED}};

/* By letter; Latin has no small Q and X. */
static const uint16_t SMALL_CAPS[26] = {
    0x1D00, 0x299,  0x1D04, 0x1D05, 0x1D07, 0xA730, 0x262,  0x29C,  0x26A,  0x1D0A, 0x1D0B, 0x29F, 0x1D0D,
    0x274,  0x1D0F, 0x1D18, 0xA7AF, 0x280,  0xA731, 0x1D1B, 0x1D1C, 0x1D20, 0x1D21, 0,      0x28F, 0x1D22,
};

static bool forms_is_letter(uint32_t code_point)
{
    return (unicode_category(code_point) & (UNICODE_LU | UNICODE_LL | UNICODE_LO | UNICODE_ND)) != 0;
}

/* The letters and digits of a decomposition, without what encloses them; 0: there are none, or others beside them. */
static unsigned forms_decompose(uint32_t code_point, uint32_t out_letters[FORM_LETTERS_MAX])
{
    uint32_t parts[UNICODE_DECOMPOSITION_MAX];
    unsigned count = 0, size = unicode_decompose(code_point, false, parts);
    if (size != 1 || parts[0] != code_point) return 0; /* the same letter by another number */
    size = unicode_decompose(code_point, true, parts);
    for (unsigned i = 0; i < size; i++) {
        if (parts[i] == '(' || parts[i] == ')') continue;
        if (count == FORM_LETTERS_MAX || !forms_is_letter(parts[i]) || parts[i] == code_point) return 0;
        out_letters[count++] = parts[i];
    }
    return count;
}

static FormKind forms_decomposed(uint32_t code_point, uint32_t out_letters[FORM_LETTERS_MAX], unsigned *out_count)
{
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0] && RANGES[i].first <= code_point; i++) {
        if (code_point > RANGES[i].last) continue;
        *out_count = forms_decompose(code_point, out_letters);
        /* A word in one sign, like No, Tel and TM, is no form of a letter. */
        bool is_one = *out_count == 1 || RANGES[i].kind == FORM_ROMAN || RANGES[i].kind == FORM_LIGATURE;
        return *out_count && is_one ? RANGES[i].kind : FORM_NONE;
    }
    return FORM_NONE;
}

static FormKind forms_ask(uint32_t code_point, uint32_t out_letters[FORM_LETTERS_MAX], unsigned *out_count)
{
    if (code_point < 0x80) return FORM_NONE;
    for (size_t i = 0; i < sizeof NEGATIVE / sizeof NEGATIVE[0]; i++) {
        if (code_point < NEGATIVE[i].first || code_point > NEGATIVE[i].last) continue;
        *out_count = 1;
        out_letters[0] = 'A' + code_point - NEGATIVE[i].first;
        return FORM_ENCLOSED;
    }
    FormKind kind = forms_decomposed(code_point, out_letters, out_count);
    if (kind || unicode_script(code_point) != unicode_script('a')) return kind;
    *out_count = 1;
    for (unsigned i = 0; i < 26; i++) {
        if (SMALL_CAPS[i] != code_point) continue;
        out_letters[0] = 'a' + i;
        return FORM_SMALL_CAP;
    }
    const Confusable *row = confusables_find(code_point);
    if (!row || !row->targets[SCRIPT_LATIN] || row->loose & 1 << SCRIPT_LATIN) return FORM_NONE;
    out_letters[0] = row->targets[SCRIPT_LATIN];
    return FORM_PHONETIC;
}

/* Every form there is, so that ICU is asked once for each. */
enum { FORM_LAST = 0x1FBF9, FORM_COUNT_MAX = 4096 };

static Form forms[FORM_COUNT_MAX];           /* [0] is none */
static uint16_t form_indices[FORM_LAST + 1]; /* by code point */
static pthread_once_t forms_once = PTHREAD_ONCE_INIT;

static void forms_fill(void)
{
    uint32_t form_count = 1;
    for (uint32_t code_point = 0; code_point <= FORM_LAST; code_point++) {
        Form form;
        unsigned count = 0;
        form.kind = (uint8_t)forms_ask(code_point, form.letters, &count);
        form.count = (uint8_t)count;
        if (form.kind == FORM_NONE) continue;
        assert(form_count < FORM_COUNT_MAX);
        form_indices[code_point] = (uint16_t)form_count;
        forms[form_count++] = form;
    }
}

const Form *forms_find(uint32_t code_point)
{
    int failed = pthread_once(&forms_once, forms_fill);
    assert(!failed);
    return &forms[code_point <= FORM_LAST ? form_indices[code_point] : 0];
}
