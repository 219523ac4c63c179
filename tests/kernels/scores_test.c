/* softmax_tile and diagonals_add of every variant against their definitions in double precision. */
#include "kernels/variants.h"

/* d = scale * score - maximum has two roundings, each of a magnitude of at most `size`, which exp turns into a relative
 * error, besides its own 2 u; a sum of n such terms adds n u. */
static void check_softmax_row(const float *weights, const float *scores, uint32_t columns, float scale,
                              const double before[2], const float after[3])
{
    double maximum = before[0];
    double size = isinf(before[0]) ? 0.0 : fabs(before[0]);
    for (uint32_t i = 0; i < columns; i++) {
        double score = (double)scores[i] * (double)scale;
        if (score > maximum) maximum = score;
        if (fabs(score) > size) size = fabs(score);
    }
    assert_within((double)after[0], maximum, UNIT * fabs(maximum), "maximum");
    double relative = (4.0 * size + 3.0) * UNIT;
    double factor = exp(before[0] - maximum);
    double sum = before[1] * factor;
    for (uint32_t i = 0; i < columns; i++) {
        double expected = exp((double)scores[i] * (double)scale - maximum);
        assert_within((double)weights[i], expected, 1.01 * relative * expected + 2e-38, "weight");
        sum += expected;
    }
    assert_within((double)after[2], factor, 1.01 * relative * factor + 2e-38, "factor");
    assert_within((double)after[1], sum, 1.01 * (relative + (columns + 2) * UNIT) * sum + 2e-36, "sum");
}

static void softmax_tile_is_within_its_bound(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns <= 150; columns++) {
        uint32_t rows = 1 + random_below(5);
        size_t stride = columns + random_below(4);
        size_t count = (rows - 1) * stride + columns;
        float *scores = random_floats(count);
        float *weights = malloc(count * sizeof *weights);
        float maxima[5], sums[5], factors[5];
        double before[5][2];
        assert_non_null(weights);
        memcpy(weights, scores, count * sizeof *weights);
        for (uint32_t row = 0; row < rows; row++) {
            maxima[row] = columns % 3 ? 3.0f * random_float() : -INFINITY;
            sums[row] = columns % 3 ? 1.0f + (float)random_below(100) : 0.0f;
            before[row][0] = (double)maxima[row];
            before[row][1] = (double)sums[row];
        }
        float scale = 0.1f + (float)random_below(20) / 10.0f;
        kernels->softmax_tile(&(SoftmaxTile){.scores = weights,
                                             .stride = stride,
                                             .rows = rows,
                                             .columns = columns,
                                             .scale = scale,
                                             .maxima = maxima,
                                             .sums = sums,
                                             .factors = factors});
        for (uint32_t row = 0; row < rows; row++)
            check_softmax_row(weights + row * stride, scores + row * stride, columns, scale, before[row],
                              (const float[]){maxima[row], sums[row], factors[row]});
        for (uint32_t row = 0; row + 1 < rows; row++)
            for (size_t i = columns; i < stride; i++)
                assert_memory_equal(&weights[row * stride + i], &scores[row * stride + i], sizeof *weights);
        free(scores);
        free(weights);
    }
}

static void softmax_tile_shows_nan_in_its_sum(void **state)
{
    (void)state;
    for (uint32_t place = 0; place < 35; place++) {
        float scores[35] = {0};
        float maximum = -INFINITY, sum = 0.0f, factor;
        scores[place] = NAN;
        kernels->softmax_tile(&(SoftmaxTile){.scores = scores,
                                             .stride = 35,
                                             .rows = 1,
                                             .columns = 35,
                                             .scale = 1.0f,
                                             .maxima = &maximum,
                                             .sums = &sum,
                                             .factors = &factor});
        assert_true(isnan(sum));
    }
}

/* A product and a sum: 2 u of the sizes. */
static void diagonals_add_adds_a_value_to_each_diagonal(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns <= 150; columns++) {
        uint32_t rows = 1 + random_below(36);
        size_t stride = columns + random_below(4);
        size_t count = (rows - 1) * stride + columns;
        float *before = random_floats(count);
        float *line = random_floats(rows + columns - 1);
        float *after = malloc(count * sizeof *after);
        assert_non_null(after);
        memcpy(after, before, count * sizeof *after);
        float scale = 0.1f + (float)random_below(20) / 10.0f;
        kernels->diagonals_add(after, stride, rows, columns, scale, line);
        for (size_t i = 0; i < count; i++) {
            uint32_t row = (uint32_t)(i / stride);
            uint32_t column = (uint32_t)(i % stride);
            if (column >= columns) {
                assert_true(after[i] == before[i]);
                continue;
            }
            double product = (double)scale * (double)before[i];
            double added = (double)line[rows - 1 - row + column];
            assert_within((double)after[i], product + added, 2.01 * UNIT * (fabs(product) + fabs(added)),
                          "diagonals_add");
        }
        free(before);
        free(line);
        free(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_tile_is_within_its_bound),
        cmocka_unit_test(softmax_tile_shows_nan_in_its_sum),
        cmocka_unit_test(diagonals_add_adds_a_value_to_each_diagonal),
    };
    int failed = 0;
    RUN_FOR_EVERY_VARIANT(tests, failed);
    return failed;
}
