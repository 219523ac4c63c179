#include "sanitizer/classes.h"

#include "sanitizer/confusables.h"
#include "sanitizer/forms.h"
#include "unicode/emoji.h"
#include "unicode/property.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Blocks that differ from each other: 200 with Unicode 15 and 16, most of planes 0 and 1. */
enum { CLASS_DISTINCT_BLOCKS_MAX = 1024 };

/* Below are jamos, with fillers among them. */
enum { CJK_FIRST = 0x3400 };

static ClassTable table;
static uint32_t blocks[CLASS_DISTINCT_BLOCKS_MAX][CLASS_BLOCK_SIZE];
static unsigned block_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool classes_is_control(uint32_t code_point, unsigned category)
{
    if (code_point == '\t' || code_point == '\n' || code_point == '\r') return false;
    return category == UNICODE_CC || (code_point >= 0xFFF9 && code_point <= 0xFFFB);
}

static bool classes_is_bidi(uint32_t code_point)
{
    return (code_point >= 0x202A && code_point <= 0x202E) || (code_point >= 0x2066 && code_point <= 0x2069);
}

/* Scripts whose letters stand right beside any others: Common, Inherited, and those of East Asia. */
static bool classes_joins_any(unsigned script)
{
    static const uint16_t samples[] = {0x2BC, 0x300, 0x4E00, 0x3042, 0x30A2, 0x3105, 0xAC00, 0xA000};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        if (script == unicode_script(samples[i])) return true;
    }
    return false;
}

/* The script of a letter, and of a digit or sign that looks like one; 0: of none that words are looked at for. */
static unsigned classes_script(uint32_t code_point, unsigned category)
{
    const unsigned letters = UNICODE_LU | UNICODE_LL | UNICODE_LT | UNICODE_LM | UNICODE_LO;
    unsigned script = unicode_script(code_point);
    const Confusable *row = confusables_find(code_point);
    if (!(category & letters)) return code_point > 0x7F && row ? CLASS_OTHER_SCRIPT | CLASS_CONFUSABLE : 0;
    WordScript own = SCRIPT_NONE;
    if (script == unicode_script('a')) own = SCRIPT_LATIN;
    if (script == unicode_script(0x3B1)) own = SCRIPT_GREEK;
    if (script == unicode_script(0x430)) own = SCRIPT_CYRILLIC;
    if (own == SCRIPT_NONE && classes_joins_any(script)) return 0;
    /* Phonetics' own Cyrillic letters are none of Cyrillic words. */
    if (own == SCRIPT_CYRILLIC && row && row->targets[own]) return CLASS_OTHER_SCRIPT | CLASS_CONFUSABLE;
    if (own == SCRIPT_NONE) return row ? CLASS_OTHER_SCRIPT | CLASS_CONFUSABLE : CLASS_OTHER_SCRIPT;
    return CLASS_LATIN << own | (confusables_is_close(code_point, own) ? CLASS_CONFUSABLE : 0);
}

/* Of the blocks of marks that are no script's own. */
static bool classes_is_overlay(uint32_t code_point, unsigned category)
{
    bool block = (code_point >= 0x300 && code_point <= 0x36F) || (code_point >= 0x1AB0 && code_point <= 0x1AFF) ||
                 (code_point >= 0x1DC0 && code_point <= 0x1DFF) || (code_point >= 0x20D0 && code_point <= 0x20FF);
    if (!block || !(category & (UNICODE_MN | UNICODE_ME))) return false;
    if (code_point == 0x20E3 || unicode_is_ignorable(code_point)) return false; /* a keycap; what does not show */
    return code_point == 0x338 || !unicode_may_compose(code_point);             /* 0338 is part of signs only */
}

