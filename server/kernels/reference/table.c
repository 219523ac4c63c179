/* The table of the portable variant, whose code defines what the others compute. */
#include "kernels/variant.h"

#define KERNEL(name, arguments) .name = kernels_##name##_reference,
const Kernels kernels_reference[GEMM_BACKEND_COUNT] = {
    {
        .name = "reference",
        .variant = KERNELS_REFERENCE,
        .lanes = 8,
        .panel_columns = 8,
        .backend = GEMM_PACKED,
#include "kernels/kernels.def"
    },
    {
        .name = "reference",
        .variant = KERNELS_REFERENCE,
        .lanes = 8,
        .panel_columns = 8,
        .backend = GEMM_OPENBLAS,
#include "kernels/kernels.def"
    },
};
