#include "kernels/avx2/vector.h"

#include "kernels/vector/rows.inc"
