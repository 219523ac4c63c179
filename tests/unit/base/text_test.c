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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_list_names_what_fits),
        cmocka_unit_test(text_list_of_any_size_stays_within_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
