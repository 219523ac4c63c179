#include "kernels/avx512/vector.h"

#include "kernels/vector/softmax.inc"
