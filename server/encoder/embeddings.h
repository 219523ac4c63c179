/* The steps around the layers of a forward pass; for the files of encoder/ only. */
#pragma once

#include "encoder/workspace.h"

/* Writes a sequence's rows to workspace->hidden from float `offset` on, and their convolution beside them. */
void encoder_embed(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                   size_t offset);
/* hidden = norm(hidden + beside) */
void encoder_add_convolution(const Encoder *encoder, EncoderWorkspace *workspace, uint32_t token_count);
