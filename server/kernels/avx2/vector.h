/* A vector of 8 floats, for the bodies in kernels/vector. */
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VARIANT(name) kernels_##name##_avx2

enum {
    VECTOR_LANES = 8,
    GEMM_ROWS = 6, /* 12 accumulators, 2 vectors of the panel and one broadcast: 15 of 16 registers */
    GEMM_VECTORS = 2,
};

typedef __m256 Vector;
typedef __m256i VectorMask;

static inline Vector vector_set(float value)
{
    return _mm256_set1_ps(value);
}

static inline Vector vector_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline void vector_store(float *to, Vector x)
{
    _mm256_storeu_ps(to, x);
}

/* The first `count` lanes; all of them when count >= VECTOR_LANES. */
static inline VectorMask vector_mask(size_t count)
{
    static const int32_t lanes[2 * VECTOR_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256(
        (const __m256i *)(lanes + VECTOR_LANES - (count < VECTOR_LANES ? count : VECTOR_LANES)));
}

/* Lanes outside the mask are 0, and their memory is not touched. */
static inline Vector vector_load_masked(const float *from, VectorMask mask)
{
    return _mm256_maskload_ps(from, mask);
}

/* The first `count` lanes; the others are 0 and not touched. */
static inline Vector vector_load_first(const float *from, size_t count)
{
    return count >= VECTOR_LANES ? _mm256_loadu_ps(from) : vector_load_masked(from, vector_mask(count));
}

/* The first `count` lanes of x; all of them when count >= VECTOR_LANES. A masked store takes some CPUs ten times as
 * long as a plain one. */
static inline void vector_store_first(float *to, size_t count, Vector x)
{
    if (count >= VECTOR_LANES)
        _mm256_storeu_ps(to, x);
    else
        _mm256_maskstore_ps(to, vector_mask(count), x);
}

/* x inside the mask, other outside. */
static inline Vector vector_blend(VectorMask mask, Vector x, Vector other)
{
    return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(mask));
}

static inline Vector vector_add(Vector x, Vector y)
{
    return _mm256_add_ps(x, y);
}

static inline Vector vector_subtract(Vector x, Vector y)
{
    return _mm256_sub_ps(x, y);
}

static inline Vector vector_multiply(Vector x, Vector y)
{
    return _mm256_mul_ps(x, y);
}

static inline Vector vector_divide(Vector x, Vector y)
{
    return _mm256_div_ps(x, y);
}

/* x * y + z, rounded once */
static inline Vector vector_fma(Vector x, Vector y, Vector z)
{
    return _mm256_fmadd_ps(x, y, z);
}

/* The greater; y when either is NaN. */
static inline Vector vector_max(Vector x, Vector y)
{
    return _mm256_max_ps(x, y);
}

/* The lesser; y when either is NaN. */
static inline Vector vector_min(Vector x, Vector y)
{
    return _mm256_min_ps(x, y);
}

/* 1 where x > 0, else 0. */
static inline Vector vector_positive(Vector x)
{
    return _mm256_and_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ), _mm256_set1_ps(1.0f));
}

/* 2^(i - 127), i being the lowest bits of x taken as a whole number, 1 to 254. */
static inline Vector vector_power(Vector x)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x), 23));
}

/* Always in the same order: halves, quarters, pairs. */
static inline float vector_sum(Vector x)
{
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

static inline float vector_greatest(Vector x)
{
    __m128 z = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    z = _mm_max_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}
