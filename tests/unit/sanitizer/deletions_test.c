/* Backspaces, carriage returns, control characters and malformed bytes. */
#include "cleaning.h"

static void backspaces_take_what_stands_before_them(void **state)
{
    (void)state;
    cleaning_expect("tx\best", "test");
    cleaning_expect("txyz\b\b\best", "test");
    cleaning_expect("tx\x7F"
                    "est",
                    "test");
    cleaning_expect("\b\btest\b", "tes");
    cleaning_expect("one\n\btwo", "one\ntwo");
    cleaning_expect("N\bNA\bAM\bME\bE", "NAME");
    cleaning_expect("\xC3\xA9\b\xF0\x9F\x98\x80\btest", "test");
    cleaning_expect("tx\xE2\x80\x8B\best", "test"); /* a zero-width space takes no cell */
}

static void a_deletion_is_one_finding_over_what_it_takes(void **state)
{
    (void)state;
    cleaning_expect_finding("txyz\b\b\best", RULE_CTRL_DELETE, 1, 7);
    assert_int_equal(cleaning_result.findings[0].count, 6);
    cleaning_run(text_view("tx\besy\bt"), SANITIZE_CLEAN);
    assert_int_equal(cleaning_result.totals[RULE_CTRL_DELETE], 2);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_DROPPED);
    ByteRange word = sanitizer_original_range(cleaning_result.map, (ByteRange){0, 4});
    assert_int_equal(word.begin, 0);
    assert_int_equal(word.end, 8);
}

static void a_carriage_return_overwrites(void **state)
{
    (void)state;
    cleaning_expect("evil words\rnice words!", "nice words!");
    cleaning_expect("abcdef\rXYZ", "XYZdef");
    cleaning_expect("a\n10%\r20%\r100%\nb", "a\n100%\nb");
    cleaning_expect_finding("a\nbad\rgood\n", RULE_CTRL_DELETE, 2, 6);
}

static void line_ends_are_left_alone(void **state)
{
    (void)state;
    cleaning_expect_nothing("one\r\ntwo\r\n");
    cleaning_expect_nothing("one\r\r\ntwo");
    cleaning_expect_nothing("cut off\r");
    cleaning_expect_nothing("old lines\rthat end\rso\r");
    cleaning_expect_nothing("\n\f\npage");
    cleaning_expect_nothing("page one.\fPage two\v");
}

static void other_controls_are_dropped(void **state)
{
    (void)state;
    cleaning_expect("te\x01st \xC2\x9F"
                    "a\x1F",
                    "test a");
    cleaning_expect("te\fst", "test");
    cleaning_expect("\xEF\xBF\xB9"
                    "base\xEF\xBF\xBAnote\xEF\xBF\xBB",
                    "basenote");
    cleaning_expect_finding("te\x01\x02st", RULE_CTRL_OTHER, 2, 4);
}

static void escape_sequences_go_whole(void **state)
{
    (void)state;
    cleaning_expect("\x1B[1;31mred\x1B[0m text\x1B[K", "red text");
    cleaning_expect("\x1B]8;;http://a/\x1B\\link\x1B]8;;\x07", "link");
    cleaning_expect("a\x1B[]b \x1B]open", "a[]b ]open");
    cleaning_expect("\x1B", "");
}

static void malformed_bytes_become_replacement_characters(void **state)
{
    (void)state;
    cleaning_expect("nul", "nul");
    cleaning_run((TextView){"a\0b", 3}, SANITIZE_REPORT);
    assert_int_equal(cleaning_result.totals[RULE_ENC_INVALID_UTF8], 1);
    static const char *const texts[][2] = {
        {"a\xC0\xAF"
         "b",
         "a\xEF\xBF\xBD\xEF\xBF\xBD"
         "b"},                                                    /* overlong: a byte each */
        {"\xE2\x82", "\xEF\xBF\xBD"},                             /* cut off: one */
        {"\xF0\x9F\x98x", "\xEF\xBF\xBDx"},                       /* a prefix of four: one */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate: three */
        {"ok \xE2\x82\xAC \xFF", "ok \xE2\x82\xAC \xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cleaning_run(text_view(texts[i][0]), SANITIZE_CLEAN);
        assert_int_equal(cleaning_result.text.size, strlen(texts[i][1]));
        assert_memory_equal(cleaning_result.text.bytes, texts[i][1], cleaning_result.text.size);
        assert_true(cleaning_result.totals[RULE_ENC_INVALID_UTF8] > 0);
        ByteRange all =
            sanitizer_original_range(cleaning_result.map, (ByteRange){0, (uint32_t)cleaning_result.text.size});
        assert_int_equal(all.end, strlen(texts[i][0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backspaces_take_what_stands_before_them),
        cmocka_unit_test(a_deletion_is_one_finding_over_what_it_takes),
        cmocka_unit_test(a_carriage_return_overwrites),
        cmocka_unit_test(line_ends_are_left_alone),
        cmocka_unit_test(other_controls_are_dropped),
        cmocka_unit_test(escape_sequences_go_whole),
        cmocka_unit_test(malformed_bytes_become_replacement_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
