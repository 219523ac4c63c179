/* Tiled attention against its definition, for lengths, head sizes, windows, global keys, blocks and biases around every
 * tile's border. */
#include "unit/attention/cases.h"

#include <time.h>

/* softmax(scores) * values of one query of one head, in double. Returns the largest score's size. */
static double attend(const Case *test, uint32_t head, uint32_t query, double *out_values)
{
    const AttentionPlan *plan = &test->plan;
    double scores[1024];
    double largest = 0.0, maximum = -INFINITY, sum = 0.0;
    for (uint32_t key = 0; key < test->before.token_count; key++) {
        double size;
        uint32_t count = sight(test, query, key);
        if (count == 0) continue;
        scores[key] = score(test, head, query, key, &size) + log(count);
        size += log1p(plan->block_repeats);
        if (size > largest) largest = size;
        if (scores[key] > maximum) maximum = scores[key];
    }
    memset(out_values, 0, plan->head_size * sizeof *out_values);
    uint32_t sharing = plan->head_count / plan->key_value_head_count;
    size_t offset = (size_t)(head / sharing) * plan->head_size;
    for (uint32_t key = 0; key < test->before.token_count; key++) {
        if (!sight(test, query, key)) continue;
        double weight = exp(scores[key] - maximum);
        const float *v = test->before.values + key * test->before.key_stride + offset;
        for (uint32_t i = 0; i < plan->head_size; i++) out_values[i] += weight * (double)v[i];
        sum += weight;
    }
    for (uint32_t i = 0; i < plan->head_size; i++) out_values[i] /= sum;
    return largest;
}

/* A score's error is at most (head_size + 6) u of its size, and moves a weight by as much relatively, up and down;
 * weights and sums add (2 token_count + 8) u; values are at most 1. */
static void check_head(const Case *test, uint32_t head, uint32_t query_step)
{
    const AttentionPlan *plan = &test->plan;
    double expected[256];
    for (uint32_t query = 0; query < test->before.token_count; query += query_step) {
        double largest = attend(test, head, query, expected);
        double bound = 0x1p-24 * (2.0 * (plan->head_size + 6.0) * largest + 2.0 * test->before.token_count + 8.0);
        for (uint32_t i = 0; i < plan->head_size; i++) {
            double actual =
                (double)test->after[query * test->before.query_stride + (size_t)head * plan->head_size + i];
            if (!(fabs(actual - expected[i]) <= bound))
                fail_msg(
                    "bias %d, %u tokens, reach %u, %u global, blocks of %u + %u, head %u of %u (%u), size %u, "
                    "query %u: %g instead of %g",
                    plan->bias.kind, test->before.token_count, plan->window_reach, test->before.global_count,
                    plan->block_size, plan->block_repeats, head, plan->head_count, plan->key_value_head_count,
                    plan->head_size, query, actual, expected[i]);
        }
    }
}

/* Queries `step` at a time, over the keys and values of `before`. */
static void run(Case *test, const AttentionRows *before, uint32_t step)
{
    size_t size = attention_scratch_size(kernels, &test->plan) * sizeof(float);
    float *scratch = aligned_alloc(64, size);
    assert_non_null(scratch);
    memset(scratch, 0xFF, size); /* NaN */
    for (uint32_t query = 0; query < test->before.token_count; query += step) {
        AttentionRows rows = *before;
        rows.queries = test->after + query * rows.query_stride;
        rows.first_query = query;
        rows.query_count = rows.token_count - query < step ? rows.token_count - query : step;
        attention_forward(kernels, &test->plan, &rows, scratch);
    }
    free(scratch);
}

static void check_values(const Case *test, const AttentionRows *rows)
{
    uint32_t size = test->plan.head_size;
    float value[512];
    for (uint32_t token = 0; token < rows->token_count; token += 7)
        for (uint32_t head = 0; head < test->plan.key_value_head_count; head++) {
            const float *expected = test->before.values + token * test->before.key_stride + (size_t)head * size;
            attention_read_value(kernels, &test->plan, rows, head, token, value);
            assert_memory_equal(value, expected, size * sizeof *value);
        }
}

