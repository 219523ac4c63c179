/* Scaling and layer normalization with AVX2. */
#include "kernels/avx2/vector.h"

#include "kernels/vector/rows.inc"
