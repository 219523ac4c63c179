/* Products over packed panels, or by OpenBLAS over the rows as they are. */
#include "kernels/gemm.h"

#include "kernels/openblas.h"

#include <assert.h>
#include <string.h>

enum {
    STORAGE_ALIGNMENT = 16,   /* floats: a cache line */
    BLOCK_BYTES = 256 * 1024, /* rows of `a` that stay in the second-level cache beside a panel */
    BLOCK_ROWS = 36,          /* their number is a multiple of it: whole blocks of every variant */
    DEPTH_MAX = 896,          /* twice BLOCK_ROWS of it stay there; deeper products are made in parts */
    /* Whole panels of every variant. With fewer, c is read and written more often: at 240 of them, which leave a
     * batch's rows in the second-level cache, products back are a tenth slower. */
    BACK_COLUMNS = 960,
};

static size_t gemm_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

size_t gemm_weights_size(const Kernels *kernels, uint32_t columns, uint32_t depth)
{
    size_t stored = kernels->backend == GEMM_PACKED ? gemm_round_up(columns, kernels->lanes) : columns;
    return gemm_round_up(stored * depth, STORAGE_ALIGNMENT);
}

size_t gemm_scratch_size(const Kernels *kernels, uint32_t depth)
{
    return (size_t)kernels->panel_columns * depth;
}

static uint32_t gemm_panel_width(const Kernels *kernels, uint32_t columns, uint32_t first)
{
    uint32_t left = columns - first;
    return left < kernels->panel_columns ? left : kernels->panel_columns;
}

GemmWeights gemm_weights_read(const Kernels *kernels, uint32_t columns, uint32_t depth, GemmRowReader read,
                              const void *context, float *scratch, float *storage)
{
    for (uint32_t first = 0; first < columns; first += kernels->panel_columns) {
        uint32_t width = gemm_panel_width(kernels, columns, first);
        float *target = storage + (size_t)first * depth;
        float *rows = kernels->backend == GEMM_PACKED ? scratch : target;
        for (uint32_t column = 0; column < width; column++)
            read(context, first + column, rows + (size_t)column * depth);
        if (kernels->backend == GEMM_PACKED) kernels->gemm_pack(rows, depth, width, depth, target);
    }
    return (GemmWeights){.storage = storage, .columns = columns, .depth = depth};
}

/* The rows from `begin` on of the panel of columns that starts with `first`. */
static const float *gemm_panel(const Kernels *kernels, const GemmWeights *weights, uint32_t first, uint32_t begin)
{
    uint32_t columns = gemm_panel_width(kernels, weights->columns, first);
    return weights->storage + (size_t)first * weights->depth + begin * gemm_round_up(columns, kernels->lanes);
}

/* The part [begin, end) of the depth, on rows of `a` that stay in the cache. */
static void gemm_multiply_part(const Kernels *kernels, const GemmWeights *weights, const float *a, size_t a_stride,
                               uint32_t rows, float *c, size_t c_stride, const GemmEpilogue *epilogue,
                               uint32_t begin, uint32_t end)
{
    for (uint32_t first = 0; first < weights->columns; first += kernels->panel_columns) {
        uint32_t columns = gemm_panel_width(kernels, weights->columns, first);
        bool last = first + columns == weights->columns;
        kernels->gemm_tile(&(GemmTile){
            .a = a + begin,
            .a_stride = a_stride,
            .panel = gemm_panel(kernels, weights, first, begin),
            .next = last ? NULL : gemm_panel(kernels, weights, first + columns, begin),
            .c = c + first,
            .c_stride = c_stride,
            .rows = rows,
            .columns = columns,
            .depth = end - begin,
            .bias = epilogue->bias ? epilogue->bias + first : NULL,
            .residual = epilogue->residual ? epilogue->residual + first : NULL,
            .residual_stride = epilogue->residual_stride,
            .activation = epilogue->activation,
        });
    }
}

/* Each part of the depth adds to what the parts before it left in c: the first brings bias and residual, the last is
 * activated. How a depth is parted depends on nothing else, so a row's bits do not either. */
static void gemm_multiply_block(const Kernels *kernels, const GemmWeights *weights, const float *a,
                                size_t a_stride, uint32_t rows, float *c, size_t c_stride,
                                const GemmEpilogue *epilogue)
{
    uint32_t parts = (weights->depth + DEPTH_MAX - 1) / DEPTH_MAX;
    for (uint32_t i = 0; i < parts; i++) {
        GemmEpilogue part = i ? (GemmEpilogue){.residual = c, .residual_stride = c_stride} : *epilogue;
        part.activation = i + 1 < parts ? GEMM_NONE : epilogue->activation;
        gemm_multiply_part(kernels, weights, a, a_stride, rows, c, c_stride, &part,
                           (uint32_t)((uint64_t)weights->depth * i / parts),
                           (uint32_t)((uint64_t)weights->depth * (i + 1) / parts));
    }
}

