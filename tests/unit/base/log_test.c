#include "base/log.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes into a pipe while a test writes. */
typedef struct Capture {
    int saved_stderr;
    int read_end;
    char bytes[16384];
} Capture;

static void capture_begin(Capture *capture)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    capture->saved_stderr = dup(STDERR_FILENO);
    capture->read_end = ends[0];
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
}

static void capture_end(Capture *capture)
{
    assert_true(dup2(capture->saved_stderr, STDERR_FILENO) >= 0);
    close(capture->saved_stderr);
    ssize_t size = read(capture->read_end, capture->bytes, sizeof capture->bytes - 1);
    capture->bytes[size > 0 ? size : 0] = '\0';
    close(capture->read_end);
}

static void log_writes_one_line_an_event(void **state)
{
    (void)state;
    Capture capture;
    log_configure(LOG_INFO, LOG_TEXT);
    capture_begin(&capture);
    log_event(LOG_DEBUG, "hidden", "below the minimum");
    errno = ENOENT;
    log_event(LOG_WARNING, "model_loaded", "%d layers\nforged line\x1b[2J", 6);
    int errno_after = errno;
    capture_end(&capture);
    assert_int_equal(errno_after, ENOENT);
    assert_null(strstr(capture.bytes, "hidden"));
    assert_non_null(strstr(capture.bytes, "Z warning model_loaded 6 layers?forged line?[2J\n"));
    assert_ptr_equal(strchr(capture.bytes, '\n'), capture.bytes + strlen(capture.bytes) - 1);
}

static void log_json_lines_parse_whatever_the_details(void **state)
{
    (void)state;
    Capture capture;
    char huge[5000];
    memset(huge, '"', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const details[] = {"plain", "quote \" backslash \\ \xc3\xa9", "broken \xff\xc3 utf-8", huge};
    log_configure(LOG_DEBUG, LOG_JSON);
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        capture_begin(&capture);
        log_event(LOG_ERROR, "event_name", "%s", details[i]);
        capture_end(&capture);
        JsonDocument *document = NULL;
        assert_int_equal(json_document_parse(text_view(capture.bytes), &document, NULL), STATUS_OK);
        TextView text;
        const JsonValue *root = json_document_root(document);
        assert_true(json_string(json_member(root, "level"), &text) && text_equal(text, text_view("error")));
        assert_true(json_string(json_member(root, "event"), &text) && text_equal(text, text_view("event_name")));
        assert_true(json_string(json_member(root, "time"), &text) &&
                    text.size == strlen("2026-01-31T12:00:00.000Z"));
        assert_true(json_string(json_member(root, "details"), &text));
        if (i < 2) assert_true(text_equal(text, text_view(details[i])));
        json_document_close(document);
    }
    log_configure(LOG_INFO, LOG_TEXT);
}

static void log_level_names_are_read(void **state)
{
    (void)state;
    LogLevel level = LOG_INFO;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_parse("loud", &level));
    assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_writes_one_line_an_event),
        cmocka_unit_test(log_json_lines_parse_whatever_the_details),
        cmocka_unit_test(log_level_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
