/* What a checkpoint has on top of its encoder, for the files of encoder/ only. */
#pragma once

#include "encoder/loader.h"

typedef struct EncoderHeads {
    uint32_t count; /* none is served yet */
} EncoderHeads;

/* One of the loader's two passes over the heads' weights. Fails as checkpoint_tensor. */
CHECKED Status heads_load(Loader *loader, EncoderHeads *heads);
