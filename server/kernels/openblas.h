/* The one door to OpenBLAS, loaded only when it is asked for: its constructor picks kernels and starts threads at
 * once, so linked in it would cost every start 10 ms, and would choose the core type before we can. */
#pragma once

#include "base/status.h"

#include <stddef.h>

/* Chooses the core type for this CPU (an OPENBLAS_CORETYPE in the environment wins), one thread, and loads the
 * library; logs both. Before threads start: it sets environment variables. Fails with NOT_FOUND. A second call is
 * a no-op. */
CHECKED Status openblas_load(Error *out_error);
/* c[rows][columns] = a[rows][depth] * weights[columns][depth]^T + beta * c. After openblas_load; any thread. */
void openblas_multiply(const float *a, size_t a_stride, const float *weights, float *c, size_t c_stride,
                       uint32_t rows, uint32_t columns, uint32_t depth, float beta);
