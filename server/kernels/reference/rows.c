/* Work on whole rows: scaling, layer normalization (Ba, Kiros and Hinton 2016, equation 3) and its form without a mean
 * (Zhang and Sennrich 2019, equation 4). */
#include "kernels/variant.h"

#include <math.h>

void kernels_rows_pack_reference(const float *rows, size_t stride, uint32_t row_count, uint32_t columns,
                                 float *panel)
{
    enum { COLUMNS = 8 };
    for (uint32_t row = 0; row < row_count; row++)
        for (uint32_t i = 0; i < COLUMNS; i++)
            panel[(size_t)row * COLUMNS + i] = i < columns ? rows[row * stride + i] : 0.0f;
}

void kernels_rows_scale_reference(float *rows, size_t stride, uint32_t row_count, uint32_t size,
                                  const float *factors)
{
    for (uint32_t row = 0; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) rows[row * stride + i] *= factors[row];
}

void kernels_rows_gather_reference(const float *rows, size_t stride, uint32_t row_count, uint32_t size,
                                   const float *factors, float *sums)
{
    for (uint32_t row = 0; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) sums[i] += factors[row] * rows[row * stride + i];
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

void kernels_layer_norm_reference(const float *rows, float *out, uint32_t row_count, uint32_t size,
                                  const float *gain, const float *shift, float epsilon)
{
    for (uint32_t row = 0; row < row_count; row++, rows += size, out += size) {
        float mean = rows_sum(rows, size, 0.0f, 0) / (float)size;
        float variance = rows_sum(rows, size, mean, 1) / (float)size;
        float inverse = 1.0f / sqrtf(variance + epsilon);
        for (uint32_t i = 0; i < size; i++)
            out[i] = (rows[i] - mean) * inverse * gain[i] + (shift ? shift[i] : 0.0f);
    }
}

void kernels_rms_norm_reference(const float *rows, float *out, uint32_t row_count, uint32_t size,
                                const float *gain, float epsilon)
{
    for (uint32_t row = 0; row < row_count; row++, rows += size, out += size) {
        float inverse = 1.0f / sqrtf(rows_sum(rows, size, 0.0f, 1) / (float)size + epsilon);
        for (uint32_t i = 0; i < size; i++) out[i] = rows[i] * inverse * gain[i];
    }
}

void kernels_rotate_heads_reference(float *heads, uint32_t head_count, uint32_t head_size, const float *cosines,
                                    const float *sines, uint32_t half)
{
    for (uint32_t head = 0; head < head_count; head++, heads += head_size)
        for (uint32_t i = 0; i < half; i++) {
            float x = heads[i];
            float y = heads[half + i];
            heads[i] = x * cosines[i] - y * sines[i];
            heads[half + i] = y * cosines[i] + x * sines[i];
        }
}
