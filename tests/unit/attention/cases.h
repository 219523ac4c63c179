/* Random sequences and plans, and what attention is by definition: the score of a query and a key, and whether one sees
 * the other. */
#pragma once

#include "attention/attention.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const Kernels *kernels; /* under test */
static unsigned seed;

static inline float random_float(void)
{
    return (float)rand_r(&seed) / (float)RAND_MAX * 2.0f - 1.0f;
}

static inline uint32_t random_below(uint32_t bound)
{
    return (uint32_t)rand_r(&seed) % bound;
}

static inline float *random_floats(size_t count, float size)
{
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = random_float() * size;
    return values;
}

/* One sequence and a layer's plan, with what the plan borrows. */
typedef struct Case {
    AttentionPlan plan;
    AttentionRows before;
    float *rows;   /* keys and values beside each other */
    float *panels; /* the same, once case_lay_out has been called */
    uint32_t *global_positions;
    bool is_global[1024];
    float *after;
    float *position_keys; /* as they are; the plan has them packed */
    float *slopes, *table, *packed, *position_queries;
    AttentionBuckets *buckets;
} Case;

static inline void case_free(Case *test)
{
    free(test->before.queries);
    free(test->rows);
    free(test->panels);
    free(test->global_positions);
    free(test->after);
    free(test->position_keys);
    free(test->slopes);
    free(test->table);
    free(test->packed);
    free(test->position_queries);
    attention_buckets_close(test->buckets);
}

static inline void case_add_bias(Case *test, AttentionBiasKind kind)
{
    AttentionPlan *plan = &test->plan;
    plan->bias.kind = kind;
    size_t hidden = (size_t)plan->head_count * plan->head_size;
    if (kind == ATTENTION_BIAS_ALIBI)
        plan->bias.slopes = test->slopes = random_floats(plan->head_count, 0.5f);
    else if (kind == ATTENTION_BIAS_RELATIVE) {
        plan->bias.reach = 1 + random_below(200);
        plan->bias.table = test->table =
            random_floats((size_t)plan->head_count * (2 * plan->bias.reach + 1), 3.0f);
    } else if (kind == ATTENTION_BIAS_DISENTANGLED) {
        Error error;
        uint32_t buckets = random_below(3) ? 2 + random_below(140) : 0;
        assert_int_equal(
            attention_buckets_open(buckets, 3 + buckets / 2 + random_below(500), 4096, &test->buckets, &error),
            STATUS_OK);
        plan->bias.buckets = test->buckets;
        size_t count = hidden * test->buckets->row_count;
        uint32_t terms = random_below(3);
        if (terms != 1) plan->bias.position_queries = test->position_queries = random_floats(count, 3.0f);
        if (terms == 2) return;
        test->position_keys = random_floats(count, 3.0f);
        test->packed = aligned_alloc(64, (attention_positions_size(kernels, plan) + 15) / 16 * 64);
        assert_non_null(test->packed);
        attention_positions_pack(kernels, plan, test->position_keys, test->packed);
        plan->bias.position_keys = test->packed;
    }
}

static inline Case case_make(const AttentionPlan *plan, AttentionBiasKind kind, uint32_t token_count)
{
    size_t hidden = (size_t)plan->head_count * plan->head_size;
    size_t shared = (size_t)plan->key_value_head_count * plan->head_size;
    AttentionRows before = {.query_stride = hidden + random_below(3),
                            .query_count = token_count,
                            .key_stride = 2 * shared + random_below(3),
                            .token_count = token_count};
    size_t count = before.query_stride * token_count;
    float *rows = random_floats(before.key_stride * token_count, 3.0f);
    for (size_t i = 0; i < before.key_stride * token_count; i++)
        if (i % before.key_stride >= shared) rows[i] /= 3.0f;
    before.queries = random_floats(count, 3.0f);
    before.keys = rows;
    before.values = rows + shared;
    Case test = {.plan = *plan, .before = before, .rows = rows, .after = random_floats(count, 0.0f)};
    memcpy(test.after, before.queries, count * sizeof *test.after);
    case_add_bias(&test, kind);
    return test;
}

