/* gemm_pack and gemm_tile of every variant against their definitions in double precision. Outputs are surrounded
 * by values that must stay. */
#include "kernels/variants.h"

static size_t padded(uint32_t columns)
{
    return (size_t)(columns + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
}

/* A product with everything that goes into one. */
typedef struct Product {
    GemmTile tile;
    float *a, *weights, *panel, *c, *bias, *residual;
} Product;

static Product product_make(uint32_t rows, uint32_t columns, uint32_t depth)
{
    size_t a_stride = depth + random_below(3);
    size_t c_stride = columns + random_below(3);
    Product product = {
        .a = random_floats((rows - 1) * a_stride + depth),
        .weights = random_floats((size_t)columns * depth),
        .panel = malloc(padded(columns) * depth * sizeof(float)),
        .c = untouched_floats((rows - 1) * c_stride + columns),
        .bias = random_below(2) ? random_floats(columns) : NULL,
        .residual = random_below(2) ? random_floats((rows - 1) * c_stride + columns) : NULL,
    };
    assert_non_null(product.panel);
    kernels->gemm_pack(product.weights, depth, columns, depth, product.panel);
    product.tile = (GemmTile){.a = product.a,
                              .a_stride = a_stride,
                              .panel = product.panel,
                              .c = product.c,
                              .c_stride = c_stride,
                              .rows = rows,
                              .columns = columns,
                              .depth = depth,
                              .bias = product.bias,
                              .residual = product.residual,
                              .residual_stride = c_stride};
    return product;
}

static void product_free(Product *product)
{
    free(product->a);
    free(product->weights);
    free(product->panel);
    free(product->c);
    free(product->bias);
    free(product->residual);
}

/* depth products and up to two additions: each product is rounded at most once, each addition once, so the error is at
 * most (depth + 2) u of the sum of magnitudes; 1 % covers the higher orders. */
static void product_check(const Product *product)
{
    const GemmTile *tile = &product->tile;
    for (uint32_t row = 0; row < tile->rows; row++)
        for (size_t column = 0; column < tile->c_stride; column++) {
            size_t index = row * tile->c_stride + column;
            if (column >= tile->columns) {
                if (row + 1 < tile->rows) assert_true(product->c[index] == UNTOUCHED);
                continue;
            }
            double sum = product->bias ? (double)product->bias[column] : 0.0;
            double magnitude = fabs(sum);
            for (uint32_t k = 0; k < tile->depth; k++) {
                double term = (double)product->a[row * tile->a_stride + k] *
                              (double)product->weights[column * tile->depth + k];
                sum += term;
                magnitude += fabs(term);
            }
            if (product->residual) {
                sum += (double)product->residual[index];
                magnitude += fabs((double)product->residual[index]);
            }
            assert_within((double)product->c[index], sum, 1.01 * (tile->depth + 2) * UNIT * magnitude,
                          "gemm_tile");
        }
}

static void gemm_pack_lays_out_columns_and_pads_with_zeros(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns <= kernels->panel_columns; columns++) {
        uint32_t depth = 1 + random_below(70);
        size_t stride = depth + random_below(5);
        size_t width = padded(columns);
        float *rows = random_floats((columns - 1) * stride + depth);
        float *panel = malloc(width * depth * sizeof *panel);
        assert_non_null(panel);
        kernels->gemm_pack(rows, stride, columns, depth, panel);
        for (uint32_t k = 0; k < depth; k++)
            for (uint32_t column = 0; column < width; column++) {
                float expected = column < columns ? rows[column * stride + k] : 0.0f;
                assert_memory_equal(&panel[k * width + column], &expected, sizeof expected);
            }
        free(rows);
        free(panel);
    }
}

static void gemm_tile_is_within_its_bound_for_all_shapes(void **state)
{
    (void)state;
    static const uint32_t depths[] = {1, 2, 3, 16, 31, 64, 129, 399, 401, 1023, 1025, 2500};
    for (uint32_t columns = 1; columns <= kernels->panel_columns; columns++)
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t depth = depths[random_below(sizeof depths / sizeof *depths)];
            uint32_t rows = i == 0 ? 1 + random_below(20) : 1 + random_below(i == 1 ? 4 : 90);
            Product product = product_make(rows, columns, depth);
            kernels->gemm_tile(&product.tile);
            product_check(&product);
            product_free(&product);
        }
}

