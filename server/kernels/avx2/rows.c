/* Scaling, normalization and rotation of rows with AVX2. */
#include "kernels/avx2/vector.h"

#include "kernels/vector/rows.inc"
