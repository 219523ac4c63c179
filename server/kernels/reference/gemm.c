/* Products in portable C: a block of rows by a panel of 8 columns, in a shape that compilers turn into whatever
 * vectors the target has. */
#include "kernels/variant.h"

enum { COLUMNS = 8, ROWS = 4 };

void kernels_gemm_pack_reference(const float *rows, size_t stride, uint32_t columns, uint32_t depth, float *panel)
{
    for (uint32_t k = 0; k < depth; k++)
        for (uint32_t column = 0; column < COLUMNS; column++)
            panel[(size_t)k * COLUMNS + column] = column < columns ? rows[column * stride + k] : 0.0f;
}

/* sums[ROWS][COLUMNS] = a[rows][depth] * panel; rows beyond `rows` repeat the last one. */
static void gemm_sum(const GemmTile *tile, uint32_t row, uint32_t rows, float sums[ROWS][COLUMNS])
{
    const float *a[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) a[i] = tile->a + (row + (i < rows ? i : rows - 1)) * tile->a_stride;
    float accumulators[ROWS][COLUMNS] = {{0}};
    for (size_t k = 0; k < tile->depth; k++)
        for (int i = 0; i < ROWS; i++)
            for (int column = 0; column < COLUMNS; column++)
                accumulators[i][column] += a[i][k] * tile->panel[k * COLUMNS + column];
    for (int i = 0; i < ROWS; i++)
        for (int column = 0; column < COLUMNS; column++) sums[i][column] = accumulators[i][column];
}

void kernels_gemm_tile_reference(const GemmTile *tile)
{
    for (uint32_t row = 0; row < tile->rows; row += ROWS) {
        uint32_t rows = tile->rows - row < ROWS ? tile->rows - row : ROWS;
        float sums[ROWS][COLUMNS];
        gemm_sum(tile, row, rows, sums);
        for (uint32_t i = 0; i < rows; i++) {
            float *c = tile->c + (row + i) * tile->c_stride;
            for (uint32_t column = 0; column < tile->columns; column++) {
                float value = sums[i][column];
                if (tile->bias) value += tile->bias[column];
                if (tile->residual) value += tile->residual[(row + i) * tile->residual_stride + column];
                c[column] = value;
            }
            kernels_activate_reference(tile->activation, c, 0, 1, tile->columns);
        }
    }
}
