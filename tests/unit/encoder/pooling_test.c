/* Each pooling over rows of known values. */
#include "encoder/pooling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const float HIDDEN[] = {
    100.0f, 200.0f, /* a prompt's row */
    1.0f,   -4.0f,  3.0f, 2.0f, 2.0f, 8.0f,
};

static void each_pooling_reads_the_rows_after_the_prompt(void **state)
{
    (void)state;
    static const struct {
        Pooling pooling;
        float expected[2];
    } cases[] = {
        {POOLING_MEAN, {2.0f, 2.0f}},
        {POOLING_CLS, {1.0f, -4.0f}},
        {POOLING_MAX, {3.0f, 8.0f}},
        {POOLING_LAST, {2.0f, 8.0f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float vector[2];
        pooling_apply(cases[i].pooling, HIDDEN, 4, 1, 2, vector);
        assert_memory_equal(vector, cases[i].expected, sizeof vector);
    }
}

static void one_row_pools_to_itself(void **state)
{
    (void)state;
    for (int pooling = POOLING_MEAN; pooling <= POOLING_LAST; pooling++) {
        float vector[2];
        pooling_apply((Pooling)pooling, HIDDEN, 1, 0, 2, vector);
        assert_memory_equal(vector, HIDDEN, sizeof vector);
    }
}

static void max_keeps_a_value_that_is_not_a_number(void **state)
{
    (void)state;
    for (int place = 0; place < 3; place++) {
        float hidden[] = {1.0f, 2.0f, 3.0f};
        float vector[1];
        hidden[place] = NAN;
        pooling_apply(POOLING_MAX, hidden, 3, 0, 1, vector);
        assert_true(isnan(vector[0]));
    }
}

static void normalize_divides_by_the_norm(void **state)
{
    (void)state;
    float vector[] = {3.0f, -4.0f};
    pooling_normalize(vector, 2);
    assert_true(vector[0] == 0.6f && vector[1] == -0.8f);
    float large[] = {3e30f, 4e30f};
    pooling_normalize(large, 2);
    assert_true(fabsf(large[0] - 0.6f) < 1e-6f && fabsf(large[1] - 0.8f) < 1e-6f);
}

static void normalize_leaves_zero_at_zero(void **state)
{
    (void)state;
    float vector[] = {0.0f, 0.0f};
    pooling_normalize(vector, 2);
    assert_true(vector[0] == 0.0f && vector[1] == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pooling_reads_the_rows_after_the_prompt),
        cmocka_unit_test(one_row_pools_to_itself),
        cmocka_unit_test(max_keeps_a_value_that_is_not_a_number),
        cmocka_unit_test(normalize_divides_by_the_norm),
        cmocka_unit_test(normalize_leaves_zero_at_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
