/* Forced directions: what a reader sees is what is left. */
#include "cleaning.h"

#define LRE "\xE2\x80\xAA"
#define RLE "\xE2\x80\xAB"
#define PDF "\xE2\x80\xAC"
#define LRO "\xE2\x80\xAD"
#define RLO "\xE2\x80\xAE"
#define LRI "\xE2\x81\xA6"
#define RLI "\xE2\x81\xA7"
#define FSI "\xE2\x81\xA8"
#define PDI "\xE2\x81\xA9"
/* Boucher et al. 2022: shows y before x. */
#define SWAP(x, y) LRO LRI RLO LRI x PDI LRI y PDI PDF PDI PDF

static void swaps_are_undone(void **state)
{
    (void)state;
    cleaning_expect("t" SWAP("s", "e") "t", "test");
    cleaning_expect(SWAP("e", "t") SWAP("t", "s"), "test");
    cleaning_expect(SWAP(SWAP("t", "s"), SWAP("e", "t")), "test");
    cleaning_expect(SWAP("(", "f") "x)", "f(x)");
    cleaning_expect("one " SWAP("o", "w") "\n" SWAP("w", "t") "o", "one wo\ntwo");
}

static void overridden_spans_become_what_is_seen(void **state)
{
    (void)state;
    cleaning_expect(RLO "olleh" PDF " world", "hello world");
    cleaning_expect("a " RLO " drow" PDF "s", "a word s");
    cleaning_expect("say " RLO "dlrow olleh", "say hello world");
    cleaning_expect(RLO "123 cba" PDF, "abc 321");
    cleaning_expect(RLO "\xF0\x9F\x98\x80\xC3\xA9"
                        "a" PDF,
                    "a\xC3\xA9\xF0\x9F\x98\x80");
    cleaning_expect("a " LRI LRE RLO "cb" PDF PDF PDI " d", "a bc d");
    cleaning_expect_finding("a " RLO "cb" PDF, RULE_BIDI_OVERRIDE, 2, 10);
    assert_int_equal(cleaning_result.findings[0].count, 2);
    assert_int_equal(cleaning_result.findings[0].detail_size, 2);
    assert_memory_equal(cleaning_result.findings[0].detail, "bc", 2);
}

static void isolates_alone_may_move_letters(void **state)
{
    (void)state;
    cleaning_expect("t" RLI LRI "s" PDI LRI "e" PDI PDI "t", "test");
    cleaning_expect_finding(RLI LRI "b" PDI LRI "a" PDI PDI, RULE_BIDI_OVERRIDE, 0, 20);
}

static void right_to_left_text_keeps_its_order(void **state)
{
    (void)state;
    cleaning_expect_nothing("\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D abc 123"); /* Hebrew, then Latin */
    cleaning_expect_nothing("by " FSI "\xD7\x93\xD7\x95\xD7\x93" PDI ".");
    cleaning_expect_nothing(RLE "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 abc!" PDF);
    cleaning_expect_nothing("from " FSI "Bob" PDI " to " LRI "Eve" PDI);
    cleaning_expect_nothing(RLE "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 abc!\n"); /* the line's end closes it */
    /* An override that forces what is so anyway. */
    cleaning_expect(RLO "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D" PDF, "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D");
    assert_int_equal(cleaning_result.totals[RULE_BIDI_OVERRIDE], 0);
    /* Hebrew forced to the left reads backwards. */
    cleaning_expect(LRO "\xD7\x93\xD7\x92\xD7\x91" PDF, "\xD7\x91\xD7\x92\xD7\x93");
}

static void halves_of_pairs_are_dropped(void **state)
{
    (void)state;
    cleaning_expect("te" LRI "st", "test");
    cleaning_expect("te" PDF "st" PDI, "test");
    cleaning_expect(RLE "abc", "abc");
    cleaning_expect("a" LRI "b" LRE "c" PDI "d e", "abcd e"); /* the embedding is cut off by the isolate's end */
    cleaning_expect_finding("te" LRI "st", RULE_BIDI_UNBALANCED, 2, 5);
}

static void pairs_that_split_a_word_are_dropped(void **state)
{
    (void)state;
    cleaning_expect("te" LRI "s" PDI "t", "test");
    cleaning_expect("te" LRE "st" PDF ".", "test.");
    cleaning_run(text_view("te" LRE "st" PDF "."), SANITIZE_REPORT);
    assert_int_equal(cleaning_result.totals[RULE_INV_ZERO_WIDTH], 2);
    /* A Hebrew prefix before a name that a template isolates. */
    cleaning_expect_nothing("\xD7\x9C" FSI "\xD7\x93\xD7\x95\xD7\x93" PDI " \xD7\x90");
}

static void deep_nesting_is_linear(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    static char text[COUNT * 3 + 2];
    static const char *const kinds[] = {RLI, RLO, LRE, PDI, PDF};
    for (unsigned kind = 0; kind < 5; kind++) {
        for (size_t i = 0; i < COUNT; i++) memcpy(text + 3 * i, kinds[kind], 3);
        memcpy(text + sizeof text - 2, "a", 2);
        cleaning_run(text_view(text), SANITIZE_CLEAN);
        assert_int_equal(cleaning_result.text.size, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swaps_are_undone),
        cmocka_unit_test(overridden_spans_become_what_is_seen),
        cmocka_unit_test(isolates_alone_may_move_letters),
        cmocka_unit_test(right_to_left_text_keeps_its_order),
        cmocka_unit_test(halves_of_pairs_are_dropped),
        cmocka_unit_test(pairs_that_split_a_word_are_dropped),
        cmocka_unit_test(deep_nesting_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