/* The same bits over panels, and when queries are cut. */
static void check_again(Case *test)
{
    size_t count = test->before.query_stride * test->before.token_count;
    AttentionRows laid_out = case_lay_out(test);
    bool cut = test->before.token_count > ATTENTION_QUERY_BLOCK;
    float *whole = malloc((count + 1) * sizeof *whole);
    assert_non_null(whole);
    memcpy(whole, test->after, count * sizeof *whole);
    memcpy(test->after, test->before.queries, count * sizeof *whole);
    run(test, cut && random_below(2) ? &test->before : &laid_out, ATTENTION_QUERY_BLOCK * (1 + random_below(2)));
    assert_memory_equal(test->after, whole, count * sizeof *whole);
    check_values(test, &test->before);
    check_values(test, &laid_out);
    free(whole);
}

/* `sparsity` 0: no global keys. */
static void check_attention(const AttentionPlan *shape, AttentionBiasKind kind, uint32_t token_count,
                            uint32_t sparsity)
{
    AttentionPlan plan = *shape;
    plan.scale = 1.0f / sqrtf((float)plan.head_size * (kind == ATTENTION_BIAS_DISENTANGLED ? 3.0f : 1.0f));
    Case test = case_make(&plan, kind, token_count);
    if (sparsity) case_add_globals(&test, sparsity);
    run(&test, &test.before, 4 * ATTENTION_QUERY_BLOCK);
    for (uint32_t head = 0; head < plan.head_count; head++) check_head(&test, head, token_count > 75 ? 17 : 1);
    size_t stride = test.before.query_stride;
    size_t hidden = (size_t)plan.head_count * plan.head_size;
    for (size_t i = 0; i < stride * token_count; i++)
        if (i % stride >= hidden) assert_true(test.after[i] == test.before.queries[i]);
    check_again(&test);
    case_free(&test);
}

static const uint32_t token_counts[] = {1,   2,   35,  36,  37,  73,  108, 143, 144, 145, 180,
                                        287, 288, 289, 300, 399, 432, 433, 512, 575, 576, 577};

enum {
    TOKEN_COUNTS = sizeof token_counts / sizeof *token_counts,
    BIAS_KINDS = ATTENTION_BIAS_DISENTANGLED + 1,
};

static void attention_equals_its_definition_for_every_head_size(void **state)
{
    (void)state;
    for (uint32_t head_size = 1; head_size <= 256; head_size += head_size < 70 ? 1 : 31)
        check_attention(&(AttentionPlan){.head_count = 1 + head_size % 3,
                                         .key_value_head_count = 1,
                                         .head_size = head_size,
                                         .window_reach = ATTENTION_UNLIMITED},
                        (AttentionBiasKind)(head_size % BIAS_KINDS), token_counts[random_below(10)], 0);
}

static void attention_equals_its_definition_for_every_bias_and_length(void **state)
{
    (void)state;
    for (int kind = 0; kind < BIAS_KINDS; kind++)
        for (int i = 0; i < TOKEN_COUNTS; i++)
            check_attention(&(AttentionPlan){.head_count = 6,
                                             .key_value_head_count = i % 3 == 0 ? 6 : i % 3,
                                             .head_size = 5 + random_below(15),
                                             .window_reach = ATTENTION_UNLIMITED},
                            (AttentionBiasKind)kind, token_counts[i], 0);
}

static void attention_sees_no_key_beyond_its_window(void **state)
{
    (void)state;
    static const uint32_t reaches[] = {0, 1, 7, 35, 36, 64, 143, 144, 200, 255, 256, 599, 600};
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++)
        for (int kind = 0; kind < BIAS_KINDS; kind++)
            check_attention(&(AttentionPlan){.head_count = 3,
                                             .key_value_head_count = random_below(2) ? 3 : 1,
                                             .head_size = 1 + random_below(20),
                                             .window_reach = reaches[i]},
                            (AttentionBiasKind)kind, kind ? 1 + random_below(600) : 600, 0);
}

