/* One layer of the forward pass; for the files of encoder/ only. */
#pragma once

#include "encoder/workspace.h"

/* Replaces the rows of `sequences`, which are the workspace's hidden rows from `row` on, by what `layer` makes of them.
 */
void encoder_layer(const Encoder *encoder, const EncoderLayer *layer, EncoderWorkspace *workspace,
                   const Crew *crew, const EncoderSequence *sequences, uint32_t count);
