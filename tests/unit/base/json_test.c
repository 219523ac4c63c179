/* The door to JSON: strict about what it takes, exact about what it gives. */
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static JsonDocument *parse(const char *text)
{
    JsonDocument *document = NULL;
    Error error;
    Status status = json_document_parse(text_view(text), &document, &error);
    if (status != STATUS_OK) fail_msg("%s: %s", text, error.message);
    return document;
}

static void assert_refused(TextView text, Status expected, const char *reason)
{
    JsonDocument *document = NULL;
    Error error = {.message = ""};
    Status status = json_document_parse(text, &document, &error);
    if (status != expected || !strstr(error.message, reason)) {
        fail_msg("'%.60s': status \"%s\", message \"%s\", expected \"%s\"", text.bytes, status_name(status),
                 error.message, reason);
    }
    assert_null(document);
    assert_int_equal(error.status, expected);
}

static void json_reads_values_of_every_type(void **state)
{
    (void)state;
    JsonDocument *document =
        parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"r\":2.5,\"s\":\"x\",\"a\":[1,2],\"o\":{}}");
    const JsonValue *root = json_document_root(document);
    bool boolean = false;
    double number = 0;
    int64_t integer = 0;
    TextView text;
    assert_int_equal(json_type(root), JSON_OBJECT);
    assert_int_equal(json_type(json_member(root, "n")), JSON_NULL);
    assert_true(json_boolean(json_member(root, "t"), &boolean) && boolean);
    assert_true(json_boolean(json_member(root, "f"), &boolean) && !boolean);
    assert_true(json_integer(json_member(root, "i"), -7, -7, &integer));
    assert_int_equal(integer, -7);
    assert_true(json_number(json_member(root, "r"), &number) && number == 2.5);
    assert_true(json_string(json_member(root, "s"), &text) && text_equal(text, text_view("x")));
    assert_int_equal(json_size(json_member(root, "a")), 2);
    assert_int_equal(json_size(json_member(root, "o")), 0);
    assert_null(json_first(json_member(root, "o")));
    json_document_close(document);
}

static void json_readers_take_an_absent_value(void **state)
{
    (void)state;
    bool boolean;
    double number;
    int64_t integer;
    TextView text;
    assert_int_equal(json_type(NULL), JSON_NULL);
    assert_null(json_member(NULL, "x"));
    assert_null(json_first(NULL));
    assert_null(json_next(NULL));
    assert_int_equal(json_size(NULL), 0);
    assert_int_equal(json_key(NULL).size, 0);
    assert_false(json_boolean(NULL, &boolean) || json_number(NULL, &number) || json_string(NULL, &text) ||
                 json_integer(NULL, 0, 1, &integer));
    json_document_close(NULL);
}

static void json_integer_takes_whole_numbers_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max;
        bool valid;
        int64_t value;
    } cases[] = {
        {"1e3", 0, 1000, true, 1000},
        {"2.0", 0, 5, true, 2},
        {"2.5", 0, 5, false, 0},
        {"-0", 0, 0, true, 0},
        {"6", 0, 5, false, 0},
        {"9007199254740992", 0, INT64_MAX, true, 9007199254740992},
        {"9223372036854775808", 0, INT64_MAX, false, 0},
        {"-9223372036854775808", INT64_MIN, 0, true, INT64_MIN},
        {"1000000000000000019884624838656", 0, INT64_MAX, false, 0},
        {"1e999", INT64_MIN, INT64_MAX, false, 0},
        {"true", 0, 5, false, 0},
        {"\"2\"", 0, 5, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        JsonDocument *document = parse(cases[i].text);
        int64_t value = 0;
        if (json_integer(json_document_root(document), cases[i].min, cases[i].max, &value) != cases[i].valid ||
            value != cases[i].value) {
            fail_msg("%s gives %lld", cases[i].text, (long long)value);
        }
        json_document_close(document);
    }
}

