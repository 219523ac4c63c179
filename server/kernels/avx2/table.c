/* The table of the AVX2 variant. */
#include "kernels/variant.h"

#define KERNEL(name, arguments) .name = kernels_##name##_avx2,
const Kernels kernels_avx2[GEMM_BACKEND_COUNT] = {
    {
        .name = "avx2",
        .variant = KERNELS_AVX2,
        .lanes = 8,
        .panel_columns = 16,
        .backend = GEMM_PACKED,
#include "kernels/kernels.def"
    },
    {
        .name = "avx2",
        .variant = KERNELS_AVX2,
        .lanes = 8,
        .panel_columns = 16,
        .backend = GEMM_OPENBLAS,
#include "kernels/kernels.def"
    },
};
