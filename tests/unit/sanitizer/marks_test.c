/* Stacked marks and code points without a meaning. */
#include "cleaning.h"

#define FLOOD "\u0300\u0316\u0301\u0317\u0302\u0318\u0303"

static void marks_of_languages_stay(void **state)
{
    (void)state;
    cleaning_expect_nothing("e\u0302\u0301 \u1EC7 a\u0323\u0302\u0301\u0308"); /* Vietnamese, four at most */
    cleaning_expect_nothing("\u05E9\u05C1\u05BC\u05B8\u0596\u05BD");           /* Hebrew with its accents */
    cleaning_expect_nothing("\u0628\u0651\u064E\u0670 \u0E19\u0E35\u0E49");    /* Arabic, Thai */
    cleaning_expect_nothing(
        "\u0F66\u0F90\u0FB1\u0FB2\u0FAD\u0F74\u0F7E \u1000\u103B\u103D\u103E\u102D\u102F\u1037"); /* stacks */
    cleaning_expect_nothing("s\u0336t\u0336r\u0336uck");
}

static void floods_go_from_the_whole_word(void **state)
{
    (void)state;
    cleaning_expect_rule("z" FLOOD "a\u0327l" FLOOD "go", "zalgo", RULE_MARK_FLOOD, 15);
    assert_int_equal(cleaning_result.totals[RULE_MARK_FLOOD], 1);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_TRUNCATED);
    cleaning_expect_rule("a " FLOOD "b", "a b", RULE_MARK_FLOOD, 7);
    cleaning_expect_rule("re\u0301sume\u0301 z" FLOOD, "re\u0301sume\u0301 z", RULE_MARK_FLOOD, 7);
    cleaning_expect_rule("\u0E01\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47\u0E47",
                         "\u0E01\u0E47\u0E47\u0E47\u0E47", RULE_MARK_FLOOD, 7);
}

static void text_that_is_struck_through_is_freed(void **state)
{
    (void)state;
    cleaning_expect_rule("s\u0336t\u0336r\u0336u\u0336c\u0336k\u0336", "struck", RULE_MARK_FLOOD, 6);
    cleaning_expect_rule("o\u0332n\u0332 \u0332i\u0332t\u0332, no", "on it, no", RULE_MARK_FLOOD, 5);
    cleaning_expect_rule("a\u0353\u033Dm\u0353\u033D i\u0353\u033Dt\u0353\u033Ds\u0353\u033D", "am its",
                         RULE_MARK_FLOOD, 4);
    cleaning_expect_nothing("a\u0332b\u0335c\u0332d\u0335e\u0332 w\u0332o\u0332r\u0332d");
    cleaning_expect_nothing("1\u20E32\u20E33\u20E34\u20E35\u20E36\u20E3");
    cleaning_expect_nothing("A\u0308A\u0308A\u0308A\u0308A\u0308h");
}

static void private_code_points_go_at_the_strict_level_only(void **state)
{
    (void)state;
    static const char text[] = "a\uE000b\u0378c \U0001FAFF";
    cleaning_expect(text, text);
    assert_int_equal(cleaning_result.totals[RULE_PRIVATE_UNASSIGNED], 2);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_NONE);
    cleaning_expect_at(text, "abc \U0001FAFF", SANITIZE_STRICT, 0);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_DROPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_of_languages_stay),
        cmocka_unit_test(floods_go_from_the_whole_word),
        cmocka_unit_test(text_that_is_struck_through_is_freed),
        cmocka_unit_test(private_code_points_go_at_the_strict_level_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
