/* The variants' functions and tables: kernels_<row>_<variant>, and kernels_<variant>, one table a GemmBackend. */
#pragma once

#include "kernels/kernels.h"

#define KERNEL(name, arguments) \
    void kernels_##name##_reference arguments; \
    void kernels_##name##_avx2 arguments; \
    void kernels_##name##_avx512 arguments;
#include "kernels/kernels.def"
#undef KERNEL

enum { GEMM_BACKEND_COUNT = GEMM_OPENBLAS + 1 };

extern const Kernels kernels_reference[GEMM_BACKEND_COUNT];
extern const Kernels kernels_avx2[GEMM_BACKEND_COUNT];   /* on x86-64 only */
extern const Kernels kernels_avx512[GEMM_BACKEND_COUNT]; /* on x86-64 only */
