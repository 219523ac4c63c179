/* Repetition is found whatever its cycle, and honest text is none. */
#include "pipeline/token_checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { UNKNOWN = 100 };

static void a_cycle_is_found_with_its_period(void **state)
{
    (void)state;
    for (uint32_t period = 1; period <= FLOOD_PERIOD_MAX; period++) {
        uint32_t ids[160];
        for (uint32_t i = 0; i < 160; i++) ids[i] = 40 <= i && i < 140 ? i % period : 1000 + i;
        Flood flood;
        assert_true(flood_find(ids, 160, UNKNOWN, &flood));
        assert_int_equal(flood.period, period);
        assert_int_equal(flood.tokens.begin, 40);
        assert_int_equal(flood.tokens.end, 140);
        assert_int_equal(flood.count, 100);
    }
}

static void runs_with_text_between_them_count_together(void **state)
{
    (void)state;
    uint32_t ids[200];
    for (uint32_t i = 0; i < 200; i++) ids[i] = i % 20 < 12 ? 7 + i % 2 : 1000 + i;
    Flood flood;
    assert_true(flood_find(ids, 200, UNKNOWN, &flood));
    assert_int_equal(flood.period, 2);
    assert_int_equal(flood.count, 120);
}

static void a_token_between_all_others_is_found(void **state)
{
    (void)state;
    uint32_t ids[101];
    for (uint32_t i = 0; i < 101; i++) ids[i] = i % 2 == 0 ? 5 : 1000 + i;
    Flood flood;
    assert_true(flood_find(ids, 101, UNKNOWN, &flood));
    assert_int_equal(flood.period, 0);
    assert_int_equal(flood.count, 51);
    ids[0] = 999;
    ids[2] = 998;
    assert_false(flood_find(ids, 101, UNKNOWN, &flood));
}

static void short_texts_and_half_of_a_text_are_none(void **state)
{
    (void)state;
    uint32_t ids[200];
    for (uint32_t i = 0; i < 200; i++) ids[i] = i < 100 ? 5 : 1000 + i;
    Flood flood;
    assert_false(flood_find(ids, 200, UNKNOWN, &flood));
    assert_true(flood_find(ids, 199, UNKNOWN, &flood));
    assert_false(flood_find(ids, FLOOD_TOKENS_MIN - 1, UNKNOWN, &flood));
    assert_true(flood_find(ids, FLOOD_TOKENS_MIN, UNKNOWN, &flood));
}

static void unknown_tokens_are_no_repetition(void **state)
{
    (void)state;
    uint32_t ids[200];
    for (uint32_t i = 0; i < 200; i++) ids[i] = i % 10 ? UNKNOWN : 1000 + i;
    Flood flood;
    assert_false(flood_find(ids, 200, UNKNOWN, &flood));
    for (uint32_t i = 0; i < 200; i++) ids[i] = i % 2 ? UNKNOWN : 7;
    assert_false(flood_find(ids, 200, UNKNOWN, &flood));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_is_found_with_its_period),
        cmocka_unit_test(runs_with_text_between_them_count_together),
        cmocka_unit_test(a_token_between_all_others_is_found),
        cmocka_unit_test(unknown_tokens_are_no_repetition),
        cmocka_unit_test(short_texts_and_half_of_a_text_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
