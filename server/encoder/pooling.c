/* Pooling and normalization of a text's rows. */
#include "encoder/pooling.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void pooling_sum(const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                        float *out_vector)
{
    memset(out_vector, 0, size * sizeof *out_vector);
    for (uint32_t row = first_row; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) out_vector[i] += hidden[(size_t)row * size + i];
}

/* As sentence-transformers: it sums in fp32 and divides by the count. */
static void pooling_mean(const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                         float *out_vector)
{
    pooling_sum(hidden, row_count, first_row, size, out_vector);
    float count = (float)(row_count - first_row);
    for (uint32_t i = 0; i < size; i++) out_vector[i] /= count;
}

/* As sentence-transformers: the sum by the square root of the count. */
static void pooling_mean_sqrt(const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                              float *out_vector)
{
    pooling_sum(hidden, row_count, first_row, size, out_vector);
    float divisor = sqrtf((float)(row_count - first_row));
    for (uint32_t i = 0; i < size; i++) out_vector[i] /= divisor;
}

/* Rows weigh what their places in the whole text are, counted from 1: also those behind a prompt. */
static void pooling_weighted_mean(const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                                  float *out_vector)
{
    float weights = 0;
    memset(out_vector, 0, size * sizeof *out_vector);
    for (uint32_t row = first_row; row < row_count; row++) {
        float weight = (float)(row + 1);
        for (uint32_t i = 0; i < size; i++) out_vector[i] += hidden[(size_t)row * size + i] * weight;
        weights += weight;
    }
    for (uint32_t i = 0; i < size; i++) out_vector[i] /= weights;
}

/* A NaN stays, so that the guard behind us sees it. */
static void pooling_max(const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                        float *out_vector)
{
    memcpy(out_vector, hidden + (size_t)first_row * size, size * sizeof *out_vector);
    for (uint32_t row = first_row + 1; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) {
            float value = hidden[(size_t)row * size + i];
            if (!(value <= out_vector[i]) && !isnan(out_vector[i])) out_vector[i] = value;
        }
}

void pooling_apply(Pooling pooling, const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                   float *out_vector)
{
    assert(first_row < row_count);
    switch (pooling) {
    case POOLING_MEAN:
        pooling_mean(hidden, row_count, first_row, size, out_vector);
        break;
    case POOLING_CLS:
        memcpy(out_vector, hidden + (size_t)first_row * size, size * sizeof *out_vector);
        break;
    case POOLING_MAX:
        pooling_max(hidden, row_count, first_row, size, out_vector);
        break;
    case POOLING_LAST:
        memcpy(out_vector, hidden + (size_t)(row_count - 1) * size, size * sizeof *out_vector);
        break;
    case POOLING_MEAN_SQRT:
        pooling_mean_sqrt(hidden, row_count, first_row, size, out_vector);
        break;
    case POOLING_WEIGHTED_MEAN:
        pooling_weighted_mean(hidden, row_count, first_row, size, out_vector);
        break;
    case POOLING_COUNT:
        assert(!"a pooling");
    }
}

void pooling_normalize(float *vector, uint32_t size)
{
    /* In double, the square of no float overflows or vanishes. */
    double sum = 0.0;
    for (uint32_t i = 0; i < size; i++) sum += (double)vector[i] * (double)vector[i];
    double norm = sqrt(sum);
    float divisor = norm > 1e-12 ? (float)norm : 1e-12f;
    for (uint32_t i = 0; i < size; i++) vector[i] /= divisor;
}
