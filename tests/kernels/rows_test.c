/* activate, activate_back, gate_rows, rows_pack, rows_scale, rows_gather, layer_norm, rms_norm and rotate_heads of
 * every variant against their definitions in double precision. */
#include "kernels/variants.h"

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

static double gelu_tanh(double x)
{
    return x / (1.0 + exp(-2.0 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double relu(double x)
{
    return x < 0.0 ? 0.0 : x;
}

static double silu(double x)
{
    return x / (1.0 + exp(-x));
}

/* An error of at most units_of_x * u * |x| + units_of_value * u * |value|; TINY * |x| for exp's cut
 * at 88.
 * GELU: erf of a rational function of x / sqrt(2) in t = x^2. The argument is rounded twice (1.5 u, as erf(x) / x
 *   falls slower than 1 / x), t once (u / 2), Horner's positive sums cost at most 6 u above and 6 u below, product
 *   and quotient 1 u each, the approximation 0.32 u: 16.4 u of erf <= 1, times |x| / 2; the last fma adds 1 u of
 *   the value, the reference's sum and product 2 u of |x| / 2 more.
 * GELU_TANH: 2 y has 4 roundings, and d sigmoid(2 y) = 2 |y| sigmoid (1 - sigmoid) 4 u <= 0.9 u; exp, sum, quotient
 *   4 u; the reference's 1 + tanh another 2 u, and its tanh 2 u.
 * SILU: exp within 2 u, weighed by at most 1; sum, quotient 2 u.
 * TANH: t = exp(2 x) - 1 of (exp(r) - 1) / r within 2 u (its polynomial's last sum 1 u, what is before it half of that
 *   and less, the approximation 0.6 u of exp(r) - 1 where that matters), times r 1 u, which r's own half u joins;
 *   2^n - 1 is exact for |n| < 24 and at most twice as large as t; the fma 1 u, the sum 1 u, the quotient 1 u. Of
 *   t's error, t / (t + 2) keeps 2 / (t + 2) <= 2: 14 u. tanhf is within 2 u. */
static const struct Activation {
    double (*exact)(double x);
    double units_of_x;
    double units_of_value;
} activations[] = {
    [GEMM_GELU] = {gelu, 9.5, 2.0}, [GEMM_GELU_TANH] = {gelu_tanh, 6.0, 4.0}, [GEMM_RELU] = {relu, 0.0, 0.0},
    [GEMM_SILU] = {silu, 0.0, 5.0}, [GEMM_TANH] = {tanh, 0.0, 14.0},
};
static const double TINY = 1e-38; /* more than exp(-88) */

/* Every 4,099th float, of both signs. */
static void activate_is_within_its_bound_over_all_floats(void **state)
{
    (void)state;
    enum { BATCH = 1021 };
    float x[BATCH];
    float y[BATCH];
    for (int activation = GEMM_GELU; activation <= GEMM_TANH; activation++) {
        const struct Activation *bound = &activations[activation];
        double worst = 0.0;
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            uint32_t count = 0;
            for (; count < BATCH && bits <= UINT32_MAX; bits += 4099) {
                uint32_t pattern = (uint32_t)bits;
                memcpy(&x[count], &pattern, sizeof pattern);
                if (fabsf(x[count]) < 1e10f) count++;
            }
            memcpy(y, x, sizeof y);
            kernels->activate((GemmActivation)activation, y, count, 1, count);
            for (uint32_t i = 0; i < count; i++) {
                double expected = bound->exact((double)x[i]);
                double size = fabs((double)x[i]);
                double allowed = UNIT * (bound->units_of_x * size + bound->units_of_value * fabs(expected)) +
                                 TINY * (1.0 + size);
                assert_within((double)y[i], expected, allowed, "activate");
                double used = fabs((double)y[i] - expected) / allowed;
                if (used > worst) worst = used;
            }
        }
        print_message("activation %d: at most %.2f of the bound\n", activation, worst);
    }
}

static void activate_lets_nan_and_infinity_through(void **state)
{
    (void)state;
    for (int activation = GEMM_NONE; activation <= GEMM_TANH; activation++) {
        float values[19];
        for (int i = 0; i < 19; i++) values[i] = i % 2 ? NAN : INFINITY;
        kernels->activate((GemmActivation)activation, values, 19, 1, 19);
        float limit = activation == GEMM_TANH ? 1.0f : INFINITY;
        for (int i = 0; i < 19; i++) assert_true(i % 2 ? isnan(values[i]) : values[i] == limit);
    }
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
}

static double gelu_tanh_slope(double x)
{
    double share = 1.0 / (1.0 + exp(-2.0 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    double rest = 1.0 / (1.0 + exp(2.0 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    return share + x * share * rest * 2.0 * 0.79788456080286535588 * (1.0 + 3.0 * 0.044715 * x * x);
}

static double relu_slope(double x)
{
    return x > 0.0 ? 1.0 : 0.0;
}

static double silu_slope(double x)
{
    return (1.0 + x / (1.0 + exp(x))) / (1.0 + exp(-x));
}

static double tanh_slope(double x)
{
    return 1.0 / (cosh(x) * cosh(x));
}

/* An error of at most units * u * |gradient|: all slopes are at most 1.13.
 * GELU: half of erf's 16.4 u, and 1 u of its fma. The density is at most 0.4 and x times it 0.25; its exponent
 *   -x^2 / 2 has 2 roundings, worth x^2 / 2 u each of what is at most x exp(-x^2 / 2) / sqrt(2 pi): together 0.6 u;
 *   exp, two products and the last fma 4 u of 0.25 and 1 u of the slope. The reference's sums and products: 3 u more.
 * GELU_TANH: d slope / d y is at most 1.1 in y's unit, and |y| its own 4 roundings: 4.4 u; exp, sum, quotient 4 u of s;
 *   x s (1 - s) 2 y' is at most 0.6 with 6 more roundings: 4 u; the last fma 1 u. The reference's 1 - y^2 loses digits
 *   to tanh's 2 u, twice, times x y' <= 2 where it counts: 8 u.
 * SILU: s within 4 u, 1 + x (1 - s) within 4 u of at most 2.3 s^-1: 12 u.
 * TANH: 14 u of y, twice y (1 - y^2)'s share of it at most 1: 28 u; at |y| near 1 its error is 1 u of 1. */
static const struct Slope {
    double (*exact)(double x);
    double units;
} slopes[] = {
    [GEMM_GELU] = {gelu_slope, 16.0}, [GEMM_GELU_TANH] = {gelu_tanh_slope, 24.0}, [GEMM_RELU] = {relu_slope, 0.5},
    [GEMM_SILU] = {silu_slope, 12.0}, [GEMM_TANH] = {tanh_slope, 29.0},
};

/* Every 4,099th float, of both signs, with gradients of all sizes. */
static void activate_back_is_within_its_bound_over_all_floats(void **state)
{
    (void)state;
    enum { BATCH = 1021 };
    float x[BATCH];
    float before[BATCH];
    float after[BATCH];
    for (int activation = GEMM_GELU; activation <= GEMM_TANH; activation++) {
        const struct Slope *bound = &slopes[activation];
        double worst = 0.0;
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            uint32_t count = 0;
            for (; count < BATCH && bits <= UINT32_MAX; bits += 4099) {
                uint32_t pattern = (uint32_t)bits;
                memcpy(&x[count], &pattern, sizeof pattern);
                if (fabsf(x[count]) < 1e10f) before[count++] = random_float();
            }
            memcpy(after, before, sizeof after);
            kernels->activate_back((GemmActivation)activation, x, after, count);
            for (uint32_t i = 0; i < count; i++) {
                double expected = bound->exact((double)x[i]) * (double)before[i];
                double allowed = UNIT * bound->units * fabs((double)before[i]);
                assert_within((double)after[i], expected, allowed, "activate_back");
                double used = fabs((double)after[i] - expected) / allowed;
                if (allowed > 0 && used > worst) worst = used;
            }
        }
        print_message("slope of activation %d: at most %.2f of the bound\n", activation, worst);
    }
}

static void activate_back_through_no_activation_changes_nothing(void **state)
{
    (void)state;
    const float x[3] = {-1.0f, 0.0f, 2.0f};
    float gradients[3] = {3.0f, 4.0f, 5.0f};
    kernels->activate_back(GEMM_NONE, x, gradients, 3);
    assert_true(gradients[0] == 3.0f && gradients[1] == 4.0f && gradients[2] == 5.0f);
}

static void rows_pack_copies_columns_and_pads_with_zeros(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns <= kernels->panel_columns; columns++) {
        uint32_t row_count = 1 + random_below(9);
        size_t stride = columns + random_below(5);
        size_t width = (columns + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
        float *rows = random_floats((row_count - 1) * stride + columns);
        float *panel = untouched_floats(row_count * width);
        kernels->rows_pack(rows, stride, row_count, columns, panel);
        for (uint32_t row = 0; row < row_count; row++)
            for (uint32_t column = 0; column < width; column++) {
                float expected = column < columns ? rows[row * stride + column] : 0.0f;
                assert_memory_equal(&panel[row * width + column], &expected, sizeof expected);
            }
        free(rows);
        free(panel);
    }
}

/* A sum of n products rounds each at most n + 1 times. */
static void rows_gather_adds_up_rows(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 80; size++) {
        uint32_t rows = 1 + random_below(40);
        size_t stride = size + random_below(5);
        float *values = random_floats(rows * stride);
        float *factors = random_floats(rows);
        float *before = random_floats(size);
        float *sums = untouched_floats(size);
        memcpy(sums, before, size * sizeof *sums);
        kernels->rows_gather(values, stride, rows, size, factors, sums);
        for (uint32_t i = 0; i < size; i++) {
            double sum = (double)before[i];
            double magnitude = fabs(sum);
            for (uint32_t row = 0; row < rows; row++) {
                double product = (double)factors[row] * (double)values[row * stride + i];
                sum += product;
                magnitude += fabs(product);
            }
            assert_within((double)sums[i], sum, UNIT * (rows + 1.0) * magnitude, "rows_gather");
        }
        free(values);
        free(factors);
        free(before);
        free(sums);
    }
}

static void rows_scale_multiplies_each_row(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 130; size++) {
        uint32_t rows = 1 + random_below(6);
        size_t stride = size + random_below(4);
        size_t count = (rows - 1) * stride + size;
        float *values = random_floats(count);
        float *factors = random_floats(rows);
        float *expected = malloc(count * sizeof *expected);
        assert_non_null(expected);
        for (size_t i = 0; i < count; i++)
            expected[i] = i % stride < size ? values[i] * factors[i / stride] : values[i];
        kernels->rows_scale(values, stride, rows, size, factors);
        assert_memory_equal(values, expected, count * sizeof *values);
        free(values);
        free(factors);
        free(expected);
    }
}

/* The activation's bits are activate's, and one product is rounded once: to the bit. */
static void check_gated_rows(const GatedRows *gated, const float *gates, const float *values)
{
    float *expected = malloc(gated->size * sizeof *expected);
    assert_non_null(expected);
    for (uint32_t row = 0; row < gated->rows; row++) {
        memcpy(expected, gates + row * gated->stride, gated->size * sizeof *expected);
        kernels->activate(gated->activation, expected, 0, 1, gated->size);
        for (uint32_t i = 0; i < gated->size; i++) expected[i] *= values[row * gated->stride + i];
        assert_memory_equal(gated->products + row * gated->products_stride, expected,
                            gated->size * sizeof *expected);
    }
    free(expected);
}

/* Gates and values side by side, in both orders; in place of either, and apart. */
static void gate_rows_multiplies_activations_with_values(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 130; size++) {
        uint32_t rows = 1 + random_below(4);
        size_t stride = 2 * size + random_below(3);
        size_t count = (rows - 1) * stride + 2 * size;
        float *input = random_floats(count);
        float *work = malloc(count * sizeof *work);
        float *apart = untouched_floats((size_t)rows * (size + 1));
        assert_non_null(work);
        memcpy(work, input, count * sizeof *work);
        size_t gates = size % 2 ? 0 : size;
        GatedRows gated = {.gates = work + gates,
                           .values = work + size - gates,
                           .stride = stride,
                           .products = size % 3 ? work + (size % 3 - 1) * size : apart,
                           .products_stride = size % 3 ? stride : size + 1,
                           .rows = rows,
                           .size = size,
                           .activation = (GemmActivation)random_below(GEMM_TANH + 1)};
        kernels->gate_rows(&gated);
        check_gated_rows(&gated, input + gates, input + size - gates);
        for (size_t i = 0; i < count; i++)
            if (i % stride >= 2 * size) assert_memory_equal(&work[i], &input[i], sizeof *work);
        for (uint32_t row = 0; row < rows; row++) assert_true(apart[row * (size + 1) + size] == UNTOUCHED);
        free(input);
        free(work);
        free(apart);
    }
}

/* The mean's error is at most n u of the mean magnitude; it and one rounding move each difference; the variance, a
 * mean of squares of such differences, is within (n + 4) u relatively and the square of the mean's error; its root
 * and quotient and the two products add 4 u, gain and shift's fma 1 u of the result. Without a mean, its error is 0. */
static void check_normalized_row(const float *row, const float *input, uint32_t size, const float *gain,
                                 const float *shift, float epsilon, bool centered)
{
    double sum = 0.0;
    double magnitude = 0.0;
    double squares = 0.0;
    for (uint32_t i = 0; i < size && centered; i++) {
        sum += (double)input[i];
        magnitude += fabs((double)input[i]);
    }
    double mean = sum / size;
    for (uint32_t i = 0; i < size; i++) squares += ((double)input[i] - mean) * ((double)input[i] - mean);
    double deviation = sqrt(squares / size + (double)epsilon);
    double mean_error = (size + 1) * UNIT * magnitude / size;
    double relative = (size + 8) * UNIT + mean_error * mean_error / (deviation * deviation);
    for (uint32_t i = 0; i < size; i++) {
        double normal = ((double)input[i] - mean) / deviation;
        double added = shift ? (double)shift[i] : 0.0;
        double expected = normal * (double)gain[i] + added;
        double bound = fabs((double)gain[i]) * (mean_error / deviation + fabs(normal) * relative) +
                       2 * UNIT * (fabs(expected) + fabs(added));
        assert_within((double)row[i], expected, 1.01 * bound, centered ? "layer_norm" : "rms_norm");
    }
}

/* layer_norm with and without a shift, and rms_norm; in place and apart. */
static void check_normalization(uint32_t size, bool centered)
{
    uint32_t rows = 1 + random_below(5);
    float epsilon = size % 2 ? 1e-5f : 1e-12f;
    float *input = random_floats((size_t)rows * size);
    float *gain = random_floats(size);
    float *shift = centered && random_below(2) ? random_floats(size) : NULL;
    float *output = malloc((size_t)rows * size * sizeof *output);
    assert_non_null(output);
    bool in_place = random_below(2);
    memcpy(output, input, (size_t)rows * size * sizeof *output);
    if (centered)
        kernels->layer_norm(in_place ? output : input, output, rows, size, gain, shift, epsilon);
    else
        kernels->rms_norm(in_place ? output : input, output, rows, size, gain, epsilon);
    for (uint32_t row = 0; row < rows && (size > 1 || !centered); row++)
        check_normalized_row(output + row * size, input + row * size, size, gain, shift, epsilon, centered);
    for (uint32_t i = 0; i < rows && size == 1 && centered; i++) assert_true(output[i] == (shift ? shift[0] : 0));
    free(input);
    free(gain);
    free(shift);
    free(output);
}

static void layer_norm_is_within_its_bound(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 200; size++) check_normalization(size, true);
}

static void rms_norm_is_within_its_bound(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 200; size++) check_normalization(size, false);
}