static void json_number_beyond_a_double_is_absent(void **state)
{
    (void)state;
    double number = 0;
    JsonDocument *document = parse("[1e999, 1e30]");
    const JsonValue *item = json_first(json_document_root(document));
    assert_false(json_number(item, &number));
    assert_true(json_number(json_next(item), &number) && number == 1e30);
    json_document_close(document);
}

static void json_keeps_the_order_and_the_last_of_repeated_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"b", "a", "b"};
    int64_t value = 0;
    int index = 0;
    JsonDocument *document = parse("{\"b\":1,\"a\":2,\"b\":3}");
    const JsonValue *root = json_document_root(document);
    for (const JsonValue *item = json_first(root); item; item = json_next(item)) {
        assert_string_equal(json_key(item).bytes, keys[index++]);
    }
    assert_int_equal(index, 3);
    assert_int_equal(json_size(root), 3);
    assert_true(json_integer(json_member(root, "b"), 0, 9, &value));
    assert_int_equal(value, 3);
    assert_null(json_member(root, "B"));
    json_document_close(document);
}

static void json_unescapes_strings_and_keys(void **state)
{
    (void)state;
    TextView text;
    JsonDocument *document = parse("{\"\\u00e9\\n\":\"\\\"\\\\\\/\\b\\f\\r\\t\\ud83d\\ude00 \xC3\xA9\"}");
    const JsonValue *member = json_first(json_document_root(document));
    assert_string_equal(json_key(member).bytes, "\xC3\xA9\n");
    assert_true(json_string(member, &text));
    assert_string_equal(text.bytes, "\"\\/\b\f\r\t\xF0\x9F\x98\x80 \xC3\xA9");
    assert_int_equal(text.size, strlen(text.bytes));
    json_document_close(document);
}

static void json_refuses_what_the_grammar_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "[1 2]",
        "[1]]",
        "]",
        "tru",
        "nulls",
        "True",
        "NaN",
        "-",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x10",
        "-01",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\uzzzz\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "[1]x",
        "{} {}",
        "/**/1",
        "[1,,2]",
        "{\"a\":}",
        "\x0B"
        "1",
        "-Infinity",
        "\"\t\"",
        "\"\\",
        "\"\\u",
        "[\"a\\\"]",
        "1 \f",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_refused(text_view(texts[i]), STATUS_CORRUPT, "line 1, column");
    }
    assert_refused((TextView){"1\0", 2}, STATUS_CORRUPT, "line 1, column 2");
    assert_refused((TextView){"[]\0[]", 5}, STATUS_CORRUPT, "line 1, column 3");
    assert_refused((TextView){"\"a\0b\"", 5}, STATUS_CORRUPT, "control byte");
    assert_refused(text_view("\xEF\xBB\xBF{}"), STATUS_CORRUPT, "line 1, column 1");
}

static void json_refuses_a_nul_in_a_string(void **state)
{
    (void)state;
    assert_refused(text_view("\"a\\u0000b\""), STATUS_CORRUPT, "\\u0000");
    assert_refused(text_view("{\"\\u0000\":1}"), STATUS_CORRUPT, "\\u0000");
    json_document_close(parse("\"\\\\u0000\""));
}

