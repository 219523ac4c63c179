/* One table of failures; messages that fit any wire. */
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void status_rows_are_complete(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        assert_non_null(status_name((Status)status));
        assert_in_range(status_grpc_code((Status)status), 0, 16);
    }
    assert_int_equal(status_grpc_code(STATUS_OK), 0);
    assert_int_equal(status_grpc_code(STATUS_RESOURCE_EXHAUSTED), 8);
}

static void error_set_returns_its_status_with_or_without_an_error(void **state)
{
    (void)state;
    Error error;
    assert_int_equal(error_set(NULL, STATUS_IO, "%d", 1), STATUS_IO);
    assert_int_equal(error_set(&error, STATUS_CORRUPT, "%s: %d", "a", 1), STATUS_CORRUPT);
    assert_int_equal(error.status, STATUS_CORRUPT);
    assert_string_equal(error.message, "a: 1");
}

static void error_message_holds_no_control_bytes(void **state)
{
    (void)state;
    Error error;
    error_set(&error, STATUS_IO, "a\nb\tc\x7F");
    assert_string_equal(error.message, "a?b?c?");
}

static void error_message_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        Error error;
        char text[2 * ERROR_MESSAGE_BYTES];
        memset(text, 'a', lead);
        for (size_t i = lead; i + 4 < sizeof text; i += 4) memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        error_set(&error, STATUS_IO, "%s", text);
        size_t size = strlen(error.message);
        assert_in_range(size, ERROR_MESSAGE_BYTES - 5, ERROR_MESSAGE_BYTES - 1);
        assert_int_equal((size - lead) % 4, 0);
    }
}

static void error_message_is_utf8_whatever_it_quotes(void **state)
{
    (void)state;
    Error error;
    error_set(&error, STATUS_IO, "no label '%.*s'; it has \xC3\xA9 and %s", 2, "a\xC3\xA9", "\xFF\xC0\x80");
    assert_string_equal(error.message, "no label 'a?'; it has \xC3\xA9 and ???");
    error_prefix(&error, "%.*s", 1, "\xE2\x82\xAC");
    assert_string_equal(error.message, "?: no label 'a?'; it has \xC3\xA9 and ???");
}

static void error_prefix_keeps_the_cause(void **state)
{
    (void)state;
    Error error;
    error_set(&error, STATUS_NOT_FOUND, "no such file");
    assert_int_equal(error_prefix(&error, "%s", "config.json"), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "config.json: no such file");
    char long_text[2 * ERROR_MESSAGE_BYTES];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (int size = ERROR_MESSAGE_BYTES - 8; size < ERROR_MESSAGE_BYTES + 8; size++) {
        error_set(&error, STATUS_NOT_FOUND, "no such file");
        error_prefix(&error, "%.*s", size, long_text);
        assert_in_range(strlen(error.message), ERROR_MESSAGE_BYTES - 8, ERROR_MESSAGE_BYTES - 1);
    }
    error_set(&error, STATUS_NOT_FOUND, "%s", long_text);
    error_prefix(&error, "p");
    assert_int_equal(strncmp(error.message, "p: xxx", 6), 0);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_rows_are_complete),
        cmocka_unit_test(error_set_returns_its_status_with_or_without_an_error),
        cmocka_unit_test(error_message_holds_no_control_bytes),
        cmocka_unit_test(error_message_is_cut_between_characters),
        cmocka_unit_test(error_message_is_utf8_whatever_it_quotes),
        cmocka_unit_test(error_prefix_keeps_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
