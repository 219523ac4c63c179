/* The latency histogram against sorted values. */
#include "histogram.h"

#include "call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { VALUES = 20000 };

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void histogram_is_empty_at_first(void **state)
{
    (void)state;
    Histogram *histogram = test_calloc(1, sizeof *histogram);
    assert_int_equal(histogram_quantile_ns(histogram, 0.5), 0);
    assert_true(histogram_mean_ns(histogram) == 0);
    test_free(histogram);
}

static void histogram_keeps_small_values_exactly(void **state)
{
    (void)state;
    Histogram *histogram = test_calloc(1, sizeof *histogram);
    for (uint64_t value = 1; value <= 100; value++) histogram_record(histogram, value);
    assert_int_equal(histogram_quantile_ns(histogram, 0.5), 50);
    assert_int_equal(histogram_quantile_ns(histogram, 0.99), 99);
    assert_int_equal(histogram_quantile_ns(histogram, 0), 1);
    assert_int_equal(histogram_quantile_ns(histogram, 1), 100);
    assert_true(histogram_mean_ns(histogram) == 50.5);
    test_free(histogram);
}

static void histogram_quantiles_are_at_most_one_in_128_too_high(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL), random = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    Histogram *histogram = test_calloc(1, sizeof *histogram);
    uint64_t *values = test_calloc(VALUES, sizeof *values);
    for (size_t index = 0; index < VALUES; index++) {
        values[index] =
            call_random(&random) >> (24 + call_random(&random) % 40); /* all magnitudes up to 18 minutes */
        histogram_record(histogram, values[index]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t rank = 1; rank <= VALUES; rank += 19) {
        double quantile = ((double)rank - 0.5) / VALUES; /* half a rank away from where rounding would matter */
        uint64_t exact = values[rank - 1];
        uint64_t found = histogram_quantile_ns(histogram, quantile);
        assert_true(found >= exact);
        assert_true((double)(found - exact) <= (double)exact / 128);
    }
    assert_int_equal(histogram->min_ns, values[0]);
    assert_int_equal(histogram->max_ns, values[VALUES - 1]);
    test_free(values);
    test_free(histogram);
}

static void histogram_takes_any_value(void **state)
{
    (void)state;
    Histogram *histogram = test_calloc(1, sizeof *histogram);
    histogram_record(histogram, 0);
    histogram_record(histogram, UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) histogram_record(histogram, (uint64_t)1 << bit);
    assert_int_equal(histogram->count, 66);
    assert_int_equal(histogram->max_ns, UINT64_MAX);
    assert_int_equal(histogram_quantile_ns(histogram, 0.01), 0);
    test_free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram_is_empty_at_first),
        cmocka_unit_test(histogram_keeps_small_values_exactly),
        cmocka_unit_test(histogram_quantiles_are_at_most_one_in_128_too_high),
        cmocka_unit_test(histogram_takes_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
