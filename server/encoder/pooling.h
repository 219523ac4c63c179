/* One vector from the rows of a sequence. */
#pragma once

#include "model/config.h"

/* Pools rows[first_row .. row_count) of `hidden` ([row_count][size]) into out_vector ([size]). first_row <
 * row_count. Sums run in row order, so the bits depend on the rows alone. */
void pooling_apply(Pooling pooling, const float *hidden, uint32_t row_count, uint32_t first_row, uint32_t size,
                   float *out_vector);

/* Divides by the Euclidean norm, at least 1e-12 as torch.nn.functional.normalize. */
void pooling_normalize(float *vector, uint32_t size);
