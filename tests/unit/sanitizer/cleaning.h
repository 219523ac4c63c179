/* What the tests of the families share: a text in, its cleaned text and findings out. */
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

static Sanitized cleaning_result;

/* Cleans `text` at a level with rules enabled; aborts the test unless `cleaned` comes out and stays as it is when it is
 * cleaned again. */
static void cleaning_expect_at(const char *text, const char *cleaned, SanitizeLevel level, uint64_t enabled)
{
    SanitizeOptions options = {SANITIZE_CLEAN, level, enabled};
    Arena arena;
    Error error;
    Sanitized again;
    arena_init(&arena, 1 * MIB);
    assert_int_equal(sanitizer_run(text_view(text), &options, &arena, &cleaning_result, &error), STATUS_OK);
    TextView found = cleaning_result.text;
    if (!text_equal(found, text_view(cleaned))) {
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", text, (int)found.size, found.bytes, cleaned);
    }
    assert_int_equal(sanitizer_run(found, &options, &arena, &again, &error), STATUS_OK);
    assert_false(again.changed);
    arena_free(&arena);
}

static void cleaning_expect(const char *text, const char *cleaned)
{
    cleaning_expect_at(text, cleaned, SANITIZE_HIGH, 0);
}

/* Aborts the test unless the text is left alone and nothing is found. */
static inline void cleaning_expect_nothing(const char *text)
{
    cleaning_expect(text, text);
    if (cleaning_result.finding_count) {
        fail_msg("\"%s\" has %s", text, rules_info(cleaning_result.findings[0].rule)->code);
    }
}
