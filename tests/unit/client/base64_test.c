/* Base64 as RFC 4648, section 10, has it; however the bytes come. */
#include "base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes, *text;
} cases[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFB\xEF\xFF", "++//"},
};

/* Writes `bytes` in two calls that meet at `split`. */
static void assert_written(const char *bytes, size_t split, const char *expected)
{
    char *text = NULL;
    size_t size;
    Base64 base64 = {.stream = open_memstream(&text, &size)};
    assert_non_null(base64.stream);
    base64_write(&base64, bytes, split);
    base64_write(&base64, bytes + split, strlen(bytes) - split);
    base64_end(&base64);
    fclose(base64.stream);
    assert_string_equal(text, expected);
    free(text);
}

static void base64_is_as_the_standard_says(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        for (size_t split = 0; split <= strlen(cases[index].bytes); split++)
            assert_written(cases[index].bytes, split, cases[index].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_as_the_standard_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
