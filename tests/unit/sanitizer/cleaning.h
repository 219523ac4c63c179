/* What the tests of the families share: a text goes in, what is made of it and what is found come out. */
#pragma once

#include "base/limits.h"
#include "sanitizer/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct CleaningCase {
    const char *text, *cleaned;
} CleaningCase;

static Sanitized cleaning_result; /* stands until the next call */
static Arena cleaning_arena;

static inline void cleaning_run_at(TextView text, const SanitizeOptions *options)
{
    Error error = {0};
    arena_free(&cleaning_arena);
    arena_init(&cleaning_arena, 64 * MIB);
    if (sanitizer_run(text, options, &cleaning_arena, &cleaning_result, &error)) fail_msg("%s", error.message);
}

static inline void cleaning_run(TextView text, SanitizePolicy policy)
{
    cleaning_run_at(text, &(SanitizeOptions){.policy = policy, .level = SANITIZE_HIGH});
}

/* `text` becomes `cleaned`, which then stays as it is; report finds the same and changes nothing. The result is the
 * cleaning's. */
static inline void cleaning_expect_at(const char *text, const char *cleaned, SanitizeLevel level, uint64_t enabled)
{
    SanitizeOptions options = {.policy = SANITIZE_REPORT, .level = level, .enabled = enabled};
    uint32_t totals[RULE_COUNT];
    cleaning_run_at(text_view(text), &options);
    assert_ptr_equal(cleaning_result.text.bytes, text);
    memcpy(totals, cleaning_result.totals, sizeof totals);
    options.policy = SANITIZE_CLEAN;
    cleaning_run_at(text_view(cleaned), &options);
    assert_false(cleaning_result.changed);
    cleaning_run_at(text_view(text), &options);
    TextView found = cleaning_result.text;
    if (!text_equal(found, text_view(cleaned))) {
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", text, (int)found.size, found.bytes, cleaned);
    }
    assert_memory_equal(totals, cleaning_result.totals, sizeof totals);
    assert_int_equal(cleaning_result.changed, strcmp(text, cleaned) != 0);
}

static inline void cleaning_expect(const char *text, const char *cleaned)
{
    cleaning_expect_at(text, cleaned, SANITIZE_HIGH, 0);
}

/* The text is left alone and nothing is found. */
static inline void cleaning_expect_nothing(const char *text)
{
    cleaning_expect(text, text);
    if (cleaning_result.finding_count) {
        fail_msg("\"%s\" has %s", text, rules_info(cleaning_result.findings[0].rule)->code);
    }
}

/* `text` becomes `cleaned` by findings of `rule` alone, of which the first is of `count` code points. */
static inline void cleaning_expect_rule(const char *text, const char *cleaned, SanitizeRule rule, uint32_t count)
{
    cleaning_expect(text, cleaned);
    assert_true(cleaning_result.finding_count > 0);
    assert_int_equal(cleaning_result.findings[0].count, count);
    for (uint32_t i = 0; i < cleaning_result.finding_count; i++) {
        assert_string_equal(rules_info(cleaning_result.findings[i].rule)->code, rules_info(rule)->code);
    }
}

/* The first finding of the last text has that detail. */
static inline void cleaning_expect_detail(const char *detail)
{
    assert_int_equal(cleaning_result.findings[0].detail_size, strlen(detail));
    assert_memory_equal(cleaning_result.findings[0].detail, detail, strlen(detail));
}

/* The first finding of `text` is `rule` over [begin, end); it is the only one of its rule. */
static inline void cleaning_expect_finding(const char *text, SanitizeRule rule, uint32_t begin, uint32_t end)
{
    cleaning_run(text_view(text), SANITIZE_REPORT);
    assert_int_equal(cleaning_result.totals[rule], 1);
    assert_string_equal(rules_info(cleaning_result.findings[0].rule)->code, rules_info(rule)->code);
    assert_int_equal(cleaning_result.findings[0].range.begin, begin);
    assert_int_equal(cleaning_result.findings[0].range.end, end);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_NONE);
}
