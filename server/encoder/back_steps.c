#include "encoder/back_steps.h"

#include <assert.h>
#include <math.h>

enum { PARTS = 8 }; /* partial sums, as a vector would have: one alone would lose digits in wide rows */

static float back_add_up(const float parts[PARTS])
{
    return ((parts[0] + parts[4]) + (parts[2] + parts[6])) + ((parts[1] + parts[5]) + (parts[3] + parts[7]));
}

/* The sum of a[i] - mean, or of its square. */
static float back_sum(const float *a, float mean, bool squared, uint32_t size)
{
    float parts[PARTS] = {0};
    for (uint32_t i = 0; i < size; i++) {
        float x = a[i] - mean;
        parts[i % PARTS] += squared ? x * x : x;
    }
    return back_add_up(parts);
}

/* With y' = (x - mean) / deviation, y = gain * y' + shift and g the gradient of y:
 * dx = (g' - mean(g') - y' mean(g' y')) / deviation, where g' = gain * g. */
void encoder_normalize_row_back(const float *row, const float *gain, float epsilon, uint32_t size,
                                float *gradients)
{
    float mean = back_sum(row, 0.0f, false, size) / (float)size;
    float inverse = 1.0f / sqrtf(back_sum(row, mean, true, size) / (float)size + epsilon);
    float sums[PARTS] = {0};
    float products[PARTS] = {0};
    for (uint32_t i = 0; i < size; i++) {
        if (gain) gradients[i] *= gain[i];
        sums[i % PARTS] += gradients[i];
        products[i % PARTS] += gradients[i] * ((row[i] - mean) * inverse);
    }
    float first = back_add_up(sums) / (float)size;
    float second = back_add_up(products) / (float)size;
    for (uint32_t i = 0; i < size; i++)
        gradients[i] = (gradients[i] - first - (row[i] - mean) * inverse * second) * inverse;
}

void encoder_normalize_back(const Encoder *encoder, const EncoderNorm *norm, const float *rows, float *gradients,
                            uint32_t row_count, uint32_t size)
{
    assert(norm->kind == NORM_LAYER && norm->gain);
    for (size_t row = 0; row < row_count; row++)
        encoder_normalize_row_back(rows + row * size, norm->gain, encoder->config.norm_epsilon, size,
                                   gradients + row * size);
}

void encoder_multiply_back(const Encoder *encoder, const EncoderLinear *linear, const float *gradients,
                           uint32_t rows, float *out, const float *residual, float *scratch)
{
    gemm_multiply_back(encoder->kernels, &linear->weights, gradients, linear->weights.columns, rows, out,
                       linear->weights.depth, residual, scratch);
}
