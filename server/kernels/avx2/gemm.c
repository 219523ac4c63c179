/* Products with AVX2. */
#include "kernels/avx2/vector.h"

#include "kernels/vector/gemm.inc"

#define GEMM_BLOCKS(rows) GEMM_BLOCK(rows, 1) GEMM_BLOCK(rows, 2)
#define GEMM_ROW(rows) \
    { \
        NULL, gemm_block_##rows##_1, gemm_block_##rows##_2 \
    }

GEMM_BLOCKS(1)
GEMM_BLOCKS(2)
GEMM_BLOCKS(3)
GEMM_BLOCKS(4)
GEMM_BLOCKS(5)
GEMM_BLOCKS(6)

static const GemmBlock gemm_blocks[GEMM_ROWS + 1][GEMM_VECTORS + 1] = {
    {NULL}, GEMM_ROW(1), GEMM_ROW(2), GEMM_ROW(3), GEMM_ROW(4), GEMM_ROW(5), GEMM_ROW(6),
};

#include "kernels/vector/gemm_tile.inc"
