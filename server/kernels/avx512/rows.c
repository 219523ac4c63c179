#include "kernels/avx512/vector.h"

#include "kernels/vector/rows.inc"
