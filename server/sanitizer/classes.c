#include "sanitizer/classes.h"

#include "unicode/property.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Blocks that differ from each other: 200 with Unicode 15 and 16, most of planes 0 and 1. */
enum { CLASS_DISTINCT_BLOCKS_MAX = 1024 };

static ClassTable table;
static uint16_t blocks[CLASS_DISTINCT_BLOCKS_MAX][CLASS_BLOCK_SIZE];
static unsigned block_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool classes_is_control(uint32_t code_point, unsigned category)
{
    if (code_point == '\t' || code_point == '\n' || code_point == '\r' || code_point == 0x85) return false;
    return category == UNICODE_CC || (code_point >= 0xFFF9 && code_point <= 0xFFFB);
}

static bool classes_is_bidi(uint32_t code_point)
{
    return (code_point >= 0x202A && code_point <= 0x202E) || (code_point >= 0x2066 && code_point <= 0x2069);
}

static unsigned classes_script(uint32_t code_point)
{
    unsigned script = unicode_script(code_point);
    if (script == unicode_script('a')) return CLASS_LATIN;
    if (script == unicode_script(0x3B1)) return CLASS_GREEK;
    if (script == unicode_script(0x430)) return CLASS_CYRILLIC;
    return CLASS_OTHER_SCRIPT;
}

static unsigned classes_ask(uint32_t code_point)
{
    unsigned category = unicode_category(code_point), classes = 0;
    const unsigned letters = UNICODE_LU | UNICODE_LL | UNICODE_LT | UNICODE_LM | UNICODE_LO;
    if (classes_is_control(code_point, category)) classes |= CLASS_CONTROL;
    if (classes_is_bidi(code_point))
        classes |= CLASS_BIDI;
    else if (unicode_is_ignorable(code_point))
        classes |= CLASS_INVISIBLE;
    if (category & (UNICODE_CO | UNICODE_CN)) classes |= CLASS_RESERVED;
    if (category & (UNICODE_MN | UNICODE_ME)) classes |= CLASS_MARK;
    if (category & letters) classes |= classes_script(code_point);
    if (unicode_is_word(code_point)) classes |= CLASS_WORD;
    return classes;
}

static void classes_fill(void)
{
    for (unsigned i = 0; i < CLASS_BLOCK_COUNT; i++) {
        assert(block_count < CLASS_DISTINCT_BLOCKS_MAX);
        uint16_t *block = blocks[block_count];
        for (unsigned k = 0; k < CLASS_BLOCK_SIZE; k++) block[k] = (uint16_t)classes_ask(i * CLASS_BLOCK_SIZE + k);
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
