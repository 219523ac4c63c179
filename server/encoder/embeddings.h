/* The steps around the layers of a forward pass, and what all of them use; for the files of encoder/ only. */
#pragma once

#include "encoder/workspace.h"

/* out[row_count][size] = norm(rows); out may be rows. */
void encoder_normalize(const Encoder *encoder, const EncoderNorm *norm, const float *rows, float *out,
                       uint32_t row_count, uint32_t size);
/* c = activation(a * linear + residual), c and residual end to end; `residual` may be c, or NULL. */
void encoder_multiply(const Encoder *encoder, const EncoderLinear *linear, const float *a, size_t a_stride,
                      uint32_t rows, float *c, const float *residual, GemmActivation activation);

/* Writes a sequence's rows to workspace->hidden from float `offset` on, and their convolution beside them. */
void encoder_embed(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                   size_t offset);
/* hidden = norm(hidden + beside) */
void encoder_add_convolution(const Encoder *encoder, EncoderWorkspace *workspace, uint32_t token_count);
