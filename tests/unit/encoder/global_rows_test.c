/* Longformer's global rows against their definition, in double: keys and values of all tokens are projected there. */
#include "encoder/global_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADS = 3, HEAD_SIZE = 5, HIDDEN = HEADS * HEAD_SIZE, TOKENS_MAX = 130 };

/* Weights as a checkpoint has them, [HIDDEN][HIDDEN], and as they are laid out. */
typedef struct Model {
    Encoder encoder;
    EncoderLayer layer;
    float query[HIDDEN * HIDDEN], key[HIDDEN * HIDDEN], value[HIDDEN * HIDDEN];
    float query_bias[HIDDEN], value_bias[HIDDEN];
    float *storage;
    float hidden[TOKENS_MAX * HIDDEN];
    float *scratch;
} Model;

typedef struct Part {
    const float *weights;
    uint32_t depth;
    bool transposed;
} Part;

static float next_value(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (float)(1 << 23) - 1.0f;
}

static void fill(float *values, size_t count, float scale)
{
    for (size_t i = 0; i < count; i++) values[i] = scale * next_value();
}

static void read_row(const void *context, uint32_t column, float *out_row)
{
    const Part *part = context;
    for (uint32_t i = 0; i < part->depth; i++)
        out_row[i] = part->weights[part->transposed ? i * HIDDEN + column : column * HIDDEN + i];
}

static void lay_out(Model *model, const Kernels *kernels)
{
    size_t keys = gemm_weights_size(kernels, HIDDEN, HEAD_SIZE);
    size_t values = gemm_weights_size(kernels, HEAD_SIZE, HIDDEN);
    size_t query = gemm_weights_size(kernels, HIDDEN, HIDDEN);
    float *packing = malloc(gemm_scratch_size(kernels, HIDDEN) * sizeof *packing);
    float *storage = aligned_alloc(64, (query + HEADS * (keys + values)) * sizeof *storage);
    assert_true(packing && storage);
    model->storage = storage;
    GlobalProjections *globals = &model->layer.globals;
    globals->query.weights = gemm_weights_read(kernels, HIDDEN, HIDDEN, read_row,
                                               &(Part){model->query, HIDDEN, false}, packing, storage);
    globals->query.bias = model->query_bias;
    globals->keys = storage + query;
    globals->values = globals->keys + HEADS * keys;
    globals->value_bias = model->value_bias;
    for (size_t head = 0; head < HEADS; head++) {
        Part key = {model->key + head * HEAD_SIZE * HIDDEN, HEAD_SIZE, true};
        Part value = {model->value + head * HEAD_SIZE * HIDDEN, HIDDEN, false};
        gemm_weights_read(kernels, HIDDEN, HEAD_SIZE, read_row, &key, packing, storage + query + head * keys);
        gemm_weights_read(kernels, HEAD_SIZE, HIDDEN, read_row, &value, packing,
                          storage + query + HEADS * keys + head * values);
    }
    free(packing);
}

static void model_open(Model *model, const Kernels *kernels)
{
    memset(model, 0, sizeof *model);
    fill(model->query, HIDDEN * HIDDEN, 2.0f);
    fill(model->key, HIDDEN * HIDDEN, 1.0f);
    fill(model->value, HIDDEN * HIDDEN, 1.0f);
    fill(model->query_bias, HIDDEN, 1.0f);
    fill(model->value_bias, HIDDEN, 1.0f);
    fill(model->hidden, TOKENS_MAX * HIDDEN, 1.0f);
    model->encoder.kernels = kernels;
    model->encoder.config.hidden_size = HIDDEN;
    model->encoder.config.head_count = HEADS;
    model->encoder.config.head_size = HEAD_SIZE;
    model->layer.plan.scale = 1.0f / sqrtf(HEAD_SIZE);
    model->encoder.layers = &model->layer;
    lay_out(model, kernels);
    model->scratch = aligned_alloc(64, global_rows_scratch_size(&model->encoder) * sizeof(float));
    assert_non_null(model->scratch);
}

