#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void clock_monotonic_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = clock_now_ns(&clock_monotonic);
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_now_ns(&clock_monotonic);
        assert_true(now >= last);
        last = now;
    }
}

static void clock_virtual_stands_still_until_moved(void **state)
{
    (void)state;
    Clock clock = clock_virtual(5);
    assert_int_equal(clock_now_ns(&clock), 5);
    assert_int_equal(clock_now_ns(&clock), 5);
    clock.virtual_now_ns = NS_PER_S;
    assert_int_equal(clock_now_ns(&clock), NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_monotonic_never_goes_back),
        cmocka_unit_test(clock_virtual_stands_still_until_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
