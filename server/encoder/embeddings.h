/* The steps around the layers of a forward pass; for the files of encoder/ only. */
#pragma once

#include "encoder/workspace.h"

/* Writes a sequence's rows to workspace->hidden from float `offset` on, and their convolution beside them. */
void encoder_embed(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                   size_t offset);
/* rows[token_count][E] = the sums of a sequence's embeddings, before any norm. */
void encoder_gather(const Encoder *encoder, const EncoderSequence *sequence, float *rows);
/* hidden = norm(hidden + beside) */
void encoder_add_convolution(const Encoder *encoder, EncoderWorkspace *workspace, uint32_t token_count);