/* From all of the keys, more than a tile of them, to perhaps none. */
static void attention_sees_global_keys_once(void **state)
{
    (void)state;
    static const uint32_t reaches[] = {0, 1, 35, 64, 150, 288};
    static const uint32_t sparsities[] = {1, 3, 50, 1000};
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++)
        for (size_t j = 0; j < sizeof sparsities / sizeof *sparsities; j++)
            check_attention(&(AttentionPlan){.head_count = 2,
                                             .key_value_head_count = 1 + random_below(2),
                                             .head_size = 1 + random_below(20),
                                             .window_reach = reaches[i]},
                            (AttentionBiasKind)random_below(ATTENTION_BIAS_DISENTANGLED),
                            j ? 1 + random_below(700) : 600, sparsities[j]);
}

/* Around the length from which on there are blocks, with last blocks that are whole or not. */
static void attention_sees_blocks(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 16, 36, 37, 64, 72, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t j = 0; j < 5; j++) {
            uint32_t repeats = i < 7 ? random_below(4) : 0;
            uint32_t dense = (5 + 2 * repeats) * sizes[i];
            uint32_t more[] = {0, 1, sizes[i] - 1, sizes[i], random_below(1000 - dense)};
            check_attention(&(AttentionPlan){.head_count = 2,
                                             .key_value_head_count = 1 + random_below(2),
                                             .head_size = 1 + random_below(20),
                                             .window_reach = ATTENTION_UNLIMITED,
                                             .block_size = sizes[i],
                                             .block_repeats = repeats},
                            j % 2 ? ATTENTION_BIAS_NONE : (AttentionBiasKind)random_below(BIAS_KINDS),
                            dense + more[j], 0);
        }
}

/* Where all keys are seen, a query has the same bits by itself. */
static void attention_runs_single_queries(void **state)
{
    (void)state;
    for (int kind = 0; kind < ATTENTION_BIAS_DISENTANGLED; kind++) {
        AttentionPlan plan = {.head_count = 2,
                              .key_value_head_count = 1,
                              .head_size = 300,
                              .window_reach = ATTENTION_UNLIMITED,
                              .scale = 0.06f};
        Case test = case_make(&plan, (AttentionBiasKind)kind, 400);
        run(&test, &test.before, 4 * ATTENTION_QUERY_BLOCK);
        float *scratch = aligned_alloc(64, attention_scratch_size(kernels, &test.plan) * sizeof *scratch);
        assert_non_null(scratch);
        for (uint32_t query = 3; query < 400; query += 36) {
            AttentionRows rows = test.before;
            rows.first_query = query;
            rows.query_count = 1;
            rows.queries += query * rows.query_stride;
            attention_forward(kernels, &test.plan, &rows, scratch);
            assert_memory_equal(rows.queries, test.after + query * rows.query_stride, 600 * sizeof *rows.queries);
        }
        free(scratch);
        case_free(&test);
    }
}

static void attention_work_counts_the_pairs_that_see_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        AttentionPlan plan = {
            .head_count = 3,
            .head_size = 5,
            .window_reach = i % 2 ? random_below(300) : ATTENTION_UNLIMITED,
            .block_size = i % 2 ? 0 : 1 + random_below(20),
            .block_repeats = random_below(3),
        };
        Case test = {.plan = plan, .before = {.token_count = 1 + random_below(500)}};
        uint64_t pairs = 0;
        for (uint32_t query = 0; query < test.before.token_count; query++)
            for (uint32_t key = 0; key < test.before.token_count; key++) pairs += sight(&test, query, key) > 0;
        assert_int_equal(attention_work(&plan, test.before.token_count, 0), 4 * 3 * 5 * pairs);
    }
}

int main(void)
{
    seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_equals_its_definition_for_every_head_size),
        cmocka_unit_test(attention_equals_its_definition_for_every_bias_and_length),
        cmocka_unit_test(attention_sees_no_key_beyond_its_window),
        cmocka_unit_test(attention_sees_global_keys_once),
        cmocka_unit_test(attention_sees_blocks),
        cmocka_unit_test(attention_runs_single_queries),
        cmocka_unit_test(attention_work_counts_the_pairs_that_see_each_other),
    };
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    int failed = 0;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!(variants[i] & kernels_available())) continue;
        kernels = kernels_select(variants[i]);
        print_message("%s\n", kernels->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
