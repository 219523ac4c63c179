/* The activations of one worker, for the files of encoder/ only. H hidden, E embedding, Q a row of queries, K one of
 * keys and values, I intermediate, twice where the MLP is gated. */
#pragma once

#include "encoder/weights.h"

enum {
    /* Sequences are taken together until they have this many tokens: enough rows for the products to reach their full
     * rate, few enough for their keys and values to stay near. A shorter end of a text is taken with what is before it.
     */
    GROUP_TOKENS = 128,
    /* The most rows of a unit: sequences before a group's last, the last one's first queries, and its end. */
    UNIT_ROWS = GROUP_TOKENS - 1 + ATTENTION_QUERY_BLOCK + GROUP_TOKENS - 1,
    BLOCK_ROWS = 72, /* rows whose intermediate stays near */
    KEY_ROWS = 144,  /* rows of keys and values between two pauses: milliseconds, at the full rate */
};

/* What a unit needs while it runs. R: UNIT_ROWS, or the tokens of the workspace if they are fewer. */
typedef struct EncoderScratch {
    float *queries;      /* [R][Q] */
    float *rows;         /* [R][H or E]: rows before or after a norm or a projection */
    float *intermediate; /* [BLOCK_ROWS][I], and at least PROBE_SPACE_ROWS rows of weights */
    size_t intermediate_size;
    float *attention; /* attention_scratch_size */
    float *tiles;     /* attention_tiles_size: touched only where a probe wants weights added up */
    float *globals;   /* global_rows_scratch_size, where there are global tokens */
} EncoderScratch;

struct EncoderWorkspace {
    uint32_t token_capacity;
    float *hidden;      /* [token_capacity][H] */
    float *beside;      /* [token_capacity][H] of a convolution */
    float *keys_values; /* [the largest group][K] */
    float *contexts;    /* [the most global tokens of a group][Q]: what attention gives them */
    EncoderScratch scratch;
    EncoderHelper *const *helpers; /* of the members of a crew */
    float *floats;                 /* what the pointers above point into */
};

struct EncoderHelper {
    EncoderScratch scratch;
    float *floats; /* what it points into */
};

/* The scratch for a unit that `member` of the crew runs. */
static inline EncoderScratch *workspace_scratch(EncoderWorkspace *workspace, uint32_t member)
{
    return member == CREW_LEADER ? &workspace->scratch : &workspace->helpers[member]->scratch;
}
