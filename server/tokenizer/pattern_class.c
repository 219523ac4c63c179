/* ICU's answers, completed by pattern_class.def, and kept. */
#include "tokenizer/pattern_class.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

static const struct {
    unsigned category;
    uint32_t first;
    uint32_t last;
} NEWER_RANGES[] = {
#define NEWER(category, first, last) {category, first, last},
#define SCRIPT(name, first, last)
#include "tokenizer/pattern_class.def"
};

static unsigned pattern_category(uint32_t code_point)
{
    unsigned category = unicode_category(code_point);
    if (category != UNICODE_CN) return category;
    for (size_t i = 0; i < sizeof NEWER_RANGES / sizeof NEWER_RANGES[0]; i++) {
        if (code_point >= NEWER_RANGES[i].first && code_point <= NEWER_RANGES[i].last) {
            return NEWER_RANGES[i].category;
        }
    }
    return category;
}

static unsigned pattern_ask(uint32_t code_point)
{
    unsigned category = pattern_category(code_point), class = PATTERN_KNOWN;
    if (category & (UNICODE_LU | UNICODE_LT)) class |= PATTERN_UPPER;
    if (category & UNICODE_LL) class |= PATTERN_LOWER;
    if (category & (UNICODE_LM | UNICODE_LO)) class |= PATTERN_OTHER;
    if (category & UNICODE_M) class |= PATTERN_MARK;
    if (category & (UNICODE_ND | UNICODE_NL | UNICODE_NO)) class |= PATTERN_DIGIT;
    if (unicode_is_white_space(code_point)) class |= PATTERN_SPACE;
    return class;
}

unsigned pattern_class(uint32_t code_point)
{
    /* As in characters.c: all threads write the same. */
    static _Atomic uint8_t cache[0x110000];
    assert(code_point < 0x110000);
    unsigned class = atomic_load_explicit(&cache[code_point], memory_order_relaxed);
    if (!class) {
        class = pattern_ask(code_point);
        atomic_store_explicit(&cache[code_point], (uint8_t) class, memory_order_relaxed);
    }
    return class;
}
