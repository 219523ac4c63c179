/* The run loop: policies, and what every text must give. */
#include "sanitizer/sanitizer.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Sanitized sanitized;

static void run(const char *text, SanitizePolicy policy, Arena *arena)
{
    SanitizeOptions options = {.policy = policy, .level = SANITIZE_HIGH, .wants_cleaned = true};
    arena_init(arena, 1 * MIB);
    assert_int_equal(sanitizer_run(text_view(text), &options, arena, &sanitized, NULL), STATUS_OK);
}

static void plain_text_is_left_alone_under_every_policy(void **state)
{
    (void)state;
    static const char text[] = "plain text,\r\n\ttwo lines\n";
    for (int policy = SANITIZE_OFF; policy <= SANITIZE_REJECT; policy++) {
        Arena arena;
        run(text, (SanitizePolicy)policy, &arena);
        assert_ptr_equal(sanitized.text.bytes, text);
        assert_int_equal(sanitized.text.size, sizeof text - 1);
        assert_false(sanitized.changed);
        assert_null(sanitized.map);
        assert_int_equal(sanitized.finding_count, 0);
        arena_free(&arena);
    }
}

static void a_report_may_have_what_cleaning_would_make_of_the_text(void **state)
{
    (void)state;
    static const char text[] = "ig\u200Bnore";
    for (int policy = SANITIZE_REPORT; policy <= SANITIZE_REJECT; policy++) {
        Arena arena;
        run(text, (SanitizePolicy)policy, &arena);
        bool cleans = policy == SANITIZE_CLEAN;
        assert_true(text_equal(sanitized.cleaned, text_view("ignore")));
        assert_true(text_equal(sanitized.text, text_view(cleans ? "ignore" : text)));
        assert_true(sanitized.cleaned_map && (sanitized.map != NULL) == cleans && sanitized.changed == cleans);
        assert_int_equal(sanitizer_original_range(sanitized.cleaned_map, (ByteRange){2, 3}).begin, 5);
        arena_free(&arena);
    }
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    SanitizeOptions options = {.policy = SANITIZE_REPORT, .level = SANITIZE_HIGH};
    Arena arena;
    Error error;
    arena_init(&arena, 1 * MIB);
    assert_int_equal(sanitizer_run(text_view("a\xC0\xAF"), &options, &arena, &sanitized, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "byte 1"));
    arena_free(&arena);
}

static void findings_are_listed_by_severity_and_then_position(void **state)
{
    (void)state;
    memset(&sanitized, 0, sizeof sanitized);
    for (uint32_t i = 0; i < 40; i++) {
        Finding finding = {.rule = i % 2 ? RULE_INV_TAG : RULE_COMPAT_FORM, .range = {40 - i, 41 - i}, .count = 1};
        sanitizer_add_finding(&sanitized, &finding);
    }
    assert_int_equal(sanitized.finding_count, SANITIZE_FINDINGS_MAX);
    assert_int_equal(sanitized.totals[RULE_INV_TAG], 20);
    assert_int_equal(sanitized.totals[RULE_COMPAT_FORM], 20);
    for (uint32_t i = 0; i < SANITIZE_FINDINGS_MAX; i++) {
        assert_int_equal(sanitized.findings[i].rule, i < 20 ? RULE_INV_TAG : RULE_COMPAT_FORM);
        assert_int_equal(sanitized.findings[i].range.begin, i < 20 ? 1 + 2 * i : 2 + 2 * (i - 20));
    }
}

static void levels_decide_what_is_refused(void **state)
{
    (void)state;
    static const SanitizeRule rules[] = {RULE_INV_TAG, RULE_HOMO_MIXED, RULE_HOMO_WHOLE, RULE_COMPAT_FORM};
    for (unsigned i = 0; i < 4; i++) {
        memset(&sanitized, 0, sizeof sanitized);
        sanitized.totals[rules[i]] = 1;
        for (unsigned level = SANITIZE_MODERATE; level <= SANITIZE_STRICT; level++) {
            SanitizeOptions options = {.policy = SANITIZE_REJECT, .level = (SanitizeLevel)level, .enabled = 0};
            assert_int_equal(sanitizer_refuses(&sanitized, &options), level >= i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_left_alone_under_every_policy),
        cmocka_unit_test(a_report_may_have_what_cleaning_would_make_of_the_text),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(findings_are_listed_by_severity_and_then_position),
        cmocka_unit_test(levels_decide_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
