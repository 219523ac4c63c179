/* Tiled attention against its definition, for lengths and head sizes around every tile's border. */
#include "attention/dense.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static unsigned seed;

static float random_float(void)
{
    return (float)rand_r(&seed) / (float)RAND_MAX * 2.0f - 1.0f;
}

static float *copy_floats(const float *values, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

/* softmax(scale * query * keys^T) * values of one query of one head, in double. Returns the largest score's size. */
static double attend(const AttentionPlan *plan, const AttentionRows *sequence, uint32_t head, uint32_t query,
                     double *out_values)
{
    size_t hidden = (size_t)plan->head_count * plan->head_size;
    double scores[512];
    double largest = 0.0, maximum = -INFINITY, sum = 0.0;
    for (uint32_t key = 0; key < sequence->token_count; key++) {
        scores[key] = 0.0;
        const float *q = sequence->rows + query * sequence->stride + (size_t)head * plan->head_size;
        const float *k = sequence->rows + key * sequence->stride + hidden + (size_t)head * plan->head_size;
        double size = 0.0;
        for (uint32_t i = 0; i < plan->head_size; i++) {
            scores[key] += (double)plan->scale * (double)q[i] * (double)k[i];
            size += fabs((double)plan->scale * (double)q[i] * (double)k[i]);
        }
        if (size > largest) largest = size;
        if (scores[key] > maximum) maximum = scores[key];
    }
    memset(out_values, 0, plan->head_size * sizeof *out_values);
    for (uint32_t key = 0; key < sequence->token_count; key++) {
        double weight = exp(scores[key] - maximum);
        const float *v = sequence->rows + key * sequence->stride + 2 * hidden + (size_t)head * plan->head_size;
        for (uint32_t i = 0; i < plan->head_size; i++) out_values[i] += weight * (double)v[i];
        sum += weight;
    }
    for (uint32_t i = 0; i < plan->head_size; i++) out_values[i] /= sum;
    return largest;
}

/* A score's error is at most (head_size + 4) u of its size, and moves a weight by as much relatively, up and down;
 * weights and sums add (2 token_count + 8) u; values are at most 1. */
static void check_head(const AttentionPlan *plan, const AttentionRows *before, const float *after, uint32_t head)
{
    double expected[256];
    for (uint32_t query = 0; query < before->token_count; query++) {
        double largest = attend(plan, before, head, query, expected);
        double bound = 0x1p-24 * (2.0 * (plan->head_size + 4.0) * largest + 2.0 * before->token_count + 8.0);
        for (uint32_t i = 0; i < plan->head_size; i++) {
            double actual = (double)after[query * before->stride + (size_t)head * plan->head_size + i];
            if (!(fabs(actual - expected[i]) <= bound))
                fail_msg("%u tokens, head size %u, query %u: %g instead of %g", before->token_count,
                         plan->head_size, query, actual, expected[i]);
        }
    }
}

static void check_attention(const Kernels *kernels, uint32_t head_count, uint32_t head_size, uint32_t token_count)
{
    AttentionPlan plan = {
        .head_count = head_count, .head_size = head_size, .scale = 1.0f / sqrtf((float)head_size)};
    size_t stride = (size_t)3 * head_count * head_size;
    size_t count = stride * token_count;
    float *rows = malloc(count * sizeof *rows);
    float *scratch = aligned_alloc(64, attention_scratch_size(kernels, &plan) * sizeof *scratch);
    assert_non_null(rows);
    assert_non_null(scratch);
    for (size_t i = 0; i < count; i++) rows[i] = random_float() * (i % stride < stride / 3 * 2 ? 3.0f : 1.0f);
    float *before = copy_floats(rows, count);
    AttentionRows sequence = {.rows = rows, .stride = stride, .token_count = token_count};
    attention_dense(kernels, &plan, &sequence, scratch);
    sequence.rows = before;
    for (uint32_t head = 0; head < head_count; head++) check_head(&plan, &sequence, rows, head);
    for (size_t i = 0; i < count; i++)
        if (i % stride >= stride / 3) assert_true(rows[i] == before[i]);
    free(before);
    free(rows);
    free(scratch);
}

static void attention_equals_its_definition(void **state)
{
    (void)state;
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    static const uint32_t head_sizes[] = {1, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 97, 127, 128};
    static const uint32_t token_counts[] = {1, 2, 35, 36, 37, 73, 143, 144, 145, 255, 256, 257, 289, 300};
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        const Kernels *kernels = kernels_select(variants[v]);
        for (size_t i = 0; i < sizeof head_sizes / sizeof *head_sizes; i++) {
            uint32_t token_count =
                token_counts[(size_t)rand_r(&seed) % (sizeof token_counts / sizeof *token_counts)];
            check_attention(kernels, 1 + i % 3, head_sizes[i], token_count);
        }
        for (size_t i = 0; i < sizeof token_counts / sizeof *token_counts; i++)
            check_attention(kernels, 2, 24, token_counts[i]);
    }
}

int main(void)
{
    seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_equals_its_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
