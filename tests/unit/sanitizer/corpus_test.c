/* Two lists that other hands than the rules' made: honest texts of many kinds, and attacks with what they hide
 * (tests/bench/sanitize_attacks.py writes them). Both spell what does not show as \u{HEX}. */
#include "base/file.h"
#include "base/limits.h"
#include "sanitizer/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CORPUS_BYTES_MAX = 1 * MIB };

typedef void CorpusCheck(const char *line, TextView text, TextView expected);

static Arena corpus_arena;

static char *corpus_put(char *out, unsigned long point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        if (point < 0x10000) {
            *out++ = (char)(0xE0 | point >> 12);
        } else {
            *out++ = (char)(0xF0 | point >> 18);
            *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

/* `text` without its escapes, in the arena. */
static TextView corpus_unescape(TextView text)
{
    char *bytes = arena_allocate(&corpus_arena, text.size), *out = bytes;
    assert_non_null(bytes);
    for (size_t at = 0; at < text.size;) {
        if (text.size - at > 3 && memcmp(text.bytes + at, "\\u{", 3) == 0) {
            char *end = NULL;
            out = corpus_put(out, strtoul(text.bytes + at + 3, &end, 16));
            at = (size_t)(end + 1 - text.bytes);
        } else {
            *out++ = text.bytes[at++];
        }
    }
    return (TextView){bytes, (size_t)(out - bytes)};
}

/* Checks each line of a file: a text, and behind a tab what it is to become (itself where nothing follows). */
static void corpus_each(const char *path, CorpusCheck *check)
{
    char *bytes = NULL;
    size_t size = 0;
    Error error;
    assert_int_equal(file_read(path, CORPUS_BYTES_MAX, &bytes, &size, &error), STATUS_OK);
    size_t lines = 0;
    for (char *line = bytes, *end; line < bytes + size; line = end + 1, lines++) {
        end = memchr(line, '\n', (size_t)(bytes + size - line));
        assert_non_null(end);
        *end = 0;
        arena_init(&corpus_arena, 4 * MIB);
        char *tab = strchr(line, '\t');
        TextView text = corpus_unescape((TextView){line, tab ? (size_t)(tab - line) : strlen(line)});
        check(line, text, tab ? corpus_unescape(text_view(tab + 1)) : text);
        arena_free(&corpus_arena);
    }
    assert_true(lines > 50);
    free(bytes);
}

static void corpus_check_honest(const char *line, TextView text, TextView expected)
{
    static const SanitizeOptions options = {.policy = SANITIZE_CLEAN, .level = SANITIZE_HIGH};
    Sanitized sanitized;
    Error error;
    assert_int_equal(sanitizer_run(text, &options, &corpus_arena, &sanitized, &error), STATUS_OK);
    if (sanitized.changed || !text_equal(sanitized.text, expected)) {
        fail_msg("\"%s\" became \"%.*s\"", line, (int)sanitized.text.size, sanitized.text.bytes);
    }
    for (uint32_t i = 0; i < sanitized.finding_count; i++) {
        const RuleInfo *rule = rules_info(sanitized.findings[i].rule);
        if (rule->severity >= SEVERITY_HIGH) fail_msg("\"%s\" has %s", line, rule->code);
    }
}

static void corpus_check_attack(const char *line, TextView text, TextView expected)
{
    static const SanitizeOptions clean = {.policy = SANITIZE_CLEAN, .level = SANITIZE_HIGH};
    static const SanitizeOptions report = {.policy = SANITIZE_REPORT, .level = SANITIZE_HIGH};
    Sanitized sanitized;
    Error error;
    assert_int_equal(sanitizer_run(text, &report, &corpus_arena, &sanitized, &error), STATUS_OK);
    if (sanitized.finding_count == 0) fail_msg("\"%s\" is not found", line);
    assert_ptr_equal(sanitized.text.bytes, text.bytes);
    assert_int_equal(sanitizer_run(text, &clean, &corpus_arena, &sanitized, &error), STATUS_OK);
    if (!text_equal(sanitized.text, expected)) {
        fail_msg("\"%s\" became \"%.*s\"", line, (int)sanitized.text.size, sanitized.text.bytes);
    }
    for (uint32_t i = 0; i < sanitized.finding_count; i++) {
        assert_true(sanitized.findings[i].range.begin <= sanitized.findings[i].range.end);
        assert_true(sanitized.findings[i].range.end <= text.size);
    }
}

static void sanitizer_leaves_honest_texts_alone(void **state)
{
    (void)state;
    corpus_each(TESTS_DATA "/unit/sanitizer/honest.txt", corpus_check_honest);
}

static void sanitizer_gives_back_what_attacks_hide(void **state)
{
    (void)state;
    corpus_each(TESTS_DATA "/unit/sanitizer/attacks.txt", corpus_check_attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sanitizer_leaves_honest_texts_alone),
        cmocka_unit_test(sanitizer_gives_back_what_attacks_hide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
