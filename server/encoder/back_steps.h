/* What every part of the way back is made of; for the files of encoder/ only. */
#pragma once

#include "encoder/weights.h"

/* gradients[row_count][size] of norm(rows) become those of rows. The norm is a LayerNorm. */
void encoder_normalize_back(const Encoder *encoder, const EncoderNorm *norm, const float *rows, float *gradients,
                            uint32_t row_count, uint32_t size);
/* out[rows][depth] = gradients[rows][columns] * linear^T + residual, which may be out, or NULL. `scratch`:
 * gemm_back_scratch_size. */
void encoder_multiply_back(const Encoder *encoder, const EncoderLinear *linear, const float *gradients,
                           uint32_t rows, float *out, const float *residual, float *scratch);
/* As encoder_normalize_back, of one row and any epsilon; `gain` NULL: ones. */
void encoder_normalize_row_back(const float *row, const float *gain, float epsilon, uint32_t size,
                                float *gradients);
