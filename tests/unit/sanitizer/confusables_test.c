/* The table of lookalikes: sorted, and true to what ICU knows of its letters. */
#include "sanitizer/confusables.h"

#include "unicode/property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void rows_are_sorted_and_each_is_found(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < confusables_count(); i++) {
        const Confusable *row = confusables_row(i);
        assert_true(i == 0 || confusables_row(i - 1)->source < row->source);
        assert_ptr_equal(confusables_find(row->source), row);
    }
    assert_null(confusables_find('d'));
    assert_null(confusables_find(0x10FFFF));
}

static void targets_are_letters_of_their_script(void **state)
{
    (void)state;
    static const uint32_t samples[SCRIPT_COUNT] = {'a', 0x3B1, 0x430, 0x561};
    for (uint32_t i = 0; i < confusables_count(); i++) {
        const Confusable *row = confusables_row(i);
        for (int script = 0; script < SCRIPT_COUNT; script++) {
            if (!row->targets[script]) continue;
            assert_int_equal(unicode_script(row->targets[script]), unicode_script(samples[script]));
            assert_true(unicode_category(row->targets[script]) & (UNICODE_LU | UNICODE_LL));
        }
    }
}

static void looks_say_how_close_they_are(void **state)
{
    (void)state;
    assert_true(confusables_is_close(0x430, SCRIPT_CYRILLIC)); /* a */
    assert_true(confusables_is_close('H', SCRIPT_LATIN));
    assert_false(confusables_is_close(0x3B1, SCRIPT_GREEK)); /* alpha is no a in most fonts */
    assert_false(confusables_is_close('b', SCRIPT_LATIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_each_is_found),
        cmocka_unit_test(targets_are_letters_of_their_script),
        cmocka_unit_test(looks_say_how_close_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
