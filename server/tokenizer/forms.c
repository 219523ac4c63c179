/* The normalization forms as unicode-normalization-alignments gives them: a stream of characters, each with whether it
 * replaces one (0), is new (1), or takes the place of several (negative).
 *
 * Most text is in its form already. A character is quiet when the form leaves it alone and nothing before it can
 * change it; runs of quiet ones are copied. What follows the last quiet one may still change it, so it goes the long
 * way: decomposition, sorting by class, composition. */
#include "tokenizer/forms.h"

#include "tokenizer/characters.h"
#include "tokenizer/marks.h"
#include "tokenizer/transform.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

typedef struct FormItem {
    uint32_t code_point;
    int64_t change;
} FormItem;

typedef struct FormPass {
    Form form;
    unsigned loud; /* the flags of a character that is not quiet */
    Transform transform;
    MarkRun pending; /* with a combining class, not sorted yet */
    bool has_starter;
    bool blocked; /* something with the class `last_class` is behind the starter */
    uint8_t last_class;
    FormItem starter; /* what may still be composed with */
    FormItem *behind; /* [behind_capacity]: what did not compose with it */
    uint32_t behind_count;
    uint32_t behind_capacity;
} FormPass;

static void forms_put(FormPass *pass, FormItem item)
{
    transform_put(&pass->transform, item.code_point, item.change);
}

static void forms_push_behind(FormPass *pass, FormItem item, uint8_t combining_class)
{
    if (pass->behind_count == pass->behind_capacity) {
        uint32_t capacity = pass->behind_capacity + pass->behind_capacity / 2 + 32;
        FormItem *behind = realloc(pass->behind, capacity * sizeof *behind);
        if (!behind) {
            pass->transform.to->failed = NORMALIZED_NO_MEMORY;
            return;
        }
        pass->behind = behind;
        pass->behind_capacity = capacity;
    }
    pass->behind[pass->behind_count++] = item;
    pass->blocked = true;
    pass->last_class = combining_class;
}

/* Hands out the starter and what is behind it. */
static void forms_end_starter(FormPass *pass)
{
    if (pass->has_starter) forms_put(pass, pass->starter);
    for (uint32_t i = 0; i < pass->behind_count; i++) forms_put(pass, pass->behind[i]);
    pass->behind_count = 0;
    pass->has_starter = pass->blocked = false;
}

static void forms_compose(FormPass *pass, FormItem item, uint8_t combining_class)
{
    if (!pass->has_starter && combining_class != 0) {
        forms_put(pass, item);
        return;
    }
    bool reaches = pass->has_starter && (!pass->blocked || pass->last_class < combining_class);
    if (reaches && characters_flags(item.code_point) & CHARACTER_MAY_COMPOSE) {
        uint32_t both = characters_compose(pass->starter.code_point, item.code_point);
        if (both) {
            pass->starter = (FormItem){both, pass->starter.change + item.change - 1};
            return;
        }
    }
    if (combining_class != 0) {
        forms_push_behind(pass, item, combining_class);
        return;
    }
    forms_end_starter(pass);
    pass->starter = item;
    pass->has_starter = true;
}

static void forms_ordered(FormPass *pass, uint32_t code_point, uint8_t combining_class, bool first)
{
    FormItem item = {code_point, first ? 0 : 1};
    if (pass->form.composed)
        forms_compose(pass, item, combining_class);
    else
        forms_put(pass, item);
}

static void forms_end_marks(FormPass *pass)
{
    const Mark *sorted = marks_sort(&pass->pending);
    for (uint32_t i = 0; i < pass->pending.count; i++) {
        forms_ordered(pass, sorted[i].code_point, sorted[i].combining_class, sorted[i].first);
    }
    pass->pending.count = 0;
}

static void forms_character(FormPass *pass, uint32_t code_point)
{
    uint32_t parts[UNICODE_DECOMPOSITION_MAX] = {code_point};
    unsigned count = 1, splits = CHARACTER_DECOMPOSES | (pass->form.compatible ? CHARACTER_COMPATIBLE : 0u);
    if (characters_flags(code_point) & splits)
        count = characters_decompose(code_point, pass->form.compatible, parts);
    for (unsigned i = 0; i < count; i++) {
        if (characters_flags(parts[i]) & CHARACTER_COMBINES) {
            Mark mark = {parts[i], characters_combining_class(parts[i]), i == 0, {0, 0}};
            if (!marks_push(&pass->pending, mark)) pass->transform.to->failed = NORMALIZED_NO_MEMORY;
        } else {
            forms_end_marks(pass);
            forms_ordered(pass, parts[i], 0, i == 0);
        }
    }
}

/* The long way from the start of a character at `at` to the next quiet one that follows a quiet one. */
static uint32_t forms_walk(FormPass *pass, uint32_t at)
{
    const Normalized *from = pass->transform.from;
    bool last_quiet = false;
    while (at < from->size && !pass->transform.to->failed) {
        uint32_t code_point, size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
        bool quiet = !(characters_flags(code_point) & pass->loud);
        if (quiet && last_quiet) break;
        forms_character(pass, code_point);
        last_quiet = quiet;
        at += size;
    }
    forms_end_marks(pass);
    forms_end_starter(pass);
    return at;
}

/* Where the run of quiet characters that starts at `at` ends; its last one is left out when a loud one follows. */
static uint32_t forms_quiet_end(const FormPass *pass, uint32_t at)
{
    const Normalized *from = pass->transform.from;
    uint32_t last = at;
    while (at < from->size) {
        uint32_t code_point, size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
        if (characters_flags(code_point) & pass->loud) return last;
        last = at;
        at += size;
    }
    return at;
}

void forms_run(Form form, const Normalized *from, Normalized *to)
{
    unsigned loud = CHARACTER_COMBINES;
    if (form.composed) loud |= CHARACTER_MAY_COMPOSE | CHARACTER_NFC_CHANGES;
    if (!form.composed) loud |= CHARACTER_DECOMPOSES;
    if (form.compatible) loud |= CHARACTER_COMPATIBLE;
    FormPass pass = {.form = form, .loud = loud, .transform = {.from = from, .to = to}};
    to->size = 0;
    to->begin = from->begin;
    for (uint32_t at = 0; at < from->size && !to->failed;) {
        transform_copy(&pass.transform, forms_quiet_end(&pass, at));
        at = pass.transform.at;
        if (at < from->size) at = forms_walk(&pass, at);
        assert(pass.transform.at == at || to->failed);
    }
    marks_close(&pass.pending);
    free(pass.behind);
}