/* invisible_rules.c keeps what these allow, when it stands alone. */
static unsigned classes_of_neighbours(uint32_t code_point, unsigned category)
{
    if (code_point == UNICODE_ZWNJ) return CLASS_NON_JOINER;
    if (code_point == UNICODE_EMOJI_SELECTOR) return CLASS_SELECTOR;
    bool arabic = code_point == 0x623 || code_point == 0x625 || code_point == 0x629 || code_point == 0x643 ||
                  code_point == 0x64A;
    if (unicode_joins(code_point) && !(category & UNICODE_M) && !unicode_is_ignorable(code_point))
        return CLASS_BEFORE_NON_JOINER | (arabic ? CLASS_OF_ARABIC : 0);
    bool emoji = code_point > 0x7F && unicode_takes_selector(code_point, UNICODE_EMOJI_SELECTOR);
    return emoji && !unicode_is_ignorable(code_point) ? CLASS_BEFORE_SELECTOR : 0;
}

static unsigned classes_ask(uint32_t code_point)
{
    unsigned category = unicode_category(code_point), classes = 0;
    if (classes_is_control(code_point, category)) classes |= CLASS_CONTROL;
    if (classes_is_bidi(code_point))
        classes |= CLASS_BIDI;
    else if (unicode_is_ignorable(code_point))
        classes |= CLASS_INVISIBLE;
    if (category & (UNICODE_CO | UNICODE_CN)) classes |= CLASS_RESERVED;
    if (category & (UNICODE_MN | UNICODE_ME)) classes |= CLASS_MARK;
    if (classes_is_overlay(code_point, category)) classes |= CLASS_OVERLAY;
    if (!(category & (UNICODE_CN | UNICODE_CO))) classes |= classes_script(code_point, category);
    if (code_point == CONFUSABLE_CLICK || forms_find(code_point)->kind) classes |= CLASS_COMPAT;
    if (unicode_is_word(code_point) || classes & CLASSES_SCRIPTS) classes |= CLASS_WORD;
    if (unicode_is_right_to_left(code_point)) classes |= CLASS_RIGHT_TO_LEFT;
    if (code_point == '\r') classes |= CLASS_RETURN;
    classes |= classes_of_neighbours(code_point, category);
    if (!(classes & CLASS_CONFUSABLE)) classes |= (classes & CLASSES_SCRIPTS) << CLASS_EVIDENCE_SHIFT;
    return classes;
}

/* Whether all code points of the block are alike: unassigned, private, or ideographs and syllables without a case,
 * which is most of Unicode. */
static bool classes_is_uniform(uint32_t first)
{
    unsigned category = unicode_category(first);
    unsigned script = unicode_script(first);
    bool ideographs = script == unicode_script(0x4E00) || script == unicode_script(0xAC00);
    bool nothing = (category & (UNICODE_CN | UNICODE_CO | UNICODE_CS)) != 0;
    if (!nothing && !(category == UNICODE_LO && ideographs && first >= CJK_FIRST)) return false;
    for (uint32_t k = 1; k < CLASS_BLOCK_SIZE; k++) {
        if (unicode_category(first + k) != category) return false;
    }
    return nothing || script == unicode_script(first + CLASS_BLOCK_SIZE - 1);
}

static void classes_fill(void)
{
    for (unsigned i = 0; i < CLASS_BLOCK_COUNT; i++) {
        assert(block_count < CLASS_DISTINCT_BLOCKS_MAX);
        uint32_t first = i * CLASS_BLOCK_SIZE;
        bool uniform = classes_is_uniform(first);
        uint32_t *block = blocks[block_count], classes = classes_ask(first);
        for (unsigned k = 0; k < CLASS_BLOCK_SIZE; k++) block[k] = uniform ? classes : classes_ask(first + k);
        unsigned same = 0;
        while (memcmp(blocks[same], block, sizeof blocks[0]) != 0) same++;
        table.blocks[i] = blocks[same];
        if (same == block_count) block_count++;
    }
}

const ClassTable *classes_table(void)
{
    int failed = pthread_once(&once, classes_fill);
    assert(!failed);
    return &table;
}
