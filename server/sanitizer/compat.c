/* Compatible forms of letters: fullwidth, mathematical, enclosed, small capitals. What makes a form hostile is that it
 * spells words: alone it is a variable, a mark or a numeral, and honest. */
#include "sanitizer/forms.h"
#include "sanitizer/words.h"

#include "unicode/property.h"
#include "unicode/utf8.h"

/* So many letters of one form in a row are a word, and behind a function's name what it is of. */
enum { FORM_WORD_LETTERS = 3, FORM_VARIABLES_MAX = 2 };

/* A run of items that are forms, or plain letters, marks and digits of Latin. */
typedef struct FormRun {
    uint32_t begin, end;
    uint32_t plain;                    /* Latin letters in no form */
    uint32_t upright;                  /* mathematical letters that no formula has: sans-serif, monospace */
    uint32_t strange;                  /* plain ones that only phonetics or other orthographies write */
    uint32_t letters[FORM_KIND_COUNT]; /* letters, not digits */
    uint32_t forms[FORM_KIND_COUNT];   /* letters and digits */
} FormRun;

static bool compat_is_plain(const Item *item)
{
    return (item->classes & (CLASS_LATIN | CLASS_MARK)) != 0 ||
           (item->code_point >= '0' && item->code_point <= '9');
}

static unsigned compat_classes(const SanitizeRun *run, uint32_t index)
{
    return index < run->count ? run->items[index].classes : 0;
}

/* Whether an item is shown as a picture: its selector says so, or it is one of the six emoji that are forms of letters
 * and stands at an end of a word of plain letters, or alone. */
static bool compat_is_picture(const SanitizeRun *run, uint32_t index)
{
    if (index + 1 < run->count && run->items[index + 1].code_point == 0xFE0F) return true;
    unsigned before = index > 0 ? compat_classes(run, index - 1) : 0;
    unsigned after = compat_classes(run, index + 1);
    if ((before | after) & CLASS_COMPAT || before & after & CLASS_LATIN) return false;
    switch (run->items[index].code_point) {
    case 0x2139:  /* i */
    case 0x24C2:  /* M */
    case 0x1F170: /* A */
    case 0x1F171: /* B */
    case 0x1F17E: /* O */
    case 0x1F17F: /* P */
        return true;
    default:
        return false;
    }
}

/* The form of each item; a letter that is shown as a picture is none. NULL: none is any, or no memory. */
static const Form *const *compat_forms(SanitizeRun *run)
{
    const Form *none = forms_find(0);
    const Form **forms = run_scratch(run, run->count * sizeof *forms);
    bool any = false;
    for (uint32_t i = 0; forms && i < run->count; i++) {
        forms[i] = none;
        if (!(run->items[i].classes & CLASS_COMPAT) || compat_is_picture(run, i)) continue;
        forms[i] = forms_find(run->items[i].code_point);
        any = any || forms[i] != none;
    }
    return any ? forms : NULL;
}

/* Letters that words of Latin orthographies have and transcriptions have not: ASCII's, with marks or without, and some
 * of Polish, Vietnamese, German and Turkish. */
static bool compat_is_usual(uint32_t code_point)
{
    switch (code_point) {
    case 0xDF:  /* sharp s */
    case 0x110: /* d with a stroke */
    case 0x111:
    case 0x131: /* dotless i */
    case 0x141: /* l with a stroke */
    case 0x142:
        return true;
    default:
        break;
    }
    uint32_t parts[UNICODE_DECOMPOSITION_MAX] = {code_point};
    if (code_point >= 0x80) unicode_decompose(code_point, false, parts);
    return parts[0] < 0x80;
}

static void compat_count(FormRun *found, const Item *item, const Form *form)
{
    if (form->kind) {
        found->forms[form->kind]++;
        found->letters[form->kind] += form->letters[0] >= 'A';
        found->upright += item->code_point >= 0x1D5A0 && item->code_point <= 0x1D6A3;
    } else if (item->classes & CLASS_LATIN) {
        found->plain++;
        found->strange += !compat_is_usual(item->code_point);
    }
}

