/* Weights against their definition, for every pattern and bias, whichever of the rows are asked for. */
#include "attention/weights.h"

#include "unit/attention/cases.h"

#include <time.h>

/* The keys and weights of one query by definition, in double. Returns the largest score's size. */
static double expected_weights(const Case *test, uint32_t head, uint32_t query, uint32_t *keys, double *weights,
                               uint32_t *out_count)
{
    double largest = 0.0, maximum = -INFINITY, sum = 0.0;
    uint32_t count = 0;
    for (uint32_t key = 0; key < test->before.token_count; key++) {
        double size;
        uint32_t times = sight(test, query, key);
        if (times == 0) continue;
        keys[count] = key;
        weights[count] = score(test, head, query, key, &size) + log(times);
        size += log1p(test->plan.block_repeats);
        if (size > largest) largest = size;
        if (weights[count] > maximum) maximum = weights[count];
        count++;
    }
    for (uint32_t i = 0; i < count; i++) sum += weights[i] = exp(weights[i] - maximum);
    for (uint32_t i = 0; i < count; i++) weights[i] /= sum;
    *out_count = count;
    return largest;
}

/* As attention_test.c bounds it: a score's error moves a weight relatively, up and down. */
static void check_row(const Case *test, uint32_t head, uint32_t query, const float *actual)
{
    uint32_t keys[1024], listed[1024], count;
    double weights[1024];
    double largest = expected_weights(test, head, query, keys, weights, &count);
    double bound = 0x1p-24 * (2.0 * (test->plan.head_size + 6.0) * largest + 2.0 * count + 8.0);
    assert_int_equal(attention_key_count(&test->plan, &test->before, query), count);
    attention_list_keys(&test->plan, &test->before, query, listed);
    assert_memory_equal(listed, keys, count * sizeof *keys);
    for (uint32_t i = 0; i < count; i++)
        if (!(fabs((double)actual[i] - weights[i]) <= bound))
            fail_msg(
                "bias %d, %u tokens, reach %u, %u global, blocks of %u, head %u, query %u, key %u: %g, not %g",
                test->plan.bias.kind, test->before.token_count, test->plan.window_reach, test->before.global_count,
                test->plan.block_size, head, query, keys[i], (double)actual[i], weights[i]);
}

/* The same bits over panels. */
static void check_laid_out(Case *test, uint32_t head, uint32_t first, uint32_t count, const float *weights,
                           size_t total, float *scratch)
{
    float *again = malloc((total + 1) * sizeof *again);
    assert_non_null(again);
    AttentionRows rows = case_lay_out(test);
    attention_weights(kernels, &test->plan, &rows, head, first, count, again, scratch);
    assert_memory_equal(again, weights, total * sizeof *again);
    free(again);
    free(test->panels);
    test->panels = NULL;
}

/* Some rows of one head, from any on. */
static void check_rows(Case *test, uint32_t head, uint32_t first, uint32_t count, float *scratch)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += attention_key_count(&test->plan, &test->before, first + i);
    float *weights = malloc((total + 1) * sizeof *weights);
    assert_non_null(weights);
    weights[total] = -1.0f;
    attention_weights(kernels, &test->plan, &test->before, head, first, count, weights, scratch);
    assert_true(weights[total] == -1.0f);
    check_laid_out(test, head, first, count, weights, total, scratch);
    const float *row = weights;
    for (uint32_t i = 0; i < count; i++) {
        if (count < 40 || i % 13 == 0 || i + 1 == count) check_row(test, head, first + i, row);
        row += attention_key_count(&test->plan, &test->before, first + i);
    }
    free(weights);
}

