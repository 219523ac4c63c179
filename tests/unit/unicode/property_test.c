/* The door to ICU: samples that no Unicode version changes, and bounds over every code point. */
#include "unicode/property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void properties_of_stable_characters(void **state)
{
    (void)state;
    assert_int_equal(unicode_category('a'), UNICODE_LL);
    assert_int_equal(unicode_category(0x301), UNICODE_MN);
    assert_int_equal(unicode_category(0xE000), UNICODE_CO);
    assert_int_equal(unicode_category(0x110000), UNICODE_CN);
    assert_int_equal(unicode_age('a'), UNICODE_VERSION(1, 1));
    assert_int_equal(unicode_age(0x1F600), UNICODE_VERSION(6, 1));
    assert_int_equal(unicode_age(0x378), 0);
    assert_int_equal(unicode_combining_class(0x345), 240);
    assert_true(unicode_is_white_space(0x3000) && !unicode_is_white_space(0x200B));
    assert_true(unicode_is_word('_') && unicode_is_word(0x200D) && !unicode_is_word('-'));
}

static void decompositions_are_full_and_canonical(void **state)
{
    (void)state;
    uint32_t parts[UNICODE_DECOMPOSITION_MAX];
    assert_int_equal(unicode_decompose(0x1F82, false, parts), 4); /* Greek alpha with three marks */
    assert_int_equal(parts[0], 0x3B1);
    assert_int_equal(unicode_decompose(0xAC01, false, parts), 3);
    assert_int_equal(parts[2], 0x11A8);
    assert_int_equal(unicode_decompose(0xFB01, false, parts), 1); /* a compatibility mapping is none */
    assert_int_equal(parts[0], 0xFB01);
    assert_int_equal(unicode_decompose(0xFB01, true, parts), 2);
    assert_int_equal(unicode_decompose(0xFDFA, true, parts), UNICODE_DECOMPOSITION_MAX);
}

static void compositions_are_canonical(void **state)
{
    (void)state;
    assert_int_equal(unicode_compose('e', 0x301), 0xE9);
    assert_int_equal(unicode_compose(0x1100, 0x1161), 0xAC00);
    assert_int_equal(unicode_compose('f', 'i'), 0);
    assert_true(unicode_may_compose(0x301) && unicode_may_compose(0x1161) && !unicode_may_compose('e'));
}

static void scripts_and_graphemes_have_classes(void **state)
{
    (void)state;
    assert_int_equal(unicode_script('a'), unicode_script(0xE9));
    assert_int_not_equal(unicode_script('a'), unicode_script(0x3B1));
    assert_int_equal(unicode_script(0xE000), UNICODE_SCRIPT_NONE);
    assert_int_equal(unicode_grapheme(0x301), UNICODE_GRAPHEME_EXTEND);
    assert_int_equal(unicode_grapheme(0x1F600), UNICODE_GRAPHEME_PICTOGRAPHIC);
    assert_int_equal(unicode_grapheme('a'), UNICODE_GRAPHEME_OTHER);
}

static void lower_case_depends_on_no_context(void **state)
{
    (void)state;
    uint32_t lower[UNICODE_LOWERCASE_MAX];
    assert_int_equal(unicode_lowercase(0x3A3, lower), 1);
    assert_int_equal(lower[0], 0x3C3);
    assert_int_equal(unicode_lowercase(0x130, lower), 2);
    assert_int_equal(lower[1], 0x307);
}

static void joining_and_syllables_of_stable_letters(void **state)
{
    (void)state;
    assert_true(unicode_joins(0x645) && unicode_joins(0x631));
    assert_false(unicode_joins(0x64E) || unicode_joins('a') || unicode_joins(0x621));
    assert_true(unicode_is_virama(0x94D) && unicode_is_virama(0x17D2) && !unicode_is_virama(0x93E));
    assert_true(unicode_is_indic(0x915) && unicode_is_indic(0x93E) && !unicode_is_indic('a'));
    assert_false(unicode_is_indic(0xD7)); /* a multiplication sign may stand for a consonant */
    assert_true(unicode_is_indic_vowel_letter(0x905) && !unicode_is_indic_vowel_letter(0x915));
    assert_true(unicode_is_right_to_left(0x5D0) && unicode_is_right_to_left(0x645));
    assert_false(unicode_is_right_to_left('a') || unicode_is_right_to_left(0x200F));
    assert_true(unicode_is_without_spaces(0xE01) && unicode_is_without_spaces(0xF40));
    assert_false(unicode_is_without_spaces('a') || unicode_is_without_spaces(0x4E00));
    assert_true(unicode_is_vowel_before(0xE40) && !unicode_is_vowel_before(0xE30));
}

static void mappings_stay_within_their_bounds(void **state)
{
    (void)state;
    uint32_t parts[UNICODE_DECOMPOSITION_MAX], lower[UNICODE_LOWERCASE_MAX];
    for (uint32_t code_point = 0; code_point < 0x110100; code_point++) {
        unsigned count = unicode_decompose(code_point, code_point % 2 == 0, parts);
        assert_true(count >= 1 && count <= UNICODE_DECOMPOSITION_MAX);
        count = unicode_lowercase(code_point, lower);
        assert_true(count >= 1 && count <= UNICODE_LOWERCASE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_of_stable_characters),
        cmocka_unit_test(decompositions_are_full_and_canonical),
        cmocka_unit_test(compositions_are_canonical),
        cmocka_unit_test(scripts_and_graphemes_have_classes),
        cmocka_unit_test(lower_case_depends_on_no_context),
        cmocka_unit_test(joining_and_syllables_of_stable_letters),
        cmocka_unit_test(mappings_stay_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