/* An apostrophe with a letter or a form behind it. */
static bool compat_joins(const SanitizeRun *run, uint32_t index)
{
    uint32_t code_point = run->items[index].code_point;
    if ((code_point != '\'' && code_point != 0x2019) || index + 1 == run->count) return false;
    return (run->items[index + 1].classes & (CLASS_LATIN | CLASS_COMPAT)) != 0;
}

/* The next run of items from `at` on that has a form. */
static bool compat_next(const SanitizeRun *run, const Form *const *forms, uint32_t at, FormRun *out)
{
    while (at < run->count) {
        *out = (FormRun){.begin = at};
        bool has_form = false;
        for (; at < run->count; at++) {
            const Form *form = forms[at];
            bool joins =
                form->kind || compat_is_plain(&run->items[at]) || (at > out->begin && compat_joins(run, at));
            if (!joins) break;
            has_form |= form->kind != FORM_NONE;
            compat_count(out, &run->items[at], form);
        }
        out->end = at++;
        if (has_form) return true;
    }
    return false;
}

/* Whether a slash beside a run at `slash` parts names of a path or alternatives: a letter or digit is on its other
 * side, at `outer`. */
static bool compat_parts_names(const SanitizeRun *run, uint32_t slash, uint32_t outer)
{
    return run->items[slash].code_point == '/' && outer < run->count && (run->items[outer].classes & CLASS_WORD);
}

/* Whether signs of phonetics stand around the run: slashes, brackets, length and stress marks. */
static bool compat_is_transcription(const SanitizeRun *run, const FormRun *found)
{
    const unsigned modifiers = UNICODE_LM | UNICODE_SK;
    bool first = found->begin == 0, last = found->end == run->count;
    if (found->strange) return true;
    if (!first && compat_parts_names(run, found->begin - 1, found->begin - 2)) return false;
    if (!last && compat_parts_names(run, found->end, found->end + 1)) return false;
    uint32_t before = first ? ' ' : run->items[found->begin - 1].code_point;
    uint32_t after = last ? ' ' : run->items[found->end].code_point;
    return before == '/' || before == '[' || after == '/' || after == ']' ||
           (unicode_category(before) & modifiers) != 0 || (unicode_category(after) & modifiers) != 0;
}

/* Whether the run is a variable or two behind the name of their function or a differential's d: sin x. */
static bool compat_is_function(const SanitizeRun *run, const FormRun *found)
{
    uint32_t behind = found->begin + found->plain;
    if (found->end - behind > FORM_VARIABLES_MAX) return false;
    return words_is_function(run, found->begin, behind) ||
           (found->plain == 1 && run->items[found->begin].code_point == 'd');
}

/* Whether letters of another script stand right beside the run: then it is a word that homoglyph.c repairs. */
static bool compat_is_part(const SanitizeRun *run, const FormRun *found)
{
    const unsigned others = CLASS_GREEK | CLASS_CYRILLIC | CLASS_OTHER_SCRIPT;
    unsigned before = found->begin ? run->items[found->begin - 1].classes : 0;
    unsigned after = found->end < run->count ? run->items[found->end].classes : 0;
    return ((before | after) & others) != 0;
}

/* Whether the forms of that kind in a run spell a word. */
static bool compat_spells(const SanitizeRun *run, const FormRun *found, FormKind kind, bool ideographic)
{
    uint32_t letters = found->letters[kind], plain = found->plain;
    if (!found->forms[kind]) return false;
    switch (kind) {
    case FORM_WIDE:
        return (letters && plain) || (letters > 1 && !ideographic);
    case FORM_MATH:
        if (plain && compat_is_function(run, found)) return false;
        return letters + plain >= (found->upright ? 2 : FORM_WORD_LETTERS);
    case FORM_ENCLOSED:
        return letters >= FORM_WORD_LETTERS || (letters && plain > 1);
    case FORM_SMALL_CAP:
    case FORM_PHONETIC:
        return letters + plain > 1 && !compat_is_transcription(run, found) && !compat_is_part(run, found);
    case FORM_RAISED:
        return letters >= FORM_WORD_LETTERS && letters == found->end - found->begin;
    case FORM_ROMAN:
        return plain && letters + plain >= FORM_WORD_LETTERS;
    default:
        return plain > 0;
    }
}

/* The kinds of which the line has a whole word: there, single letters, digits and signs of the kind are no honest ones
 * either. As bits. */
