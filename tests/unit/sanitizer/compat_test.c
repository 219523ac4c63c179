/* Compatible forms of letters. */
#include "cleaning.h"

static void forms_that_spell_words_are_folded(void **state)
{
    (void)state;
    static const CleaningCase cases[] = {
        {"\uFF48\uFF45\uFF4C\uFF4C\uFF4F", "hello"},
        {"\uFF29\uFF27\uFF2E\uFF2F\uFF32\uFF25\u3000\uFF3B\uFF33\uFF25\uFF30\uFF3D\uFF11", "IGNORE [SEP]1"},
        {"\U0001D422\U0001D420\U0001D427 \U0001D41A \U0001D7CF", "ign a 1"},
        {"h\U0001D41Ello he\u217C\u217Co", "hello hello"},
        {"\u24D7\u24D4\u24DB\u24DB\u24DE \U0001F177\U0001F174\U0001F17B", "hello HEL"},
        {"\u029C\u1D07\u029F\u029F\u1D0F \u1D00", "hello a"},
        {"h\u0251ppy \u0261oogle \u1D22ebra", "happy google zebra"},
        {"\u1D57\u02B0\u1D49", "the"},
        {"\uFB01le", "file"},
        {"\U0001D644\U0001D669'\U0001D668 a\U0001D69D", "It's at"},
        {"th\U0001D41A\U0001D42D \U0001D4D0 stirring", "that A stirring"},
        {"arg\U0001D42E\U0001D426\U0001D41E\U0001D427\U0001D42D", "argument"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cleaning_expect(cases[i].text, cases[i].cleaned);
        assert_true(cleaning_result.totals[RULE_COMPAT_FORM] > 0);
    }
}

static void forms_at_home_are_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\U0001D453(\U0001D465) = \U0001D44E\U0001D465\u00B2, \u211D\u207F, \u2102, 10 \u2113, sin\U0001D465 "
        "d\U0001D465, max\U0001D465\U0001D466",
        "\uFF2E\uFF28\uFF2B\u306E\u30CB\u30E5\u30FC\u30B9 \uFF34\u30B7\u30E3\u30C4 \uFF11\uFF10\u6708",
        "1\u02E2\u1D57, n\u1D57\u02B0, M\u1D50\u1D49, 4\u1D49",
        "\u24B6 \u2460 \u2122 \u2116 \u2103 \u00BD \uFDFA",
        "\u2163, \u2169\u2169 \u0432\u0435\u043A",
        "/\u0261\u0259\u028At/ [b\u0251\u02D0d] \u02C8\u0261\u028Ad",
        "\U0001F170\uFE0F \U0001F17E\uFE0F \U0001F18E \u24C2\uFE0F",
        "na\u00EFve caf\u00E9 \u212Bngstr\u00F6m",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) cleaning_expect_nothing(texts[i]);
}

static void a_folded_word_is_one_finding_with_its_letters(void **state)
{
    (void)state;
    cleaning_expect("a \uFF48\uFF49 b", "a hi b");
    assert_int_equal(cleaning_result.finding_count, 1);
    const Finding *finding = &cleaning_result.findings[0];
    assert_int_equal(finding->range.begin, 2);
    assert_int_equal(finding->range.end, 8);
    assert_int_equal(finding->count, 2);
    assert_int_equal(finding->action, ACTION_MAPPED);
    assert_int_equal(finding->detail_size, 2);
    assert_memory_equal(finding->detail, "hi", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_spell_words_are_folded),
        cmocka_unit_test(forms_at_home_are_left_alone),
        cmocka_unit_test(a_folded_word_is_one_finding_with_its_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
