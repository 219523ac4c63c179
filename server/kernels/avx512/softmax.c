/* Scores of attention with AVX-512. */
#include "kernels/avx512/vector.h"

#include "kernels/vector/softmax.inc"
