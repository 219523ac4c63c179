/* Activations as their papers and torch define them. */
#include "kernels/variant.h"

#include <math.h>

static const float SQRT_HALF = 0.70710678118654752440f;
static const float DENSITY_SCALE = 0.39894228040143267794f; /* 1 / sqrt(2 pi) */
static const float TANH_SCALE = 0.79788456080286535588f;    /* sqrt(2 / pi) */
static const float TANH_CUBIC = 0.044715f;

static float activation_value(GemmActivation activation, float x)
{
    switch (activation) {
    case GEMM_NONE:
        return x;
    case GEMM_GELU:
        return 0.5f * x * (1.0f + erff(x * SQRT_HALF));
    case GEMM_GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(TANH_SCALE * (x + TANH_CUBIC * x * x * x)));
    case GEMM_RELU:
        return x < 0.0f ? 0.0f : x;
    case GEMM_SILU:
        return x / (1.0f + expf(-x));
    case GEMM_TANH:
        return tanhf(x);
    }
    return x;
}

void kernels_activate_reference(GemmActivation activation, float *values, size_t stride, uint32_t row_count,
                                uint32_t size)
{
    for (uint32_t row = 0; row < row_count; row++, values += stride)
        for (uint32_t i = 0; i < size; i++) values[i] = activation_value(activation, values[i]);
}

static float activation_slope(GemmActivation activation, float x)
{
    float y;
    switch (activation) {
    case GEMM_NONE:
        return 1.0f;
    case GEMM_GELU:
        return 0.5f * (1.0f + erff(x * SQRT_HALF)) + x * DENSITY_SCALE * expf(-0.5f * x * x);
    case GEMM_GELU_TANH:
        x = x > 10.0f ? 10.0f : x < -10.0f ? -10.0f : x; /* beyond, the slope is 0 or 1 */
        y = tanhf(TANH_SCALE * (x + TANH_CUBIC * x * x * x));
        return 0.5f * (1.0f + y) + 0.5f * x * (1.0f - y * y) * TANH_SCALE * (1.0f + 3.0f * TANH_CUBIC * x * x);
    case GEMM_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case GEMM_SILU:
        y = expf(-fabsf(x)); /* of both signs: 1 - s is s of -x */
        return x < 0.0f ? (y + x * y / (1.0f + y)) / (1.0f + y) : (1.0f + x * y / (1.0f + y)) / (1.0f + y);
    case GEMM_TANH:
        y = tanhf(x);
        return 1.0f - y * y;
    }
    return 1.0f;
}

void kernels_activate_back_reference(GemmActivation activation, const float *x, float *gradients, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) gradients[i] *= activation_slope(activation, x[i]);
}

void kernels_gate_rows_reference(const GatedRows *gated)
{
    for (uint32_t row = 0; row < gated->rows; row++)
        for (uint32_t i = 0; i < gated->size; i++) {
            float gate = activation_value(gated->activation, gated->gates[row * gated->stride + i]);
            gated->products[row * gated->products_stride + i] = gate * gated->values[row * gated->stride + i];
        }
}