/* Two products and a sum, each rounded at most once: 3 u of the sizes. What is not turned stays. */
static void rotate_heads_turns_pairs(void **state)
{
    (void)state;
    for (uint32_t half = 1; half <= 70; half++) {
        uint32_t heads = 1 + random_below(4);
        uint32_t head_size = 2 * half + random_below(5);
        float *cosines = random_floats(half);
        float *sines = random_floats(half);
        float *before = random_floats((size_t)heads * head_size);
        float *after = malloc((size_t)heads * head_size * sizeof *after);
        assert_non_null(after);
        memcpy(after, before, (size_t)heads * head_size * sizeof *after);
        kernels->rotate_heads(after, heads, head_size, cosines, sines, half);
        for (uint32_t i = 0; i < heads * head_size; i++) {
            uint32_t place = i % head_size;
            if (place >= 2 * half) {
                assert_true(after[i] == before[i]);
                continue;
            }
            double own = (double)before[i] * (double)cosines[place % half];
            double other = (double)before[place < half ? i + half : i - half] * (double)sines[place % half];
            assert_within((double)after[i], place < half ? own - other : own + other,
                          3.01 * UNIT * (fabs(own) + fabs(other)), "rotate_heads");
        }
        free(cosines);
        free(sines);
        free(before);
        free(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activate_is_within_its_bound_over_all_floats),
        cmocka_unit_test(activate_lets_nan_and_infinity_through),
        cmocka_unit_test(activate_back_is_within_its_bound_over_all_floats),
        cmocka_unit_test(activate_back_through_no_activation_changes_nothing),
        cmocka_unit_test(rows_pack_copies_columns_and_pads_with_zeros),
        cmocka_unit_test(rows_scale_multiplies_each_row),
        cmocka_unit_test(rows_gather_adds_up_rows),
        cmocka_unit_test(gate_rows_multiplies_activations_with_values),
        cmocka_unit_test(layer_norm_is_within_its_bound),
        cmocka_unit_test(rms_norm_is_within_its_bound),
        cmocka_unit_test(rotate_heads_turns_pairs),
    };
    int failed = 0;
    RUN_FOR_EVERY_VARIANT(tests, failed);
    return failed;
}
