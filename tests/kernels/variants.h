/* What the tests of the kernels share: the variant under test, random values, and bounds. u is the unit roundoff of
 * float, 2^-24; a sum of n terms in any order is within (n - 1) u of the sum of their magnitudes, to first order
 * (Higham 2002, section 4.2). Inputs lie in allocations of their exact size, so that AddressSanitizer sees any read
 * beyond. */
#pragma once

#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const double UNIT = 0x1p-24;
static const float UNTOUCHED = 12345.0f;

static const Kernels *kernels; /* under test: each group runs once a variant */
static unsigned seed;

static inline uint32_t random_below(uint32_t bound)
{
    return (uint32_t)rand_r(&seed) % bound;
}

/* Mostly of moderate size, now and then large or small. */
static inline float random_float(void)
{
    float value = (float)rand_r(&seed) / (float)RAND_MAX * 2.0f - 1.0f;
    uint32_t kind = random_below(16);
    return kind == 0 ? value * 100.0f : kind == 1 ? value * 1e-4f : value;
}

static inline float *random_floats(size_t count)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = random_float();
    return values;
}

static inline float *untouched_floats(size_t count)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = UNTOUCHED;
    return values;
}

static inline void assert_within(double actual, double expected, double bound, const char *what)
{
    if (!(fabs(actual - expected) <= bound))
        fail_msg("%s, %s: %.9g is not within %.3g of %.9g", kernels->name, what, actual, bound, expected);
}

/* Runs `tests` for every variant that this CPU has; returns how many failed. */
#define RUN_FOR_EVERY_VARIANT(tests, failed) \
    do { \
        static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512}; \
        seed = (unsigned)time(NULL); \
        print_message("seed %u\n", seed); \
        for (size_t variant = 0; variant < sizeof variants / sizeof *variants; variant++) { \
            if (!(variants[variant] & kernels_available())) continue; \
            kernels = kernels_select(variants[variant]); \
            print_message("%s\n", kernels->name); \
            failed += cmocka_run_group_tests(tests, NULL, NULL); \
        } \
    } while (0)
