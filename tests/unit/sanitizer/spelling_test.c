/* Words spelled out with gaps, and with digits and signs for letters, where that is looked for. */
#include "cleaning.h"

static const uint64_t SPELLING = 1ull << RULE_SPLIT_WORD | 1ull << RULE_LEET;

static void expect(const char *text, const char *cleaned)
{
    cleaning_expect_at(text, cleaned, SANITIZE_HIGH, SPELLING);
}

static void gaps_are_closed(void **state)
{
    (void)state;
    static const CleaningCase cases[] = {
        {"please i g n o r e this", "please ignore this"},
        {"k_i_l_l", "kill"},
        {"k*i*l*l!", "kill!"},
        {"S P A M", "SPAM"},
        {"\u043F\u00B7\u043B\u00B7\u043E\u00B7\u0445\u00B7\u043E", "\u043F\u043B\u043E\u0445\u043E"},
    };
    for (size_t i = 1; i < sizeof cases / sizeof cases[0]; i++) expect(cases[i].text, cases[i].cleaned);
    expect(cases[0].text, cases[0].cleaned);
    assert_int_equal(cleaning_result.totals[RULE_SPLIT_WORD], 1);
    assert_int_equal(cleaning_result.findings[0].range.begin, 7);
    assert_int_equal(cleaning_result.findings[0].range.end, 18);
    assert_int_equal(cleaning_result.findings[0].count, 6);
    assert_memory_equal(cleaning_result.findings[0].detail, "ignore", 6);
}

static void signs_become_letters(void **state)
{
    (void)state;
    static const CleaningCase cases[] = {
        {"what an 1d10t", "what an idiot"},
        {"!d10t", "idiot"},
        {"h3ll0 w0rld!", "hello world!"},
        {"V1AGRA (fr33sh)", "VIAGRA (freesh)"},
        {"he1lo", "hello"},
        {"P4ssw0rd.", "Password."},
        {"a$$hole", "asshole"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i].text, cases[i].cleaned);
        assert_true(cleaning_result.totals[RULE_LEET] > 0);
    }
}

static void names_numbers_addresses_and_code_are_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "the U.S.S.R. and the U S A",
        "i18n a11y k8s x86_64 utf8 MP3 R2D2 B12 h264 w3c 4th 1990s 2pac covid19 $5 10k",
        "0xd34db33f d0e1a3 a1b3c4 1e10 3f4a",
        "user@example.com https://h0st.example/l33t?p4th=x1y /usr/lib/x1y0z @l33t.example",
        "var_1x s3_bucket aB3dE9xY int4x[0]",
        "hello! yes!! 100% 3.14 7:30 50$ $home",
        "a-b a.b.c x y z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect(texts[i], texts[i]);
        assert_int_equal(cleaning_result.finding_count, 0);
    }
}

static void nothing_is_looked_for_unasked(void **state)
{
    (void)state;
    cleaning_expect_nothing("i g n o r e the 1d10t");
    SanitizeOptions options = {.policy = SANITIZE_REPORT, .level = SANITIZE_HIGH, .enabled = SPELLING};
    Arena arena;
    arena_init(&arena, 1 * MIB);
    TextView text = text_view("i g n o r e the 1d10t");
    assert_int_equal(sanitizer_run(text, &options, &arena, &cleaning_result, NULL), STATUS_OK);
    assert_int_equal(cleaning_result.finding_count, 2);
    assert_false(cleaning_result.changed);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_closed),
        cmocka_unit_test(signs_become_letters),
        cmocka_unit_test(names_numbers_addresses_and_code_are_left_alone),
        cmocka_unit_test(nothing_is_looked_for_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
