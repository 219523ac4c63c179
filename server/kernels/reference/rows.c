/* Work on whole rows: scaling and layer normalization (Ba, Kiros and Hinton 2016, equation 3). */
#include "kernels/variant.h"

#include <math.h>

void kernels_rows_scale_reference(float *rows, size_t stride, uint32_t row_count, uint32_t size,
                                  const float *factors)
{
    for (uint32_t row = 0; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) rows[row * stride + i] *= factors[row];
}

/* Eight partial sums, as a vector of 8 would: one alone would lose digits in wide rows. */
static float rows_sum(const float *values, uint32_t size, float mean, int squared)
{
    float parts[8] = {0};
    for (uint32_t i = 0; i < size; i++) {
        float x = values[i] - mean;
        parts[i % 8] += squared ? x * x : x;
    }
    return ((parts[0] + parts[4]) + (parts[2] + parts[6])) + ((parts[1] + parts[5]) + (parts[3] + parts[7]));
}

void kernels_layer_norm_reference(float *rows, uint32_t row_count, uint32_t size, const float *gain,
                                  const float *shift, float epsilon)
{
    for (uint32_t row = 0; row < row_count; row++) {
        float *values = rows + (size_t)row * size;
        float mean = rows_sum(values, size, 0.0f, 0) / (float)size;
        float variance = rows_sum(values, size, mean, 1) / (float)size;
        float inverse = 1.0f / sqrtf(variance + epsilon);
        for (uint32_t i = 0; i < size; i++) values[i] = (values[i] - mean) * inverse * gain[i] + shift[i];
    }
}