static unsigned compat_styles(const SanitizeRun *run, const Form *const *forms, bool ideographic)
{
    const unsigned alone = 1 << FORM_WIDE | 1 << FORM_MATH | 1 << FORM_SMALL_CAP | 1 << FORM_RAISED;
    unsigned styles = 0;
    FormRun found;
    for (uint32_t at = 0; compat_next(run, forms, at, &found); at = found.end) {
        for (int kind = 1; kind < FORM_KIND_COUNT; kind++) {
            bool is_word = found.letters[kind] >= FORM_WORD_LETTERS || (kind == FORM_MATH && found.plain > 1);
            if (is_word && compat_spells(run, &found, (FormKind)kind, ideographic)) styles |= 1u << kind;
        }
    }
    return ideographic ? styles & alone & ~(1u << FORM_WIDE) : styles & alone;
}

/* Whether a form that stands in `found` is folded. */
static bool compat_folds(const SanitizeRun *run, const FormRun *found, FormKind kind, unsigned styles,
                         bool ideographic)
{
    if (compat_spells(run, found, kind, ideographic)) return true;
    if (!(styles >> kind & 1) || (kind == FORM_SMALL_CAP && compat_is_part(run, found))) return false;
    return kind != FORM_RAISED || found->forms[kind] == found->end - found->begin;
}

/* Writes a run, folded where it spells words, and says so. */
static void compat_write(SanitizeRun *run, const Form *const *forms, const FormRun *found, unsigned styles,
                         bool ideographic)
{
    char detail[FINDING_DETAIL_BYTES_MAX + UTF8_BYTES_MAX];
    uint32_t size = 0, folded = 0;
    unsigned folded_kinds = 0; /* as bits */
    for (int kind = 1; kind < FORM_KIND_COUNT; kind++) {
        if (found->forms[kind] && compat_folds(run, found, (FormKind)kind, styles, ideographic))
            folded_kinds |= 1u << kind;
    }
    for (uint32_t i = found->begin; i < found->end; i++) {
        const Form *form = forms[i];
        bool folds = (folded_kinds >> form->kind & 1) != 0;
        const uint32_t *letters = folds ? form->letters : &run->items[i].code_point;
        unsigned count = folds ? form->count : 1;
        for (unsigned k = 0; k < count && size < FINDING_DETAIL_BYTES_MAX; k++) {
            size += (uint32_t)utf8_write(letters[k], detail + size);
        }
        folded += folds;
        for (unsigned k = 0; k < count && folds; k++) rewrite_put(run, letters[k], run->items[i].origin);
        if (!folds) rewrite_keep(run, i);
    }
    if (folded) {
        run_find_detail(run, RULE_COMPAT_FORM, found->begin, found->end, folded, (TextView){detail, size});
    }
}

/* Fullwidth signs and spaces among fullwidth words. */
static void compat_keep(SanitizeRun *run, uint32_t index, unsigned styles)
{
    uint32_t code_point = run->items[index].code_point;
    bool is_sign = (code_point >= 0xFF01 && code_point <= 0xFF5E) || code_point == 0x3000;
    if (!is_sign || !(styles >> FORM_WIDE & 1)) {
        rewrite_keep(run, index);
        return;
    }
    run_find(run, RULE_COMPAT_FORM, index, index + 1, 1);
    rewrite_put(run, code_point == 0x3000 ? ' ' : code_point - 0xFF01 + '!', run->items[index].origin);
}

static bool compat_is_ideographic(const SanitizeRun *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (run_is_east_asian(run->items[i].code_point)) return true;
    }
    return false;
}

void compat_pass(SanitizeRun *run)
{
    if (!(run->seen & CLASS_COMPAT)) return;
    const Form *const *forms = compat_forms(run);
    if (!forms) return;
    bool ideographic = compat_is_ideographic(run);
    unsigned styles = compat_styles(run, forms, ideographic);
    FormRun found;
    uint32_t at = 0;
    rewrite_begin(run);
    while (compat_next(run, forms, at, &found)) {
        for (; at < found.begin; at++) compat_keep(run, at, styles);
        compat_write(run, forms, &found, styles, ideographic);
        at = found.end;
    }
    for (; at < run->count; at++) compat_keep(run, at, styles);
    rewrite_end(run);
}
