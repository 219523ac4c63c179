/* Regular expressions: what Oniguruma means is found, what cannot be is refused, what would hang fails. The expected
 * matches are the library's. */
#include "tokenizer/pattern.h"
#include "unicode/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINES(digits) \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The matches as "0-2 3-5", or the message of the failure. */
static const char *matches(TextView source, bool literal, TextView text)
{
    static char out[4096];
    Pattern *pattern = NULL;
    Error error;
    ByteRange range;
    size_t size = 0;
    if (pattern_open(source, literal, &pattern, &error)) {
        snprintf(out, sizeof out, "%s", error.message);
        return out;
    }
    PatternScan scan = pattern_scan(pattern, text);
    out[0] = '\0';
    while (pattern_next(&scan, &range)) {
        size +=
            (size_t)snprintf(out + size, sizeof out - size, "%s%u-%u", size ? " " : "", range.begin, range.end);
    }
    if (scan.failed) snprintf(out, sizeof out, "failed");
    pattern_scan_close(&scan);
    pattern_close(pattern);
    return out;
}

static void check(const char *regex, const char *text, const char *expected)
{
    const char *found = matches(text_view(regex), false, text_view(text));
    if (strcmp(found, expected) != 0) fail_msg("%s in \"%s\": %s, expected %s", regex, text, found, expected);
}

static void pattern_finds_what_oniguruma_finds(void **state)
{
    (void)state;
    check("a{,2}b", "aab", "0-3");
    check("x{", "ax{", "1-3");
    check("^a", "a\na\n", "0-1 2-3");
    check("a$", "a\na\n", "0-1 2-3");
    check(".", "a\n\xC3\xA9", "0-1 2-4");
    check("\\h+", "xBEEF g", "1-5");
    check("\\s",
          "a\xC2\x85"
          "b\xE1\xA0\x8E"
          "c\x1C \xE3\x80\x80",
          "1-3 9-10 10-13");
    check("\\w+", "\xC2\xB2\xE2\x91\xA0 \xE2\x93\x90", "0-2 6-9");
    check("\\p{^L}+", "ab1,", "2-4");
    check("\\P{L}", "a1", "1-2");
    check("[^\\S\\n]+", "a \n\tb", "1-2 3-4");
    check("[[:punct:]]", "a$,b", "1-2 2-3");
    check("(?i:'s|'t)", "'S'\xC5\xBF't", "0-2 2-5 5-7");
    check("\\bab\\B", "abc ab", "0-2");
    check("\\p{Han}", "\xE3\x80\x81\xE4\xB8\xAD\xF0\xAE\xAF\xB0", "3-6 6-10");
    check("\\p{L}", "\xF0\x9E\xA4\x80\xF0\x96\xB5\x80\xEA\x9F\x8B", "0-4 4-8 8-11");
    check("\\x{41}\\x42\\u0043", "ABC", "0-3");
    check("(?<!a)b++", "abbb", "2-4");
}

static void pattern_skips_an_empty_match_behind_a_match(void **state)
{
    (void)state;
    check("", "a\xC3\xA9", "0-0 1-1 3-3");
    check("a*", "baac", "0-0 1-3 4-4");
    check("a|", "ab", "0-1 2-2");
    check("", "", "0-0");
}

static void pattern_takes_literals_literally(void **state)
{
    (void)state;
    assert_string_equal(matches(text_view("a.[b"), true, text_view("aXa.[b.a.[b")), "2-6 7-11");
    assert_string_equal(matches(text_view(""), true, text_view("ab")), "0-0 1-1 2-2");
    assert_string_equal(matches((TextView){NULL, 0}, true, (TextView){NULL, 0}), "0-0");
}

static void pattern_refuses_by_name(void **state)
{
    (void)state;
    static const char *const REFUSED[][2] = {
        {"(?~ab)", "an unknown kind of group at byte 0"},
        {"a(?x) b", "an unknown kind of group at byte 1"},
        {"[a&&b]", "an intersection of classes at byte 2"},
        {"[a[b]]", "a class within a class at byte 2"},
        {"[^\\W]", "a negated class within a class at byte 2"},
        {"(a)\\1", "an unknown escape or property at byte 3"},
        {"\\X", "an unknown escape or property at byte 0"},
        {"\\p{Klingon}", "an unknown escape or property at byte 0"},
        {"a{1,2}+", "a repeated interval at byte 1"},
        {"a{2}?", "a repeated interval at byte 1"},
        {"a**", "a repetition of nothing or of a repetition at byte 2"},
        {"*", "a repetition of nothing or of a repetition at byte 0"},
        {"(?i)strasse", "letters that one character may stand for"},
        {"(?i)\xC3\xA9", "a character beyond ASCII"},
        {"(?i)\\p{Lu}", "a class by case"},
        {"(?<=a+)b", "lookbehind"},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        const char *found = matches(text_view(REFUSED[i][0]), false, text_view("ab"));
        if (!strstr(found, REFUSED[i][1])) fail_msg("%s: %s", REFUSED[i][0], found);
    }
}

