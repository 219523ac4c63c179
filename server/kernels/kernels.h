/* The encoder's arithmetic as one table of functions. Each instruction set fills a table of its own; the fastest
 * one that the CPU has is chosen once, at start, and passed down as a value: nothing here is global. */
#pragma once

#include "base/status.h"

#include <stddef.h>

/* The CPU mask: variants that may be used. The reference is portable C and always may. */
enum {
    KERNELS_REFERENCE = 1u << 0,
    KERNELS_AVX2 = 1u << 1,   /* AVX2 and FMA */
    KERNELS_AVX512 = 1u << 2, /* AVX-512 F, BW, DQ, VL */
    KERNELS_ALL = KERNELS_REFERENCE | KERNELS_AVX2 | KERNELS_AVX512,
};

/* Who computes the products with weights. */
typedef enum GemmBackend {
    GEMM_PACKED,   /* our kernels over weights packed once: a row's bits never depend on the batch */
    GEMM_OPENBLAS, /* for comparison: its bits may depend on the number of rows (see gemm.h) */
} GemmBackend;

typedef enum GemmActivation {
    GEMM_NONE,
    GEMM_GELU,      /* x * (1 + erf(x / sqrt 2)) / 2 */
    GEMM_GELU_TANH, /* x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 */
    GEMM_RELU,
    GEMM_SILU, /* x / (1 + exp(-x)) */
    GEMM_TANH,
} GemmActivation;

/* A product of any number of rows with one packed panel. Strides count floats. */
typedef struct GemmTile {
    const float *a; /* [rows][depth] */
    size_t a_stride;
    const float *panel; /* [depth][columns rounded up to whole vectors] */
    const float *next;  /* a panel of this shape that will be read next, asked for meanwhile; NULL: none */
    float *c;           /* [rows][columns] */
    size_t c_stride;
    uint32_t rows;
    uint32_t columns; /* 1 .. panel_columns */
    uint32_t depth;
    const float *bias;     /* [columns]; NULL: none */
    const float *residual; /* [rows][columns], may be c itself; NULL: none */
    size_t residual_stride;
    GemmActivation activation;
} GemmTile;

/* One tile of scores [rows][columns] of an online softmax. For each row, with m the maximum of `maxima` (-inf
 * before the first tile) and scale * scores: scores become exp(scale * scores - m), factors = exp(maxima - m),
 * sums = sums * factors + the row's new sum, maxima = m. What was accumulated with the old maximum is worth
 * `factors` of it. */
typedef struct SoftmaxTile {
    float *scores;
    size_t stride;
    uint32_t rows;
    uint32_t columns; /* >= 1 */
    float scale;      /* > 0 */
    float *maxima;    /* [rows] */
    float *sums;      /* [rows] */
    float *factors;   /* [rows], written */
} SoftmaxTile;

/* Rows of a gated layer: products = activation(gates) * values, element by element. One product makes gates and values
 * side by side, in the order of the model. */
typedef struct GatedRows {
    const float *gates;  /* [rows][size] */
    const float *values; /* [rows][size] */
    size_t stride;       /* of both */
    float *products;     /* [rows][size]; may be gates or values, with their stride */
    size_t products_stride;
    uint32_t rows;
    uint32_t size;
    GemmActivation activation;
} GatedRows;

typedef struct Kernels {
    const char *name;       /* "avx512", "avx2", "reference" */
    uint32_t variant;       /* its bit of the CPU mask */
    uint32_t lanes;         /* floats of a vector: panels are padded to whole vectors */
    uint32_t panel_columns; /* columns of a full panel; a multiple of lanes */
    GemmBackend backend;
#define KERNEL(name, arguments) void(*name) arguments;
#include "kernels/kernels.def"
#undef KERNEL
} Kernels;

/* The variants this CPU and operating system can run. Any thread. */
uint32_t kernels_available(void);
/* The fastest variant of `mask` that is available; the reference when there is none. Static. Any thread. */
const Kernels *kernels_select(uint32_t mask);
/* Reads "auto" or a variant's name. Fails with INVALID_ARGUMENT (the message lists the names) and UNSUPPORTED when
 * this CPU lacks it. */
CHECKED Status kernels_parse(const char *name, uint32_t *out_mask, Error *out_error);
/* The user's choice: `cpu` as kernels_parse, `gemm` "packed" or "openblas" (loads the library, so before threads
 * start). Fails as kernels_parse, and with NOT_FOUND when OpenBLAS is not installed. *out_kernels is static. */
CHECKED Status kernels_open(const char *cpu, const char *gemm, const Kernels **out_kernels, Error *out_error);
/* The choice as one line for the log and ListModels, such as "avx512, packed". Static. */
const char *kernels_describe(const Kernels *kernels);
