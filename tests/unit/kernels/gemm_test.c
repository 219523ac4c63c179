/* Whole products: weights of any shape, laid out and multiplied by either backend. */
#include "kernels/gemm.h"

#include "unit/kernels/openblas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { ROWS_MAX = 300 };

static unsigned seed;

typedef struct Layer {
    uint32_t columns, depth;
    float *rows; /* [columns][depth] */
    float *storage;
    float *scratch;
    GemmWeights weights;
} Layer;

static float *random_floats(size_t count)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = (float)rand_r(&seed) / (float)RAND_MAX - 0.5f;
    return values;
}

static void layer_row(const void *context, uint32_t column, float *out_row)
{
    const Layer *layer = context;
    memcpy(out_row, layer->rows + (size_t)column * layer->depth, layer->depth * sizeof *out_row);
}

static Layer layer_make(const Kernels *kernels, uint32_t columns, uint32_t depth)
{
    Layer layer = {.columns = columns, .depth = depth, .rows = random_floats((size_t)columns * depth)};
    layer.storage = aligned_alloc(64, gemm_weights_size(kernels, columns, depth) * sizeof(float));
    layer.scratch = malloc(gemm_scratch_size(kernels, depth) * sizeof(float));
    assert_non_null(layer.storage);
    assert_non_null(layer.scratch);
    layer.weights = gemm_weights_read(kernels, columns, depth, layer_row, &layer, layer.scratch, layer.storage);
    return layer;
}

static void layer_free(Layer *layer)
{
    free(layer->rows);
    free(layer->storage);
    free(layer->scratch);
}

/* Inputs are below 1/2, so a dot product of n terms is within n^2 u / 4 of the exact one; bias and residual add
 * little. */
static void check_product(const Kernels *kernels, uint32_t rows, uint32_t columns, uint32_t depth, int in_place)
{
    Layer layer = layer_make(kernels, columns, depth);
    float *a = random_floats((size_t)rows * depth);
    float *bias = random_floats(columns);
    float *residual = random_floats((size_t)rows * columns);
    float *c = random_floats((size_t)rows * columns);
    if (in_place) memcpy(c, residual, (size_t)rows * columns * sizeof *c);
    gemm_multiply(kernels, &layer.weights, a, depth, rows, c, columns,
                  &(GemmEpilogue){.bias = bias,
                                  .residual = in_place ? c : residual,
                                  .residual_stride = columns,
                                  .activation = GEMM_RELU});
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column < columns; column++) {
            size_t index = (size_t)row * columns + column;
            double sum = (double)bias[column] + (double)residual[index];
            for (uint32_t k = 0; k < depth; k++)
                sum += (double)a[(size_t)row * depth + k] * (double)layer.rows[(size_t)column * depth + k];
            assert_true(fabs((double)c[index] - (sum < 0 ? 0 : sum)) <=
                        0x1p-24 * (depth + 4.0) * (depth + 4.0) / 4);
        }
    free(a);
    free(bias);
    free(residual);
    free(c);
    layer_free(&layer);
}

/* c[rows][depth] = a[rows][columns] * weights + residual, to the same bound. */
static void check_product_back(const Kernels *kernels, uint32_t rows, uint32_t columns, uint32_t depth,
                               const float *residual, float *c)
{
    Layer layer = layer_make(kernels, columns, depth);
    size_t a_stride = columns + (size_t)rand_r(&seed) % 3;
    float *a = random_floats(rows * a_stride);
    float *before = random_floats((size_t)rows * depth);
    float *scratch = malloc(gemm_back_scratch_size(kernels) * sizeof *scratch);
    assert_non_null(scratch);
    if (residual) memcpy(before, residual, (size_t)rows * depth * sizeof *before);
    gemm_multiply_back(kernels, &layer.weights, a, a_stride, rows, c, depth, residual, scratch);
    for (size_t row = 0; row < rows; row++)
        for (uint32_t k = 0; k < depth; k++) {
            double sum = residual ? (double)before[row * depth + k] : 0.0;
            for (uint32_t column = 0; column < columns; column++)
                sum += (double)a[row * a_stride + column] * (double)layer.rows[(size_t)column * depth + k];
            assert_true(fabs((double)c[row * depth + k] - sum) <= 0x1p-24 * (columns + 4.0) * (columns + 4.0) / 4);
        }
    free(a);
    free(before);
    free(scratch);
    layer_free(&layer);
}

