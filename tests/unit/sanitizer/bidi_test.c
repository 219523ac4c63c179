/* Forced directions: what a reader sees is what is left. */
#include "repair.h"

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
    repair_expect("t" SWAP("s", "e") "t", "test");
    repair_expect(SWAP("e", "t") SWAP("t", "s"), "test");
    repair_expect(SWAP(SWAP("t", "s"), SWAP("e", "t")), "test");
    repair_expect(SWAP("(", "f") "x)", "f(x)");
    repair_expect("one " SWAP("o", "w") "\n" SWAP("w", "t") "o", "one wo\ntwo");
}

static void overridden_spans_become_what_is_seen(void **state)
{
    (void)state;
    repair_expect(RLO "olleh" PDF " world", "hello world");
    repair_expect("a " RLO " drow" PDF "s", "a word s");
    repair_expect("say " RLO "dlrow olleh", "say hello world");
    repair_expect(RLO "123 cba" PDF, "abc 321");
    repair_expect(RLO "\xF0\x9F\x98\x80\xC3\xA9"
                      "a" PDF,
                  "a\xC3\xA9\xF0\x9F\x98\x80");
    repair_expect("a " LRI LRE RLO "cb" PDF PDF PDI " d", "a bc d");
    repair_expect_finding("a " RLO "cb" PDF, RULE_BIDI_OVERRIDE, 2, 10);
    assert_int_equal(repaired.findings[0].count, 2);
    assert_int_equal(repaired.findings[0].detail_size, 2);
    assert_memory_equal(repaired.findings[0].detail, "bc", 2);
}

static void isolates_alone_may_move_letters(void **state)
{
    (void)state;
    repair_expect("t" RLI LRI "s" PDI LRI "e" PDI PDI "t", "test");
    repair_expect_finding(RLI LRI "b" PDI LRI "a" PDI PDI, RULE_BIDI_OVERRIDE, 0, 20);
}

static void right_to_left_text_keeps_its_order(void **state)
{
    (void)state;
    repair_expect_honest("\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D abc 123"); /* Hebrew, then Latin */
    repair_expect_honest("by " FSI "\xD7\x93\xD7\x95\xD7\x93" PDI ".");
    repair_expect_honest(RLE "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 abc!" PDF);
    repair_expect_honest("from " FSI "Bob" PDI " to " LRI "Eve" PDI);
    repair_expect_honest(RLE "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 abc!\n"); /* the line's end closes it */
    /* An override that forces what is so anyway. */
    repair_expect(RLO "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D" PDF, "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D");
    assert_int_equal(repaired.totals[RULE_BIDI_OVERRIDE], 0);
    /* Hebrew forced to the left reads backwards. */
    repair_expect(LRO "\xD7\x93\xD7\x92\xD7\x91" PDF, "\xD7\x91\xD7\x92\xD7\x93");
}

static void halves_of_pairs_are_dropped(void **state)
{
    (void)state;
    repair_expect("te" LRI "st", "test");
    repair_expect("te" PDF "st" PDI, "test");
    repair_expect(RLE "abc", "abc");
    repair_expect("a" LRI "b" LRE "c" PDI "d e", "abcd e"); /* the embedding is cut off by the isolate's end */
    repair_expect_finding("te" LRI "st", RULE_BIDI_UNBALANCED, 2, 5);
}

static void pairs_that_split_a_word_are_dropped(void **state)
{
    (void)state;
    repair_expect("te" LRI "s" PDI "t", "test");
    repair_expect("te" LRE "st" PDF ".", "test.");
    repair_run(text_view("te" LRE "st" PDF "."), SANITIZE_REPORT);
    assert_int_equal(repaired.totals[RULE_INV_ZERO_WIDTH], 2);
    /* A Hebrew prefix before a name that a template isolates. */
    repair_expect_honest("\xD7\x9C" FSI "\xD7\x93\xD7\x95\xD7\x93" PDI " \xD7\x90");
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
        repair_run(text_view(text), SANITIZE_CLEAN);
        assert_int_equal(repaired.text.size, 1);
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
