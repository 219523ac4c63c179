/* Scores of attention: biases, and the online softmax (Milakov and Gimelshein 2018, algorithm 3), a tile at a time. */
#include "kernels/variant.h"

#include <math.h>

void kernels_softmax_tile_reference(const SoftmaxTile *tile)
{
    for (uint32_t row = 0; row < tile->rows; row++) {
        float *scores = tile->scores + row * tile->stride;
        float maximum = tile->maxima[row];
        for (uint32_t i = 0; i < tile->columns; i++) {
            scores[i] *= tile->scale;
            if (scores[i] > maximum) maximum = scores[i];
        }
        float sum = 0.0f;
        for (uint32_t i = 0; i < tile->columns; i++) {
            scores[i] = expf(scores[i] - maximum);
            sum += scores[i];
        }
        float factor = expf(tile->maxima[row] - maximum);
        tile->factors[row] = factor;
        tile->sums[row] = tile->sums[row] * factor + sum;
        tile->maxima[row] = maximum;
    }
}

void kernels_diagonals_add_reference(float *scores, size_t stride, uint32_t rows, uint32_t columns, float scale,
                                     const float *line)
{
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < columns; i++)
            scores[row * stride + i] = scale * scores[row * stride + i] + line[rows - 1 - row + i];
}
