/* What every part of the forward pass is made of; for the files of encoder/ only. */
#pragma once

#include "encoder/weights.h"

/* out[row_count][size] = norm(rows); out may be rows. */
void encoder_normalize(const Encoder *encoder, const EncoderNorm *norm, const float *rows, float *out,
                       uint32_t row_count, uint32_t size);
/* c = activation(a * linear + residual), c and residual end to end; `residual` may be c, or NULL. */
void encoder_multiply(const Encoder *encoder, const EncoderLinear *linear, const float *a, size_t a_stride,
                      uint32_t rows, float *c, const float *residual, GemmActivation activation);
