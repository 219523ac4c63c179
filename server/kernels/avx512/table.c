/* The table of the AVX-512 variant. */
#include "kernels/variant.h"

#define KERNEL(name, arguments) .name = kernels_##name##_avx512,
const Kernels kernels_avx512[GEMM_BACKEND_COUNT] = {
    {
        .name = "avx512",
        .variant = KERNELS_AVX512,
        .lanes = 16,
        .panel_columns = 48,
        .backend = GEMM_PACKED,
#include "kernels/kernels.def"
    },
    {
        .name = "avx512",
        .variant = KERNELS_AVX512,
        .lanes = 16,
        .panel_columns = 48,
        .backend = GEMM_OPENBLAS,
#include "kernels/kernels.def"
    },
};