static void gemm_multiply_packed(const Kernels *kernels, const GemmWeights *weights, const float *a,
                                 size_t a_stride, uint32_t rows, float *c, size_t c_stride,
                                 const GemmEpilogue *epilogue)
{
    size_t depth = weights->depth < DEPTH_MAX ? weights->depth : DEPTH_MAX;
    size_t block = BLOCK_BYTES / sizeof *a / depth / BLOCK_ROWS * BLOCK_ROWS;
    for (size_t row = 0; row < rows; row += block) {
        GemmEpilogue part = *epilogue;
        if (part.residual) part.residual += row * part.residual_stride;
        uint32_t count = rows - row < block ? (uint32_t)(rows - row) : (uint32_t)block;
        gemm_multiply_block(kernels, weights, a + row * a_stride, a_stride, count, c + row * c_stride, c_stride,
                            &part);
    }
}

/* OpenBLAS adds to what is there, so the residual goes in first; bias and activation take one more pass. */
static void gemm_multiply_openblas(const Kernels *kernels, const GemmWeights *weights, const float *a,
                                   size_t a_stride, uint32_t rows, float *c, size_t c_stride,
                                   const GemmEpilogue *epilogue)
{
    uint32_t columns = weights->columns;
    if (epilogue->residual && epilogue->residual != c)
        for (uint32_t row = 0; row < rows; row++)
            memcpy(c + row * c_stride, epilogue->residual + row * epilogue->residual_stride, columns * sizeof *c);
    openblas_multiply(a, a_stride, weights->storage, c, c_stride, rows, columns, weights->depth,
                      epilogue->residual ? 1.0f : 0.0f);
    for (uint32_t row = 0; row < rows; row++) {
        float *values = c + row * c_stride;
        for (uint32_t column = 0; epilogue->bias && column < columns; column++)
            values[column] += epilogue->bias[column];
        kernels->activate(epilogue->activation, values, 0, 1, columns);
    }
}

void gemm_multiply(const Kernels *kernels, const GemmWeights *weights, const float *a, size_t a_stride,
                   uint32_t rows, float *c, size_t c_stride, const GemmEpilogue *epilogue)
{
    assert(!epilogue->residual || epilogue->residual != c || epilogue->residual_stride == c_stride);
    if (kernels->backend == GEMM_OPENBLAS) {
        gemm_multiply_openblas(kernels, weights, a, a_stride, rows, c, c_stride, epilogue);
        return;
    }
    gemm_multiply_packed(kernels, weights, a, a_stride, rows, c, c_stride, epilogue);
}

size_t gemm_back_scratch_size(const Kernels *kernels)
{
    return (size_t)BACK_COLUMNS * kernels->panel_columns;
}

/* panel[end - begin][count] = the weights of `count` inputs from `k` on, of the columns [begin, end). */
static void gemm_turn(const Kernels *kernels, const GemmWeights *weights, uint32_t begin, uint32_t end, uint32_t k,
                      uint32_t count, float *panel)
{
    size_t width = gemm_round_up(count, kernels->lanes);
    if (kernels->backend == GEMM_OPENBLAS) {
        kernels->rows_pack(weights->storage + (size_t)begin * weights->depth + k, weights->depth, end - begin,
                           count, panel);
        return;
    }
    for (uint32_t first = begin; first < end; first += kernels->panel_columns) {
        uint32_t columns = gemm_panel_width(kernels, weights->columns, first);
        kernels->gemm_pack(gemm_panel(kernels, weights, first, k), gemm_round_up(columns, kernels->lanes), count,
                           columns, panel + (first - begin) * width);
    }
}

void gemm_multiply_back(const Kernels *kernels, const GemmWeights *weights, const float *a, size_t a_stride,
                        uint32_t rows, float *c, size_t c_stride, const float *residual, float *scratch)
{
    assert(BACK_COLUMNS % kernels->panel_columns == 0);
    for (uint32_t begin = 0, end; begin < weights->columns; begin = end) {
        end = weights->columns - begin < BACK_COLUMNS ? weights->columns : begin + BACK_COLUMNS;
        for (uint32_t k = 0; k < weights->depth; k += kernels->panel_columns) {
            uint32_t count = gemm_panel_width(kernels, weights->depth, k);
            const float *added = begin ? c : residual;
            gemm_turn(kernels, weights, begin, end, k, count, scratch);
            kernels->gemm_tile(&(GemmTile){
                .a = a + begin,
                .a_stride = a_stride,
                .panel = scratch,
                .c = c + k,
                .c_stride = c_stride,
                .rows = rows,
                .columns = count,
                .depth = end - begin,
                .residual = added ? added + k : NULL,
                .residual_stride = c_stride,
            });
        }
    }
}