/* Without a residual, with one, and with one that the result replaces. */
static void check_shape_back(const Kernels *kernels, uint32_t rows, uint32_t columns, uint32_t depth)
{
    float *c = random_floats((size_t)rows * depth);
    float *residual = random_floats((size_t)rows * depth);
    check_product_back(kernels, rows, columns, depth, NULL, c);
    check_product_back(kernels, rows, columns, depth, residual, c);
    check_product_back(kernels, rows, columns, depth, c, c);
    free(c);
    free(residual);
}

static void check_shapes_back(const Kernels *kernels)
{
    static const uint32_t shapes[][2] = {{1, 1},    {47, 3},   {3, 47},   {49, 65},   {240, 48},
                                         {961, 50}, {130, 37}, {2000, 7}, {480, 193}, {7, 1100}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_shape_back(kernels, 1, shapes[i][0], shapes[i][1]);
        check_shape_back(kernels, 1 + (uint32_t)rand_r(&seed) % 40, shapes[i][0], shapes[i][1]);
    }
}

static void products_lead_back_to_their_inputs(void **state)
{
    (void)state;
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) check_shapes_back(kernels_select(variants[i]));
    const Kernels *openblas;
    Error error;
    if (kernels_open("auto", "openblas", &openblas, &error) == STATUS_OK) check_shapes_back(openblas);
}

static void check_shapes(const Kernels *kernels)
{
    static const uint32_t shapes[][2] = {{1, 1},  {47, 3},    {48, 64},    {49, 65},
                                         {96, 1}, {100, 129}, {193, 1030}, {5, 4100}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_product(kernels, 1, shapes[i][0], shapes[i][1], 0);
        check_product(kernels, 1 + (uint32_t)rand_r(&seed) % 80, shapes[i][0], shapes[i][1], (int)(i % 2));
    }
}

static void products_of_any_shape_equal_their_definition(void **state)
{
    (void)state;
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) check_shapes(kernels_select(variants[i]));
}

static void products_of_openblas_equal_their_definition(void **state)
{
    (void)state;
    check_shapes(openblas_kernels());
}

static void check_row_alone(const Kernels *kernels, uint32_t columns, uint32_t depth)
{
    Layer layer = layer_make(kernels, columns, depth);
    float *a = random_floats((size_t)ROWS_MAX * depth);
    float *c = random_floats((size_t)ROWS_MAX * columns);
    float *alone = random_floats(columns);
    for (int i = 0; i < 30; i++) {
        uint32_t rows = 1 + (uint32_t)rand_r(&seed) % ROWS_MAX;
        uint32_t place = (uint32_t)rand_r(&seed) % rows;
        gemm_multiply(kernels, &layer.weights, a, depth, rows, c, columns,
                      &(GemmEpilogue){.activation = GEMM_GELU});
        gemm_multiply(kernels, &layer.weights, a + (size_t)place * depth, depth, 1, alone, columns,
                      &(GemmEpilogue){.activation = GEMM_GELU});
        assert_memory_equal(alone, c + (size_t)place * columns, columns * sizeof *c);
    }
    free(a);
    free(c);
    free(alone);
    layer_free(&layer);
}

static void a_row_has_the_same_bits_among_any_rows(void **state)
{
    (void)state;
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        check_row_alone(kernels_select(variants[i]), 101, 63);
        check_row_alone(kernels_select(variants[i]), 50, 1300);
    }
}

int main(void)
{
    seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_any_shape_equal_their_definition),
        cmocka_unit_test(products_of_openblas_equal_their_definition),
        cmocka_unit_test(products_lead_back_to_their_inputs),
        cmocka_unit_test(a_row_has_the_same_bits_among_any_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
