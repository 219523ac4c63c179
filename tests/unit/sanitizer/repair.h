/* What the tests of families share: a text goes in, what is made of it and what is found come out. */
#pragma once

#include "base/limits.h"
#include "sanitizer/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Sanitized repaired;
static Arena repair_arena;

/* Runs at the level that is the default; the result stands until the next call. */
static inline void repair_run(TextView text, SanitizePolicy policy)
{
    SanitizeOptions options = {policy, SANITIZE_HIGH, 0};
    Error error = {0};
    arena_free(&repair_arena);
    arena_init(&repair_arena, 64 * MIB);
    if (sanitizer_run(text, &options, &repair_arena, &repaired, &error)) fail_msg("%s", error.message);
}

/* `text` is cleaned to `expected`, repaired that changes nothing, and report finds the same as clean. */
static inline void repair_expect(const char *text, const char *expected)
{
    repair_run(text_view(text), SANITIZE_REPORT);
    uint32_t totals[RULE_COUNT];
    memcpy(totals, repaired.totals, sizeof totals);
    assert_false(repaired.changed);
    repair_run(text_view(text), SANITIZE_CLEAN);
    assert_memory_equal(totals, repaired.totals, sizeof totals);
    char cleaned[4096];
    assert_true(repaired.text.size < sizeof cleaned);
    memcpy(cleaned, repaired.text.bytes, repaired.text.size);
    cleaned[repaired.text.size] = 0;
    assert_string_equal(cleaned, expected);
    assert_int_equal(repaired.changed, strcmp(text, expected) != 0);
    repair_run(text_view(cleaned), SANITIZE_CLEAN);
    assert_false(repaired.changed);
}

/* `text` is left as it is and nothing is found in it. */
static inline void repair_expect_honest(const char *text)
{
    repair_expect(text, text);
    for (int i = 0; i < RULE_COUNT; i++) {
        if (repaired.totals[i]) fail_msg("%s in %s", rules_info((SanitizeRule)i)->code, text);
    }
}

/* The first finding of `text` is `rule` over [begin, end); it is the only one of its rule. */
static inline void repair_expect_finding(const char *text, SanitizeRule rule, uint32_t begin, uint32_t end)
{
    repair_run(text_view(text), SANITIZE_REPORT);
    assert_int_equal(repaired.totals[rule], 1);
    assert_string_equal(rules_info(repaired.findings[0].rule)->code, rules_info(rule)->code);
    assert_int_equal(repaired.findings[0].range.begin, begin);
    assert_int_equal(repaired.findings[0].range.end, end);
    assert_int_equal(repaired.findings[0].action, ACTION_NONE);
}
