/* Emoji and their sequences, and the selectors that choose between a character's forms. From ICU's data; sequences
 * that are younger than Debian 12's ICU (Unicode 15.0) are added. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    UNICODE_ZWNJ = 0x200C,
    UNICODE_ZWJ = 0x200D,
    UNICODE_TEXT_SELECTOR = 0xFE0E,
    UNICODE_EMOJI_SELECTOR = 0xFE0F,
    UNICODE_BLACK_FLAG = 0x1F3F4,
    UNICODE_KEYCAP = 0x20E3,
    UNICODE_EMOJI_JOINED_MAX = 4, /* emoji of one sequence: families, kisses */
};

/* What may stand on a side of a ZWJ: pictographs, emoji to come included. */
bool unicode_is_pictographic(uint32_t code_point);
/* A skin tone. */
bool unicode_is_emoji_modifier(uint32_t code_point);
/* Emoji that are shown as text unless the emoji selector follows. */
bool unicode_is_text_emoji(uint32_t code_point);
/* How many of `count` pictographs, from the first on, ZWJ make one emoji recommended for interchange (RGI); 1: none.
 * Without selectors and skin tones, which do not change what joins. What ICU does not know yet joins anything. */
unsigned unicode_emoji_joined(const uint32_t *pictographs, unsigned count);
/* Whether the two lower-case letters are a region that has a flag. */
bool unicode_region_has_flag(uint32_t first, uint32_t second);
/* Any variation selector, Mongolian ones included. */
bool unicode_is_selector(uint32_t code_point);
/* Whether the standard gives `base` a choice of forms of which `selector` is one: StandardizedVariants.txt, emoji, and
 * ideographs with more than one registered form. Digits are left to keycaps. */
bool unicode_takes_selector(uint32_t base, uint32_t selector);
/* How many forms an ideograph has in the collections of Japanese; 0: no Japanese text has it, if it is one of U+4E00 to
 * U+9FFF. */
unsigned unicode_ideograph_forms(uint32_t base);
/* How many of them ordinary fonts draw, which come first; 0: one or none. Others are those of registers of names. */
unsigned unicode_usual_forms(uint32_t base);
