/* The tightest of what the server, the model and the request say. */
#include "rpc/sanitize_policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void set(SanitizePolicies *policies, SanitizeSetting setting, const char *text)
{
    Error error;
    if (sanitize_policies_set(policies, setting, text, &error)) fail_msg("%s", error.message);
}

static void assert_options(SanitizeOptions options, SanitizePolicy policy, SanitizeLevel level, uint64_t enabled)
{
    assert_int_equal(options.policy, policy);
    assert_int_equal(options.level, level);
    assert_int_equal(options.enabled, enabled);
}

static uint64_t bit(SanitizeRule rule)
{
    return (uint64_t)1 << rule;
}

static void policies_report_unless_told_otherwise(void **state)
{
    (void)state;
    SanitizePolicies policies = sanitize_policies_default();
    assert_options(sanitize_policies_of(&policies, text_view("any")), SANITIZE_REPORT, SANITIZE_HIGH, 0);
    set(&policies, SANITIZE_SET_POLICY, "off");
    set(&policies, SANITIZE_SET_LEVEL, "moderate");
    assert_options(sanitize_policies_of(&policies, text_view("any")), SANITIZE_OFF, SANITIZE_MODERATE, 0);
}

static void policies_of_a_model_only_tighten(void **state)
{
    (void)state;
    SanitizePolicies policies = sanitize_policies_default();
    set(&policies, SANITIZE_SET_POLICY, "clean,a=reject,b=off");
    set(&policies, SANITIZE_SET_LEVEL, "a=strict,b=moderate");
    set(&policies, SANITIZE_ENABLE, "LEET,a=TYPO_WORD,a=VOTE_UNSTABLE");
    assert_options(sanitize_policies_of(&policies, text_view("a")), SANITIZE_REJECT, SANITIZE_STRICT,
                   bit(RULE_LEET) | bit(RULE_TYPO_WORD) | bit(RULE_VOTE_UNSTABLE));
    assert_options(sanitize_policies_of(&policies, text_view("b")), SANITIZE_CLEAN, SANITIZE_HIGH, bit(RULE_LEET));
    assert_options(sanitize_policies_of(&policies, text_view("")), SANITIZE_CLEAN, SANITIZE_HIGH, bit(RULE_LEET));
}

static void policies_take_the_later_of_two(void **state)
{
    (void)state;
    SanitizePolicies policies = sanitize_policies_default();
    set(&policies, SANITIZE_SET_POLICY, "reject");
    set(&policies, SANITIZE_SET_POLICY, "clean");
    set(&policies, SANITIZE_SET_POLICY, "x=y=reject");
    set(&policies, SANITIZE_SET_POLICY, "x=y=report");
    assert_options(policies.server, SANITIZE_CLEAN, SANITIZE_HIGH, 0);
    assert_int_equal(policies.model_count, 1);
    assert_string_equal(policies.models[0].model, "x=y");
    assert_int_equal(policies.models[0].options.policy, SANITIZE_REPORT);
}

static void options_are_tightened_each_by_itself(void **state)
{
    (void)state;
    const SanitizeOptions a = {.policy = SANITIZE_REJECT, .level = SANITIZE_MODERATE, .enabled = 1};
    const SanitizeOptions b = {.policy = SANITIZE_REPORT, .level = SANITIZE_STRICT, .enabled = 2};
    assert_options(sanitize_policies_tighten(a, b), SANITIZE_REJECT, SANITIZE_STRICT, 3);
    assert_options(sanitize_policies_tighten(b, a), SANITIZE_REJECT, SANITIZE_STRICT, 3);
}

static void policies_refuse_what_is_no_word_of_theirs(void **state)
{
    (void)state;
    static const struct {
        SanitizeSetting setting;
        const char *text;
        const char *named;
    } wrong[] = {
        {SANITIZE_SET_POLICY, "", "off, report, clean and reject"},
        {SANITIZE_SET_POLICY, "clean,", "off, report, clean and reject"},
        {SANITIZE_SET_POLICY, "Clean", "'Clean'"},
        {SANITIZE_SET_POLICY, "m=", "''"},
        {SANITIZE_SET_POLICY, "=clean", "no model's name"},
        {SANITIZE_SET_LEVEL, "clean", "moderate, high and strict"},
        {SANITIZE_ENABLE, "LEET,leet", "'leet'"},
        {SANITIZE_ENABLE, "m=NO_SUCH", "'NO_SUCH'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        SanitizePolicies policies = sanitize_policies_default();
        Error error;
        assert_int_equal(sanitize_policies_set(&policies, wrong[i].setting, wrong[i].text, &error),
                         STATUS_INVALID_ARGUMENT);
        if (!strstr(error.message, wrong[i].named)) fail_msg("%s", error.message);
    }
}

static void policies_have_a_limit(void **state)
{
    (void)state;
    SanitizePolicies policies = sanitize_policies_default();
    Error error;
    char text[] = "aa=clean";
    for (int i = 0; i < SANITIZE_MODELS_MAX; i++) {
        text[0] = (char)('A' + i);
        set(&policies, SANITIZE_SET_POLICY, text);
    }
    text[0] = 'a';
    assert_int_equal(sanitize_policies_set(&policies, SANITIZE_SET_POLICY, text, &error), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_report_unless_told_otherwise),
        cmocka_unit_test(policies_of_a_model_only_tighten),
        cmocka_unit_test(policies_take_the_later_of_two),
        cmocka_unit_test(options_are_tightened_each_by_itself),
        cmocka_unit_test(policies_refuse_what_is_no_word_of_theirs),
        cmocka_unit_test(policies_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
