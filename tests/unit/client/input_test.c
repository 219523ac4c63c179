/* Texts from files and arguments: separators, chunks, limits, UTF-8. */
#include "input.h"

#include "base/limits.h"
#include "call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void write_file(char path[32], const char *bytes, size_t size)
{
    strcpy(path, "/tmp/input_test.XXXXXX");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *stream = fdopen(descriptor, "wb");
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

static Input *open_file(const char *path, bool null_separated)
{
    InputSource source = {.file = path, .null_separated = null_separated};
    Input *input;
    assert_int_equal(input_open(&source, &input, NULL), STATUS_OK);
    return input;
}

static void expect_texts(const char *bytes, size_t size, bool null_separated, const char *const *texts)
{
    char path[32];
    write_file(path, bytes, size);
    Input *input = open_file(path, null_separated);
    TextView text;
    Error error;
    for (size_t index = 0; texts[index]; index++) {
        assert_int_equal(input_next(input, &text, &error), INPUT_TEXT);
        assert_true(text_equal(text, text_view(texts[index])));
    }
    assert_int_equal(input_next(input, &text, &error), INPUT_END);
    assert_int_equal(input_next(input, &text, &error), INPUT_END);
    input_close(input);
    unlink(path);
}

static void input_counts_every_line(void **state)
{
    (void)state;
    expect_texts("", 0, false, (const char *const[]){NULL});
    expect_texts("\n", 1, false, (const char *const[]){"", NULL});
    expect_texts("a", 1, false, (const char *const[]){"a", NULL});
    expect_texts("a\n", 2, false, (const char *const[]){"a", NULL});
    expect_texts("a\n\nb", 4, false, (const char *const[]){"a", "", "b", NULL});
    expect_texts("a\nb\0c\0", 6, true, (const char *const[]){"a\nb", "c", NULL});
}

static void input_lines_may_end_in_crlf(void **state)
{
    (void)state;
    expect_texts("a\r\n\r\nb\r\r\n", 9, false, (const char *const[]){"a", "", "b\r", NULL});
    expect_texts("a\rb\nc\r", 6, false, (const char *const[]){"a\rb", "c\r", NULL});
    expect_texts("a\r\0b\r\n", 6, true, (const char *const[]){"a\r", "b\r\n", NULL});
}

static void input_gives_the_arguments(void **state)
{
    (void)state;
    char first[] = "eins", second[] = "";
    char *arguments[] = {first, second};
    InputSource source = {.arguments = arguments, .argument_count = 2};
    Input *input;
    TextView text;
    Error error;
    assert_int_equal(input_open(&source, &input, &error), STATUS_OK);
    assert_true(input_from_arguments(input));
    assert_int_equal(input_next(input, &text, &error), INPUT_TEXT);
    assert_true(text_equal(text, text_view("eins")));
    assert_int_equal(input_next(input, &text, &error), INPUT_TEXT);
    assert_int_equal(text.size, 0);
    assert_int_equal(input_next(input, &text, &error), INPUT_END);
    char location[INPUT_LOCATION_BYTES];
    input_locate(input, 1, 1, location);
    assert_string_equal(location, "text 2");
    input_locate(input, 0, 1, location);
    assert_string_equal(location, "texts 1 to 2");
    input_close(input);
    source.file = "both";
    assert_int_equal(input_open(&source, &input, &error), STATUS_INVALID_ARGUMENT);
}

/* Lines of all lengths around the buffer's, so that every way of moving and growing it is taken. */
static void input_keeps_lines_whole_across_reads(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL), random = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    enum { LINES = 200 };
    size_t sizes[LINES], total = 0;
    for (size_t line = 0; line < LINES; line++) {
        sizes[line] = call_random(&random) % (call_random(&random) % 8 == 0 ? 600000 : 3000);
        total += sizes[line] + 1;
    }
    char *bytes = malloc(total), *end = bytes;
    assert_non_null(bytes);
    for (size_t line = 0; line < LINES; line++) {
        memset(end, 'a' + (int)(line % 26), sizes[line]);
        end[sizes[line]] = '\n';
        end += sizes[line] + 1;
    }
    char path[32];
    write_file(path, bytes, total);
    Input *input = open_file(path, false);
    TextView text;
    Error error;
    end = bytes;
    for (size_t line = 0; line < LINES; line++) {
        assert_int_equal(input_next(input, &text, &error), INPUT_TEXT);
        assert_true(text_equal(text, (TextView){end, sizes[line]}));
        end += sizes[line] + 1;
    }
    assert_int_equal(input_next(input, &text, &error), INPUT_END);
    input_close(input);
    unlink(path);
    free(bytes);
}

static void input_refuses_a_text_beyond_the_limit(void **state)
{
    (void)state;
    size_t size = TEXT_BYTES_MAX + 3;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    static const char *const ends[] = {"", "\n", "\r\n", "xxx", "x", "x\n", "x\r\n"};
    for (int end = 0; end < 7; end++) {
        bool over = ends[end][0] == 'x';
        char path[32];
        memcpy(bytes + TEXT_BYTES_MAX, ends[end], strlen(ends[end]));
        write_file(path, bytes, TEXT_BYTES_MAX + strlen(ends[end]));
        Input *input = open_file(path, false);
        TextView text;
        Error error;
        assert_int_equal(input_next(input, &text, &error), over ? INPUT_FAILED : INPUT_TEXT);
        if (!over) assert_int_equal(text.size, TEXT_BYTES_MAX);
        input_close(input);
        unlink(path);
    }
    free(bytes);
}

static void input_finds_the_first_byte_that_is_not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t position;
    } cases[] = {
        {"abc", 3},
        {"\xC2\x80 \xDF\xBF", 5},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
        {"a\x80", 1},
        {"\xC0\x80", 0},
        {"\xC1\xBF", 0},
        {"ab\xE0\x9F\xBF", 2},
        {"\xED\xA0\x80", 0},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"\xE2\x82", 0},
        {"\xF0\x9F\x98", 0},
        {"\xFF", 0},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        assert_int_equal(input_find_invalid(text_view(cases[index].text)), cases[index].position);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_counts_every_line),
        cmocka_unit_test(input_lines_may_end_in_crlf),
        cmocka_unit_test(input_gives_the_arguments),
        cmocka_unit_test(input_keeps_lines_whole_across_reads),
        cmocka_unit_test(input_refuses_a_text_beyond_the_limit),
        cmocka_unit_test(input_finds_the_first_byte_that_is_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
