/* The activations of one worker, for the files of encoder/ only. H hidden, E embedding, W a row of queries, keys and
 * values, I intermediate, twice where the MLP is gated. */
#pragma once

#include "encoder/weights.h"

enum {
    /* Sequences are taken together until they have this many tokens: enough rows for the products to reach their full
     * rate, few enough for their projections to stay near. */
    GROUP_TOKENS = 128,
    BLOCK_ROWS = 72, /* rows whose intermediate stays there */
};

struct EncoderWorkspace {
    uint32_t token_capacity;
    float *hidden;       /* [token_capacity][H] */
    float *beside;       /* [token_capacity][H] of a convolution */
    float *projections;  /* [the largest group][W] */
    float *rows;         /* [the largest group][H or E]: rows before or after a norm or a projection */
    float *intermediate; /* [BLOCK_ROWS][I] */
    float *attention;    /* attention_scratch_size */
    float *floats;       /* what the pointers above point into */
};
