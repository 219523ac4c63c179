/* The kernels whose products are OpenBLAS's. */
#pragma once

#include "kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Where the library is not installed, the running test is skipped. */
static inline const Kernels *openblas_kernels(void)
{
    const Kernels *kernels;
    Error error;
    Status status = kernels_open("auto", "openblas", &kernels, &error);
    if (status == STATUS_NOT_FOUND) skip();
    if (status) fail_msg("%s", error.message);
    return kernels;
}