static void json_refuses_invalid_utf8(void **state)
{
    (void)state;
    static const char *const sequences[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x41",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xE2\x82",
        "\xE2\x82\x41",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        char text[16];
        snprintf(text, sizeof text, "\"%s\"", sequences[i]);
        assert_refused(text_view(text), STATUS_CORRUPT, "invalid UTF-8");
        snprintf(text, sizeof text, "\"%s", sequences[i]);
        assert_refused(text_view(text), STATUS_CORRUPT, "");
    }
    json_document_close(parse(
        "\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""));
}

static void json_error_names_line_and_column(void **state)
{
    (void)state;
    assert_refused(text_view("{\n  \"a\": 01\n}"), STATUS_CORRUPT, "line 2, column 8: not a number");
    assert_refused(text_view("{\n\"a\": 1,\n\"b\" 2}"), STATUS_CORRUPT, "line 3, column 5: JSON syntax error");
}

/* `count` times `open`, then as often `close`. */
static char *nest(size_t count, const char *open, const char *close)
{
    char *text = calloc(1, count * (strlen(open) + strlen(close)) + 1);
    assert_non_null(text);
    char *end = text;
    for (size_t i = 0; i < count; i++) end = stpcpy(end, open);
    for (size_t i = 0; i < count; i++) end = stpcpy(end, close);
    return text;
}

static void json_refuses_nesting_beyond_the_limit(void **state)
{
    (void)state;
    char *allowed = nest(JSON_DEPTH_MAX, "[", "]");
    json_document_close(parse(allowed));
    free(allowed);
    char *deep = nest(JSON_DEPTH_MAX + 1, "[", "]");
    assert_refused(text_view(deep), STATUS_RESOURCE_EXHAUSTED, "64 levels");
    free(deep);
    char *abyss = nest(2000000, "{\"a\":", "}");
    assert_refused(text_view(abyss), STATUS_RESOURCE_EXHAUSTED, "64 levels");
    free(abyss);
    json_document_close(parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""));
}

static void json_refuses_too_many_values_and_bytes(void **state)
{
    (void)state;
    size_t size = 2 * JSON_VALUE_COUNT_MAX + 3;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ',', size);
    assert_refused((TextView){text, size}, STATUS_RESOURCE_EXHAUSTED, "more values");
    free(text);
    assert_refused((TextView){"", JSON_BYTES_MAX + 1}, STATUS_RESOURCE_EXHAUSTED, "bytes of JSON");
    char number[80] = "0.";
    memset(number + 2, '1', 70);
    assert_refused(text_view(number), STATUS_RESOURCE_EXHAUSTED, "62 characters");
    number[62] = '\0';
    json_document_close(parse(number));
}

static void json_file_errors_start_with_the_path(void **state)
{
    (void)state;
    char path[] = "/tmp/headlight-json-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0 && write(descriptor, "{\n01", 4) == 4);
    JsonDocument *document = NULL;
    Error error;
    assert_int_equal(json_document_open(path, &document, &error), STATUS_CORRUPT);
    assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
    assert_non_null(strstr(error.message, "line 2, column 1"));
    assert_int_equal(json_document_open(path, &document, NULL), STATUS_CORRUPT);
    close(descriptor);
    unlink(path);
    assert_int_equal(json_document_open(path, &document, &error), STATUS_NOT_FOUND);
    assert_int_equal(json_document_open("/tmp", &document, &error), STATUS_IO);
    assert_null(document);
}

static void assert_written(TextView text, const char *expected)
{
    char *written = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&written, &size);
    assert_non_null(stream);
    assert_true(json_write_string(stream, text));
    fclose(stream);
    assert_string_equal(written, expected);
    free(written);
}

static void json_writes_strings_that_any_reader_takes(void **state)
{
    (void)state;
    assert_written(text_view(""), "\"\"");
    assert_written(text_view("a\"b\\c\n\t\x7F"), "\"a\\\"b\\\\c\\n\\u0009\\u007f\"");
    assert_written((TextView){"a\0b", 3}, "\"a\\u0000b\"");
    assert_written(text_view("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    assert_written(text_view("x\xFFy\xE2\x82"), "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads_values_of_every_type),
        cmocka_unit_test(json_readers_take_an_absent_value),
        cmocka_unit_test(json_integer_takes_whole_numbers_within_bounds),
        cmocka_unit_test(json_number_beyond_a_double_is_absent),
        cmocka_unit_test(json_keeps_the_order_and_the_last_of_repeated_keys),
        cmocka_unit_test(json_unescapes_strings_and_keys),
        cmocka_unit_test(json_refuses_what_the_grammar_refuses),
        cmocka_unit_test(json_refuses_a_nul_in_a_string),
        cmocka_unit_test(json_refuses_invalid_utf8),
        cmocka_unit_test(json_error_names_line_and_column),
        cmocka_unit_test(json_refuses_nesting_beyond_the_limit),
        cmocka_unit_test(json_refuses_too_many_values_and_bytes),
        cmocka_unit_test(json_file_errors_start_with_the_path),
        cmocka_unit_test(json_writes_strings_that_any_reader_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