static void pattern_refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const BROKEN[] = {"(",        ")",           "[",        "[a",     "[a-",
                                         "(?",       "\\",          "[\\",      "\\p{",   "\\x{",
                                         "[[:",      "[b-a]",       "[]a]",     "a{3,2}", "[\xE4\xB8\xAD-a]",
                                         "((((((((", "\\x{110000}", "\\x{D800}"};
    for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
        assert_non_null(strstr(matches(text_view(BROKEN[i]), false, text_view("ab")), "regular expression"));
    }
    assert_non_null(strstr(matches((TextView){"a\0b", 3}, false, text_view("ab")), "NUL"));
    assert_non_null(strstr(matches((TextView){"\xC3", 1}, true, text_view("ab")), "UTF-8"));
}

/* Without a limit these take longer than the universe has. */
static void pattern_fails_where_it_would_hang(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    TextView view = {text, sizeof text};
    assert_string_equal(matches(text_view("(a|aa)+$"), false, view), "failed");
    assert_string_equal(matches(text_view("(?:a*a*)*[cd]"), false, view), "failed");
}

/* The compiled code's stack is 32 KiB. */
static void pattern_finds_what_takes_a_deep_stack(void **state)
{
    (void)state;
    size_t size = 100000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    assert_string_equal(matches(text_view("(?:a|b(?=c))*"), false, (TextView){text, size}), "0-100000");
    free(text);
}

/* The expressions that are code, and the same behind a group, which are not. */
static const char *const KNOWN[][2] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     "(?:'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+)"},
    {LINES("\\p{N}{1,3}"), "(?:" LINES("\\p{N}{1,3}") ")"},
    {LINES("\\p{N}"), "(?:" LINES("\\p{N}") ")"},
};

static size_t random_text(uint32_t *seed, char *out_text, size_t count)
{
    static const char *const PARTS[] = {"a",  "Z", "'", "'s", "'S", "'t", "'ll", "'RE", "'v", "e",
                                        "d",  "m", " ", "  ", " ",  "\n", "\r",  "\t",  "\v", "1",
                                        "42", "9", ".", "!?", "-",  "_",  "\0",  "\x1C"};
    static const uint32_t WIDE[] = {0x17F,  0xE9,   0x301,   0x4E2D,  0x85,    0xA0,    0x2028,
                                    0x3000, 0x180E, 0xB2,    0x2167,  0x660,   0x1F600, 0x10400,
                                    0x1C89, 0xA7CB, 0x10D4A, 0x11F02, 0x16D40, 0x2EBF0, 0x200D,
                                    0xFEFF, 0x200B, 0x1E4D0, 0x16D70, 0x10D40, 0x1CCF0, 0x378};
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        *seed = *seed * 1664525 + 1013904223;
        uint32_t drawn = *seed >> 8;
        if (drawn % 4) {
            const char *part = PARTS[drawn / 4 % (sizeof PARTS / sizeof PARTS[0])];
            size_t part_size = part[0] ? strlen(part) : 1;
            memcpy(out_text + size, part, part_size);
            size += part_size;
        } else {
            size += utf8_write(WIDE[drawn / 4 % (sizeof WIDE / sizeof WIDE[0])], out_text + size);
        }
    }
    return size;
}

static void assert_same_matches(const Pattern *known, const Pattern *general, TextView text, uint32_t seed)
{
    PatternScan first = pattern_scan(known, text), second = pattern_scan(general, text);
    ByteRange found, expected;
    while (pattern_next(&second, &expected)) {
        if (!pattern_next(&first, &found)) fail_msg("seed %u: no match at %u", seed, expected.begin);
        if (found.begin != expected.begin || found.end != expected.end) {
            fail_msg("seed %u: %u-%u instead of %u-%u", seed, found.begin, found.end, expected.begin,
                     expected.end);
        }
    }
    assert_false(pattern_next(&first, &found));
    assert_false(first.failed || second.failed);
    pattern_scan_close(&first);
    pattern_scan_close(&second);
}

static void pattern_that_is_known_finds_what_pcre2_finds(void **state)
{
    (void)state;
    uint32_t seed = 20261126;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        Pattern *known = NULL, *general = NULL;
        Error error;
        if (pattern_open(text_view(KNOWN[i][0]), false, &known, &error)) fail_msg("%s", error.message);
        if (pattern_open(text_view(KNOWN[i][1]), false, &general, &error)) fail_msg("%s", error.message);
        for (int round = 0; round < 10000; round++) {
            char text[256];
            uint32_t start = seed;
            size_t size = random_text(&seed, text, 1 + (size_t)round % 40);
            assert_same_matches(known, general, (TextView){text, size}, start);
        }
        /* One of the three is asked about every character: they share the classes. */
        for (uint32_t code_point = i ? 0x10F000 : 0; code_point < 0x110000; code_point++) {
            if (code_point == 0xD800) code_point = 0xE000;
            char text[16] = " ";
            size_t size = 1 + utf8_write(code_point, text + 1);
            memcpy(text + size, "a\n 1", 4);
            assert_same_matches(known, general, (TextView){text, size + 4}, code_point);
        }
        pattern_close(known);
        pattern_close(general);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_finds_what_oniguruma_finds),
        cmocka_unit_test(pattern_skips_an_empty_match_behind_a_match),
        cmocka_unit_test(pattern_takes_literals_literally),
        cmocka_unit_test(pattern_refuses_by_name),
        cmocka_unit_test(pattern_refuses_what_is_none),
        cmocka_unit_test(pattern_fails_where_it_would_hang),
        cmocka_unit_test(pattern_finds_what_takes_a_deep_stack),
        cmocka_unit_test(pattern_that_is_known_finds_what_pcre2_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