static void gemm_tile_gives_a_row_the_same_bits_in_any_tile(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows <= 90; rows++) {
        uint32_t columns = 1 + random_below(kernels->panel_columns);
        Product product = product_make(rows, columns, 1 + random_below(rows % 8 == 0 ? 2100 : 300));
        product.tile.activation = (GemmActivation)random_below(GEMM_TANH + 1);
        kernels->gemm_tile(&product.tile);
        float alone[64];
        for (uint32_t row = 0; row < rows; row++) {
            GemmTile tile = product.tile;
            tile.rows = 1;
            tile.a += row * tile.a_stride;
            if (tile.residual) tile.residual += row * tile.residual_stride;
            tile.c = alone;
            kernels->gemm_tile(&tile);
            assert_memory_equal(alone, product.c + row * tile.c_stride, columns * sizeof *alone);
        }
        product_free(&product);
    }
}

static void gemm_tile_adds_in_place(void **state)
{
    (void)state;
    Product product = product_make(23, kernels->panel_columns - 1, 40);
    GemmTile tile = product.tile;
    tile.residual = NULL;
    kernels->gemm_tile(&tile);
    size_t count = 22 * tile.c_stride + tile.columns;
    float *once = malloc(count * sizeof *once);
    assert_non_null(once);
    memcpy(once, product.c, count * sizeof *once);
    tile.residual = tile.c;
    tile.residual_stride = tile.c_stride;
    kernels->gemm_tile(&tile);
    for (uint32_t row = 0; row < tile.rows; row++)
        for (uint32_t column = 0; column < tile.columns; column++) {
            size_t index = row * tile.c_stride + column;
            assert_true(product.c[index] == once[index] + once[index]);
        }
    free(once);
    product_free(&product);
}

static void gemm_tile_lets_nan_through(void **state)
{
    (void)state;
    Product product = product_make(9, kernels->panel_columns, 20);
    product.a[4 * product.tile.a_stride + 7] = NAN;
    kernels->gemm_tile(&product.tile);
    for (uint32_t row = 0; row < 9; row++)
        for (uint32_t column = 0; column < product.tile.columns; column++)
            assert_true(!isnan(product.c[row * product.tile.c_stride + column]) == (row != 4));
    product_free(&product);
}

static void gemm_tile_activates_as_activate_does(void **state)
{
    (void)state;
    for (int activation = GEMM_NONE; activation <= GEMM_TANH; activation++) {
        Product product = product_make(11, kernels->panel_columns - 3, 50);
        kernels->gemm_tile(&product.tile);
        size_t count = 10 * product.tile.c_stride + product.tile.columns;
        float *plain = malloc(count * sizeof *plain);
        assert_non_null(plain);
        memcpy(plain, product.c, count * sizeof *plain);
        product.tile.activation = (GemmActivation)activation;
        kernels->gemm_tile(&product.tile);
        for (uint32_t row = 0; row < 11; row++) {
            float *expected = plain + row * product.tile.c_stride;
            kernels->activate((GemmActivation)activation, expected, 0, 1, product.tile.columns);
            assert_memory_equal(expected, product.c + row * product.tile.c_stride,
                                product.tile.columns * sizeof *expected);
        }
        free(plain);
        product_free(&product);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_pack_lays_out_columns_and_pads_with_zeros),
        cmocka_unit_test(gemm_tile_is_within_its_bound_for_all_shapes),
        cmocka_unit_test(gemm_tile_gives_a_row_the_same_bits_in_any_tile),
        cmocka_unit_test(gemm_tile_adds_in_place),
        cmocka_unit_test(gemm_tile_lets_nan_through),
        cmocka_unit_test(gemm_tile_activates_as_activate_does),
    };
    int failed = 0;
    RUN_FOR_EVERY_VARIANT(tests, failed);
    return failed;
}
