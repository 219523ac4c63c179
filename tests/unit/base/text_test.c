#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void text_list_names_what_fits(void **state)
{
    (void)state;
    char list[20] = "";
    text_list_add(list, sizeof list, text_view("ascii"));
    assert_string_equal(list, "ascii");
    text_list_add(list, sizeof list, (TextView){"latin-1", 5});
    assert_string_equal(list, "ascii, latin");
    text_list_add(list, sizeof list, text_view("u"));
    text_list_add(list, sizeof list, text_view("v"));
    assert_string_equal(list, "ascii, latin, ...");
}

static void text_list_of_any_size_stays_within_its_buffer(void **state)
{
    (void)state;
    for (size_t capacity = 6; capacity < 40; capacity++) {
        char list[64];
        memset(list, '#', sizeof list);
        list[0] = '\0';
        for (unsigned i = 0; i < 9; i++) text_list_add(list, capacity, (TextView){"abcdefgh", i % 4 + 1});
        assert_true(strlen(list) < capacity);
        assert_int_equal(list[capacity], '#');
        assert_true(capacity > 35 || strcmp(list + strlen(list) - 3, "...") == 0);
    }
}

static void text_that_is_nearer_is_told(void **state)
{
    (void)state;
    char longest[65];
    size_t distance = SIZE_MAX;
    memset(longest, 'a', sizeof longest);
    assert_true(text_is_nearer(text_view("modle"), text_view("modes"), &distance));
    assert_int_equal(distance, 2);
    assert_false(text_is_nearer(text_view("modle"), text_view("model"), &distance)); /* as near */
    assert_true(text_is_nearer(text_view("modle"), text_view("module"), &distance));
    assert_int_equal(distance, 1);
    distance = SIZE_MAX;
    assert_false(text_is_nearer(text_view("frobnicate"), text_view("format"), &distance));
    assert_false(text_is_nearer(text_view("ab"), text_view("cd"), &distance)); /* nothing of it is left */
    assert_false(text_is_nearer((TextView){longest, 65}, (TextView){longest, 64}, &distance));
    assert_true(text_is_nearer((TextView){longest, 63}, (TextView){longest, 64}, &distance));
    assert_false(text_is_nearer(text_view(""), text_view("a"), &distance));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_nearer_is_told),
        cmocka_unit_test(text_list_names_what_fits),
        cmocka_unit_test(text_list_of_any_size_stays_within_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