/* `sparsity` 0: no global keys. */
static void check_weights(const AttentionPlan *shape, AttentionBiasKind kind, uint32_t token_count,
                          uint32_t sparsity)
{
    AttentionPlan plan = *shape;
    plan.scale = 1.0f / sqrtf((float)plan.head_size * (kind == ATTENTION_BIAS_DISENTANGLED ? 3.0f : 1.0f));
    Case test = case_make(&plan, kind, token_count);
    if (sparsity) case_add_globals(&test, sparsity);
    size_t size = attention_scratch_size(kernels, &test.plan) * sizeof(float);
    float *scratch = aligned_alloc(64, size);
    assert_non_null(scratch);
    memset(scratch, 0xFF, size); /* NaN */
    for (uint32_t head = 0; head < plan.head_count; head++) {
        check_rows(&test, head, 0, token_count, scratch);
        uint32_t first = random_below(token_count);
        check_rows(&test, head, first, 1 + random_below(token_count - first), scratch);
        check_rows(&test, head, first, 1, scratch);
    }
    free(scratch);
    case_free(&test);
}

enum { BIAS_KINDS = ATTENTION_BIAS_DISENTANGLED + 1 };

static void weights_equal_their_definition_for_every_bias(void **state)
{
    (void)state;
    static const uint32_t token_counts[] = {1, 2, 36, 37, 145, 288, 289, 577};
    for (int kind = 0; kind < BIAS_KINDS; kind++)
        for (size_t i = 0; i < sizeof token_counts / sizeof *token_counts; i++)
            check_weights(&(AttentionPlan){.head_count = 4,
                                           .key_value_head_count = i % 2 ? 4 : 2,
                                           .head_size = 1 + random_below(40),
                                           .window_reach = ATTENTION_UNLIMITED},
                          (AttentionBiasKind)kind, token_counts[i], 0);
}

static void weights_are_those_of_the_keys_in_the_window(void **state)
{
    (void)state;
    static const uint32_t reaches[] = {0, 1, 35, 36, 64, 200, 288, 599};
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++)
        for (int kind = 0; kind < BIAS_KINDS; kind++)
            check_weights(&(AttentionPlan){.head_count = 2,
                                           .key_value_head_count = 1,
                                           .head_size = 1 + random_below(20),
                                           .window_reach = reaches[i]},
                          (AttentionBiasKind)kind, kind ? 1 + random_below(600) : 600, 0);
}

static void weights_of_global_keys_stand_at_their_places(void **state)
{
    (void)state;
    static const uint32_t reaches[] = {0, 1, 35, 150, 288};
    static const uint32_t sparsities[] = {1, 3, 50, 1000};
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++)
        for (size_t j = 0; j < sizeof sparsities / sizeof *sparsities; j++)
            check_weights(&(AttentionPlan){.head_count = 2,
                                           .key_value_head_count = 1 + random_below(2),
                                           .head_size = 1 + random_below(20),
                                           .window_reach = reaches[i]},
                          (AttentionBiasKind)random_below(ATTENTION_BIAS_DISENTANGLED),
                          j ? 1 + random_below(700) : 600, sparsities[j]);
}

/* The first block has the mass of all its places. */
static void weights_of_blocks_have_all_their_mass(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 16, 37, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t j = 0; j < 3; j++) {
            uint32_t repeats = random_below(4);
            uint32_t dense = (5 + 2 * repeats) * sizes[i];
            check_weights(&(AttentionPlan){.head_count = 2,
                                           .key_value_head_count = 1 + random_below(2),
                                           .head_size = 1 + random_below(20),
                                           .window_reach = ATTENTION_UNLIMITED,
                                           .block_size = sizes[i],
                                           .block_repeats = repeats},
                          (AttentionBiasKind)random_below(BIAS_KINDS), dense + j * (1 + random_below(100)), 0);
        }
}

int main(void)
{
    seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_equal_their_definition_for_every_bias),
        cmocka_unit_test(weights_are_those_of_the_keys_in_the_window),
        cmocka_unit_test(weights_of_global_keys_stand_at_their_places),
        cmocka_unit_test(weights_of_blocks_have_all_their_mass),
    };
    int failed = 0;
    for (uint32_t variant = KERNELS_REFERENCE; variant <= KERNELS_AVX512; variant <<= 1) {
        if (!(kernels_available() & variant)) continue;
        kernels = kernels_select(variant);
        print_message("%s\n", kernels->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
