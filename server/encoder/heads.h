/* What a checkpoint has on top of its encoder, for the files of encoder/ only: one head, of the kind that config.json
 * names, or none. A head is a row of heads.def: perhaps a dense layer with an activation, perhaps a norm, and what
 * gives the output. */
#pragma once

#include "encoder/loader.h"

typedef struct EncoderHead {
    HeadKind kind; /* HEAD_NONE: the checkpoint names no head, or has no weights for it */
    HeadPooling pooling;
    EncoderLinear dense; /* no columns: none */
    GemmActivation activation;
    EncoderLinear back;        /* of dense's rows; the head's input is added to them. No columns: none */
    EncoderNorm norm;          /* no gain: none */
    EncoderLinear output;      /* all but FILL */
    Tensor decoder;            /* FILL: [vocabulary][depth]; stays mapped, in its stored type */
    const float *decoder_bias; /* [vocabulary]; NULL: none */
} EncoderHead;

/* One of the loader's two passes over the head's weights; `word_embeddings` serve as decoder where it is tied to them.
 * Fails as checkpoint_tensor. */
CHECKED Status heads_load(Loader *loader, const Tensor *word_embeddings, EncoderHead *out_head);
/* GEMM_... of ACTIVATION_... */
GemmActivation heads_activation(Activation activation);
