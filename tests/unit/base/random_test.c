#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The first numbers of Vigna's splitmix64.c from the seed 1234567. */
static void random_numbers_are_those_of_the_reference(void **state)
{
    (void)state;
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                        4593380528125082431u, 16408922859458223821u};
    uint64_t seed = 1234567;
    for (unsigned i = 0; i < 5; i++) assert_int_equal(random_next(&seed), expected[i]);
}

static void random_choices_are_of_each_item_equally_often(void **state)
{
    (void)state;
    enum { ITEMS = 7, CHOSEN = 3, ROUNDS = 7000 };
    uint64_t seed = 5;
    uint32_t items[ITEMS] = {0, 1, 2, 3, 4, 5, 6}, counts[ITEMS] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t seen = 0;
        random_choose(&seed, items, ITEMS, CHOSEN);
        for (unsigned i = ITEMS - CHOSEN; i < ITEMS; i++) counts[items[i]]++;
        for (unsigned i = 0; i < ITEMS; i++) seen |= 1u << items[i];
        assert_int_equal(seen, (1u << ITEMS) - 1);
    }
    for (unsigned i = 0; i < ITEMS; i++) assert_in_range(counts[i], 2850, 3150); /* 3,000 and 4 deviations of 41 */
}

static void random_choice_of_all_is_a_shuffle(void **state)
{
    (void)state;
    uint64_t seed = 1;
    uint32_t orders[6] = {0};
    for (unsigned round = 0; round < 6000; round++) {
        uint32_t items[3] = {0, 1, 2};
        random_choose(&seed, items, 3, 3);
        orders[items[0] * 2 + (items[1] > items[2])]++;
    }
    for (unsigned i = 0; i < 6; i++) assert_in_range(orders[i], 880, 1120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_numbers_are_those_of_the_reference),
        cmocka_unit_test(random_choices_are_of_each_item_equally_often),
        cmocka_unit_test(random_choice_of_all_is_a_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
