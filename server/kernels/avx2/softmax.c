/* Scores of attention with AVX2. */
#include "kernels/avx2/vector.h"

#include "kernels/vector/softmax.inc"
