/* What reaches a terminal of a text. */
#include "picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char *picture_diff(TextView before, TextView after, bool colours)
{
    char *shown;
    size_t size, count;
    DiffPiece *pieces;
    assert_int_equal(diff_texts(before, after, &pieces, &count, NULL), STATUS_OK);
    FILE *stream = open_memstream(&shown, &size);
    picture_print_diff(stream, before, after, pieces, count, colours);
    fclose(stream);
    free(pieces);
    return shown;
}

static void assert_diff(const char *before, const char *after, const char *expected)
{
    char *shown = picture_diff(text_view(before), text_view(after), false);
    assert_string_equal(shown, expected);
    free(shown);
}

static void assert_found(const char *text, const ByteRange *ranges, size_t count, const char *expected)
{
    char *shown;
    size_t size;
    FILE *stream = open_memstream(&shown, &size);
    picture_print_found(stream, text_view(text), ranges, count, false);
    fclose(stream);
    assert_string_equal(shown, expected);
    free(shown);
}

static void picture_spells_out_what_was_removed(void **state)
{
    (void)state;
    assert_diff("pay\u200Bpal", "paypal", "pay[-<U+200B>-]pal");
    assert_diff("p\u0430ypal", "paypal", "p[-\u0430-]{+a+}ypal");
    assert_diff("a\xFF", "a\uFFFD", "a[-<FF>-]{+\uFFFD+}");
    char *shown = picture_diff(text_view("ab"), text_view("a"), true);
    assert_string_equal(shown, "a\x1B[31mb\x1B[0m");
    free(shown);
}

static void picture_keeps_what_honest_text_needs(void **state)
{
    (void)state;
    assert_diff("\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645 x",
                "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645",
                "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645[- x-]");
    assert_diff("\U0001F468\u200D\U0001F469 x", "\U0001F468\u200D\U0001F469", "\U0001F468\u200D\U0001F469[- x-]");
}

/* Escape sequences, cursor movements, overrides: in marks and between them, alone and beside a longer part. */
static void picture_never_steers_the_terminal(void **state)
{
    (void)state;
    const char *const hostile[] = {"\x1B]0;t\x07",
                                   "\r",
                                   "\b",
                                   "\n",
                                   "\xC2\x9B"
                                   "1m",
                                   "\u202E",
                                   "\u2066",
                                   "\u2028",
                                   "\xFF"};
    for (size_t index = 0; index < sizeof hostile / sizeof *hostile; index++) {
        for (int place = 0; place < 3; place++) {
            char before[64], after[64];
            snprintf(before, sizeof before, "a%sb%sc", place != 1 ? hostile[index] : "",
                     place != 2 ? hostile[index] : "");
            snprintf(after, sizeof after, "a%sb", place == 0 ? hostile[index] : "");
            char *shown = picture_diff(text_view(before), text_view(after), false);
            assert_null(strstr(shown, hostile[index]));
            for (const char *at = shown; *at; at++) assert_true((unsigned char)*at >= 0x20 && *at != 0x7F);
            free(shown);
        }
    }
}

static void picture_marks_what_was_found(void **state)
{
    (void)state;
    assert_found("plain", NULL, 0, "plain");
    assert_found("pay\u200Bpal", (ByteRange[]){{3, 6}}, 1, "pay[!<U+200B>!]pal");
    assert_found("abcdef", (ByteRange[]){{0, 2}, {1, 3}, {1, 2}, {5, 6}}, 4, "[!ab!][!c!]de[!f!]");
}

static void picture_leaves_out_what_is_far_from_marks(void **state)
{
    (void)state;
    enum { SIZE = 3000 };
    char *text = malloc(3 * SIZE + 1), *shown;
    for (size_t index = 0; index < SIZE; index++) memcpy(text + 3 * index, "\u20AC", 3);
    text[3 * SIZE] = '\0';
    size_t size;
    FILE *stream = open_memstream(&shown, &size);
    picture_print_found(stream, text_view(text), (ByteRange[]){{4500, 4503}}, 1, false);
    fclose(stream);
    assert_true(size < 1000);
    assert_non_null(strstr(shown, " ... \u20AC"));
    assert_non_null(strstr(shown, "\u20AC[!\u20AC!]\u20AC"));
    assert_null(strstr(shown, "<E2>")); /* no character was cut */
    free(shown);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture_spells_out_what_was_removed),
        cmocka_unit_test(picture_keeps_what_honest_text_needs),
        cmocka_unit_test(picture_never_steers_the_terminal),
        cmocka_unit_test(picture_marks_what_was_found),
        cmocka_unit_test(picture_leaves_out_what_is_far_from_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
