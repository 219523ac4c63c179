/* Scaling, normalization and rotation of rows with AVX-512. */
#include "kernels/avx512/vector.h"

#include "kernels/vector/rows.inc"
