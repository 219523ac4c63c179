/* Sequences of emoji and selectors: of ICU's data, and of the tables beside it. */
#include "unicode/emoji.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    WOMAN = 0x1F469,
    GIRL = 0x1F467,
    HEART = 0x2764,
    FIRE = 0x1F525,
    ROCKET = 0x1F680,
    GRIN = 0x1F600,
    RUNNER = 0x1F3C3,
    FEMALE = 0x2640,
    RIGHT = 0x27A1,
    LIME = 0x1F34B,
    GREEN = 0x1F7E9,
    UNKNOWN = 0x1FAFF, /* reserved for pictographs */
};

static unsigned joined(const uint32_t *pictographs)
{
    unsigned count = 0;
    while (pictographs[count] != 0) count++;
    return unicode_emoji_joined(pictographs, count);
}

static void the_longest_known_sequence_joins(void **state)
{
    (void)state;
    assert_int_equal(joined((uint32_t[]){WOMAN, ROCKET, 0}), 2);
    assert_int_equal(joined((uint32_t[]){WOMAN, WOMAN, GIRL, GIRL, 0}), 4);
    assert_int_equal(joined((uint32_t[]){WOMAN, WOMAN, GIRL, GIRL, GIRL, 0}), 4);
    assert_int_equal(joined((uint32_t[]){HEART, FIRE, GRIN, 0}), 2);
    assert_int_equal(joined((uint32_t[]){GRIN, FIRE, 0}), 1);
    assert_int_equal(joined((uint32_t[]){GRIN, 0}), 1);
}

static void sequences_that_icu_may_not_know_join(void **state)
{
    (void)state;
    assert_int_equal(joined((uint32_t[]){LIME, GREEN, 0}), 2);
    assert_int_equal(joined((uint32_t[]){RUNNER, RIGHT, 0}), 2);
    assert_int_equal(joined((uint32_t[]){RUNNER, FEMALE, RIGHT, 0}), 3);
    assert_int_equal(joined((uint32_t[]){UNKNOWN, FIRE, 0}), 2);
    assert_int_equal(joined((uint32_t[]){GRIN, UNKNOWN, GRIN, 0}), 3);
}

static void regions_have_flags(void **state)
{
    (void)state;
    assert_true(unicode_region_has_flag('g', 'b') && unicode_region_has_flag('u', 's'));
    assert_false(unicode_region_has_flag('x', 'x') || unicode_region_has_flag('G', 'B') ||
                 unicode_region_has_flag('g', '1'));
}

static void selectors_belong_to_their_bases(void **state)
{
    (void)state;
    static const uint32_t takes[][2] = {
        {HEART, 0xFE0F},   {HEART, 0xFE0E},  {0xA9, 0xFE0F},    {0x2229, 0xFE00},  {0x3001, 0xFE01},
        {0x2205, 0xFE00},  {0x4FAE, 0xFE01}, {0x845B, 0xE0100}, {0x9089, 0xE011F}, {0x1820, 0x180B},
        {0x13091, 0xFE00}, {0x1000, 0xFE00}, {0x4E0E, 0xE0103}, {0x559C, 0xE0106},
    };
    static const uint32_t refuses[][2] = {
        {'a', 0xFE0F},    {'1', 0xFE0F},     {HEART, 0xFE00},   {0x2229, 0xFE01},  {0x4E00, 0xFE00},
        {0x430, 0xFE0F},  {0x4FAE, 0xFE02},  {0x845B, 0xE0110}, {'a', 0x180B},     {GRIN, 0xE0100},
        {0x1820, 0xFE00}, {0x4E0E, 0xE0105}, {0x9089, 0xE0120}, {0x6F14, 0xE0100}, {0x65F6, 0xE0100},
        {0x2514, 0xFE0E}, {0x1001, 0xFE00},
    };
    for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++) {
        assert_true(unicode_takes_selector(takes[i][0], takes[i][1]));
        assert_true(unicode_is_selector(takes[i][1]));
    }
    for (size_t i = 0; i < sizeof refuses / sizeof refuses[0]; i++) {
        assert_false(unicode_takes_selector(refuses[i][0], refuses[i][1]));
    }
    assert_false(unicode_is_selector(0x180E) || unicode_is_selector(0xFE10) || unicode_is_selector(0xE01F0));
}

static void ideographs_have_forms(void **state)
{
    (void)state;
    assert_int_equal(unicode_ideograph_forms(0x65F6), 0); /* of Chinese alone */
    assert_int_equal(unicode_ideograph_forms(0x6F14), 1);
    assert_int_equal(unicode_ideograph_forms(0x845B), 10);
    assert_int_equal(unicode_ideograph_forms(0x9089), 32);
    assert_int_equal(unicode_ideograph_forms(0x3402), 5);
    assert_int_equal(unicode_ideograph_forms(0x4DFF), 0);
    assert_int_equal(unicode_ideograph_forms(0x9FFF), 0);
    assert_int_equal(unicode_ideograph_forms('a'), 0);
    assert_int_equal(unicode_usual_forms(0x845B), 2);
    assert_int_equal(unicode_usual_forms(0x9089), 15);
    assert_int_equal(unicode_usual_forms(0x3402), 5);
    assert_int_equal(unicode_usual_forms(0x8A18), 0);
    assert_int_equal(unicode_usual_forms('a'), 0);
}

static void some_emoji_need_their_selector(void **state)
{
    (void)state;
    assert_true(unicode_is_text_emoji(HEART) && !unicode_is_text_emoji(GRIN) && !unicode_is_text_emoji('a'));
    assert_true(unicode_is_emoji_modifier(0x1F3FB) && !unicode_is_emoji_modifier(0x1F3FA));
    assert_true(unicode_is_pictographic(GRIN) && unicode_is_pictographic(UNKNOWN) &&
                !unicode_is_pictographic('1'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_known_sequence_joins),
        cmocka_unit_test(sequences_that_icu_may_not_know_join),
        cmocka_unit_test(regions_have_flags),
        cmocka_unit_test(selectors_belong_to_their_bases),
        cmocka_unit_test(ideographs_have_forms),
        cmocka_unit_test(some_emoji_need_their_selector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
