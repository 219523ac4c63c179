/* What cleaning a text gives, for the tests of the families. */
#pragma once

#include "base/limits.h"
#include "sanitizer/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Sanitized clean_result; /* its findings; its text is gone */

/* `text` becomes `expected`, which then stays; REPORT finds the same and changes nothing. */
static inline void clean_gives_at(const char *text, const char *expected, SanitizeLevel level)
{
    Arena arena;
    uint32_t totals[RULE_COUNT];
    SanitizeOptions options = {SANITIZE_REPORT, level, 0};
    arena_init(&arena, 4 * MIB);
    assert_int_equal(sanitizer_run(text_view(text), &options, &arena, &clean_result, NULL), STATUS_OK);
    assert_ptr_equal(clean_result.text.bytes, text);
    memcpy(totals, clean_result.totals, sizeof totals);
    options.policy = SANITIZE_CLEAN;
    assert_int_equal(sanitizer_run(text_view(expected), &options, &arena, &clean_result, NULL), STATUS_OK);
    assert_int_equal(clean_result.changed, 0);
    assert_int_equal(sanitizer_run(text_view(text), &options, &arena, &clean_result, NULL), STATUS_OK);
    assert_int_equal(clean_result.text.size, strlen(expected));
    assert_memory_equal(clean_result.text.bytes, expected, strlen(expected));
    assert_memory_equal(totals, clean_result.totals, sizeof totals);
    assert_int_equal(clean_result.changed, strcmp(text, expected) != 0);
    clean_result.text = (TextView){NULL, 0};
    clean_result.map = NULL;
    arena_free(&arena);
}

static inline void clean_gives(const char *text, const char *expected)
{
    clean_gives_at(text, expected, SANITIZE_HIGH);
}

/* Nothing is found in it. */
static inline void clean_keeps(const char *text)
{
    clean_gives(text, text);
    assert_int_equal(clean_result.finding_count, 0);
}

/* `text` becomes `expected` by findings of `rule` alone, of which the first is of `count` code points. */
static inline void clean_repairs(const char *text, const char *expected, SanitizeRule rule, uint32_t count)
{
    clean_gives(text, expected);
    assert_true(clean_result.finding_count > 0);
    assert_int_equal(clean_result.findings[0].rule, rule);
    assert_int_equal(clean_result.findings[0].count, count);
    for (uint32_t i = 0; i < clean_result.finding_count; i++)
        assert_int_equal(clean_result.findings[i].rule, rule);
}

static inline void clean_tells(const char *detail)
{
    assert_int_equal(clean_result.findings[0].detail_size, strlen(detail));
    assert_memory_equal(clean_result.findings[0].detail, detail, strlen(detail));
}
