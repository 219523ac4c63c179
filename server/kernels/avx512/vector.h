/* A vector of 16 floats, for the bodies in kernels/vector. */
#pragma once

#include <immintrin.h>
#include <stddef.h>

#define VARIANT(name) kernels_##name##_avx512

enum {
    VECTOR_LANES = 16,
    GEMM_ROWS = 9, /* 27 accumulators, 3 vectors of the panel and one broadcast: 31 of 32 registers */
    GEMM_VECTORS = 3,
};

typedef __m512 Vector;
typedef __mmask16 VectorMask;

static inline Vector vector_set(float value)
{
    return _mm512_set1_ps(value);
}

static inline Vector vector_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline void vector_store(float *to, Vector x)
{
    _mm512_storeu_ps(to, x);
}

/* The first `count` lanes; all of them when count >= VECTOR_LANES. */
static inline VectorMask vector_mask(size_t count)
{
    return count >= VECTOR_LANES ? (VectorMask)0xFFFF : (VectorMask)((1u << count) - 1);
}

/* Lanes outside the mask are 0, and their memory is not touched. */
static inline Vector vector_load_masked(const float *from, VectorMask mask)
{
    return _mm512_maskz_loadu_ps(mask, from);
}

/* The first `count` lanes; the others are 0 and not touched. */
static inline Vector vector_load_first(const float *from, size_t count)
{
    return count >= VECTOR_LANES ? _mm512_loadu_ps(from) : vector_load_masked(from, vector_mask(count));
}

/* The first `count` lanes of x; all of them when count >= VECTOR_LANES. */
static inline void vector_store_first(float *to, size_t count, Vector x)
{
    _mm512_mask_storeu_ps(to, vector_mask(count), x);
}

/* x inside the mask, other outside. */
static inline Vector vector_blend(VectorMask mask, Vector x, Vector other)
{
    return _mm512_mask_blend_ps(mask, other, x);
}

static inline Vector vector_add(Vector x, Vector y)
{
    return _mm512_add_ps(x, y);
}

static inline Vector vector_subtract(Vector x, Vector y)
{
    return _mm512_sub_ps(x, y);
}

static inline Vector vector_multiply(Vector x, Vector y)
{
    return _mm512_mul_ps(x, y);
}

static inline Vector vector_divide(Vector x, Vector y)
{
    return _mm512_div_ps(x, y);
}

/* x * y + z, rounded once */
static inline Vector vector_fma(Vector x, Vector y, Vector z)
{
    return _mm512_fmadd_ps(x, y, z);
}

/* The greater; y when either is NaN. */
static inline Vector vector_max(Vector x, Vector y)
{
    return _mm512_max_ps(x, y);
}

/* The lesser; y when either is NaN. */
static inline Vector vector_min(Vector x, Vector y)
{
    return _mm512_min_ps(x, y);
}

/* 1 where x > 0, else 0. */
static inline Vector vector_positive(Vector x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), _mm512_set1_ps(1.0f));
}

/* 2^(i - 127), i being the lowest bits of x taken as a whole number, 1 to 254. */
static inline Vector vector_power(Vector x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x), 23));
}

/* Always in the same order: halves, quarters, pairs. */
static inline float vector_sum(Vector x)
{
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

static inline float vector_greatest(Vector x)
{
    __m256 y = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_max_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}
