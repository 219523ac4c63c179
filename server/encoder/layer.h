/* One layer of the forward pass; for the files of encoder/ only. */
#pragma once

#include "encoder/workspace.h"

/* Replaces the rows of `sequences`, which are the workspace's hidden rows, by what `layer` makes of them as the `run`th
 * that is run. */
void encoder_layer(const Encoder *encoder, const EncoderLayer *layer, uint32_t run, EncoderWorkspace *workspace,
                   const Crew *crew, const EncoderSequence *sequences, uint32_t count);