static void model_close(Model *model)
{
    free(model->storage);
    free(model->scratch);
}

/* row * weights^T of one output. */
static double project(const float *weights, const float *row, uint32_t output)
{
    double sum = 0;
    for (uint32_t i = 0; i < HIDDEN; i++) sum += (double)weights[output * HIDDEN + i] * (double)row[i];
    return sum;
}

static void expected_context(const Model *model, uint32_t token_count, uint32_t position, double out[HIDDEN])
{
    for (uint32_t head = 0; head < HEADS; head++) {
        double weights[TOKENS_MAX];
        double sum = 0;
        double sums[HEAD_SIZE] = {0};
        for (uint32_t token = 0; token < token_count; token++) {
            double score = 0;
            for (uint32_t i = head * HEAD_SIZE; i < (head + 1) * HEAD_SIZE; i++)
                score +=
                    (project(model->query, model->hidden + position * HIDDEN, i) + (double)model->query_bias[i]) *
                    project(model->key, model->hidden + token * HIDDEN, i);
            weights[token] = exp(score / sqrt(HEAD_SIZE));
            sum += weights[token];
            for (uint32_t i = 0; i < HEAD_SIZE; i++)
                sums[i] +=
                    weights[token] * project(model->value, model->hidden + token * HIDDEN, head * HEAD_SIZE + i);
        }
        for (uint32_t i = 0; i < HEAD_SIZE; i++)
            out[head * HEAD_SIZE + i] = sums[i] / sum + (double)model->value_bias[head * HEAD_SIZE + i];
    }
}

static void attend(const Model *model, uint32_t token_count, const uint32_t *positions, uint32_t count,
                   float *contexts)
{
    uint32_t block = global_rows_block(&model->encoder);
    for (uint32_t first = 0; first < count; first += block)
        global_rows_attend(&model->encoder, &model->layer,
                           &(GlobalRows){.hidden = model->hidden,
                                         .token_count = token_count,
                                         .positions = positions + first,
                                         .count = count - first < block ? count - first : block,
                                         .contexts = contexts + first * HIDDEN,
                                         .scratch = model->scratch});
}

static void compare(const Model *model, uint32_t token_count, const uint32_t *positions, uint32_t count)
{
    static float contexts[TOKENS_MAX * HIDDEN];
    float alone[HIDDEN];
    attend(model, token_count, positions, count, contexts);
    for (uint32_t i = 0; i < count; i++) {
        double expected[HIDDEN];
        expected_context(model, token_count, positions[i], expected);
        for (uint32_t j = 0; j < HIDDEN; j++)
            if (!(fabs((double)contexts[i * HIDDEN + j] - expected[j]) < 5e-6))
                fail_msg("%u tokens, position %u, %u: %g, expected %g", token_count, positions[i], j,
                         (double)contexts[i * HIDDEN + j], expected[j]);
        attend(model, token_count, positions + i, 1, alone);
        assert_memory_equal(contexts + i * HIDDEN, alone, sizeof alone);
    }
}

static void global_rows_see_all_by_projections_of_their_own(void **state)
{
    (void)state;
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    static Model model;
    uint32_t all[TOKENS_MAX];
    for (uint32_t i = 0; i < TOKENS_MAX; i++) all[i] = i;
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        if (!(variants[v] & kernels_available())) continue;
        model_open(&model, kernels_select(variants[v]));
        assert_in_range(global_rows_block(&model.encoder), 1, TOKENS_MAX - 1); /* so that all are two blocks */
        compare(&model, 1, all, 1);
        compare(&model, 2, all, 2);
        compare(&model, 71, (const uint32_t[]){0, 3, 70}, 3);
        compare(&model, TOKENS_MAX, all, TOKENS_MAX);
        model_close(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_rows_see_all_by_projections_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