/* Each position is global with a chance of one in `sparsity`. */
static inline void case_add_globals(Case *test, uint32_t sparsity)
{
    AttentionRows *rows = &test->before;
    test->global_positions = malloc((rows->token_count + 1) * sizeof *test->global_positions);
    assert_non_null(test->global_positions);
    for (uint32_t i = 0; i < rows->token_count; i++)
        if (random_below(sparsity) == 0) {
            test->is_global[i] = true;
            test->global_positions[rows->global_count++] = i;
        }
    rows->global_positions = test->global_positions;
}

/* The rows with panels in place of keys and values, laid out in two parts. */
static inline AttentionRows case_lay_out(Case *test)
{
    AttentionRows rows = test->before;
    uint32_t cut = random_below(rows.token_count) / (ATTENTION_QUERY_BLOCK / 2) * (ATTENTION_QUERY_BLOCK / 2);
    size_t size = attention_panels_size(kernels, &test->plan, rows.token_count);
    test->panels = random_floats(size, 0.0f);
    attention_panels_pack(kernels, &test->plan, &rows, 0, cut, test->panels);
    rows.keys += cut * rows.key_stride;
    rows.values += cut * rows.key_stride;
    attention_panels_pack(kernels, &test->plan, &rows, cut, rows.token_count - cut, test->panels);
    rows.keys = rows.values = NULL;
    rows.panels = test->panels;
    return rows;
}

static inline double dot(const float *x, const float *y, uint32_t size, double *magnitude)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < size; i++) {
        sum += (double)x[i] * (double)y[i];
        *magnitude += fabs((double)x[i] * (double)y[i]);
    }
    return sum;
}

static inline int64_t clamp(int64_t value, int64_t reach)
{
    return value < -reach ? -reach : value > reach ? reach : value;
}

/* scale * query * key + bias, with the sum of its terms' sizes. */
static inline double score(const Case *test, uint32_t head, uint32_t query, uint32_t key, double *out_size)
{
    const AttentionPlan *plan = &test->plan;
    const AttentionBias *bias = &plan->bias;
    size_t offset = (size_t)head * plan->head_size;
    size_t hidden = (size_t)plan->head_count * plan->head_size;
    size_t shared = (size_t)(head / (plan->head_count / plan->key_value_head_count)) * plan->head_size;
    const float *q = test->before.queries + query * test->before.query_stride + offset;
    const float *k = test->before.keys + key * test->before.key_stride + shared;
    int64_t distance = (int64_t)key - query;
    double size = 0.0;
    double sum = dot(q, k, plan->head_size, &size);
    if (bias->kind == ATTENTION_BIAS_DISENTANGLED) {
        const AttentionBuckets *buckets = test->buckets;
        size_t row = buckets->rows[clamp(distance, buckets->reach) + buckets->reach] * hidden + offset;
        if (bias->position_keys) sum += dot(q, test->position_keys + row, plan->head_size, &size);
        if (bias->position_queries) sum += dot(k, test->position_queries + row, plan->head_size, &size);
    }
    double added = 0.0;
    if (bias->kind == ATTENTION_BIAS_ALIBI)
        added = -(double)bias->slopes[head] * fabs((double)distance);
    else if (bias->kind == ATTENTION_BIAS_RELATIVE)
        added = (double)bias->table[head * (2 * bias->reach + 1) + clamp(distance, bias->reach) + bias->reach];
    *out_size = (double)plan->scale * size + fabs(added);
    return (double)plan->scale * sum + added;
}

/* How often the query sees the key. */
static inline uint32_t sight(const Case *test, uint32_t query, uint32_t key)
{
    const AttentionPlan *plan = &test->plan;
    int64_t distance = (int64_t)key - query;
    uint32_t size = plan->block_size;
    if (size == 0 || test->before.token_count <= (5 + 2 * plan->block_repeats) * size)
        return llabs(distance) <= plan->window_reach || test->is_global[key];
    uint32_t last = (test->before.token_count - 1) / size;
    if (query / size == 0 || query / size == last) return 1;
    if (key / size == 0) return 1 + plan->block_repeats;
    return key / size == last || llabs((int64_t)(key / size) - query / size) <= 1;
}
