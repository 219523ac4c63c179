/* Rotary position embeddings (Su et al. 2021): each pair of a head's dimensions turned by an angle that grows with the
 * position. Angles are made in float, in transformers' order, since at large positions a rounding is far in the circle.
 */
#pragma once

#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How frequencies are stretched for longer texts than a model was trained on: rope_type, and GTE's own "ntk". */
typedef enum RotaryScaling {
    ROTARY_DEFAULT,
    ROTARY_LINEAR,
    ROTARY_NTK, /* theta * factor, then frequencies / factor^(2 / size) */
    ROTARY_DYNAMIC,
    ROTARY_YARN,
    ROTARY_LLAMA3,
} RotaryScaling;

/* As the configuration says; what its rope_type does not use is ignored. All numbers are finite. */
typedef struct RotaryPlan {
    RotaryScaling scaling;
    uint32_t size; /* even; the first dimensions of a head that turn, i.e. head_size * partial_rotary_factor */
    uint32_t position_count;          /* max_position_embeddings */
    uint32_t original_position_count; /* YaRN, Llama 3: original_max_position_embeddings */
    double theta;
    double factor;                /* 0: absent, which YaRN allows */
    double attention_factor;      /* YaRN; 0: absent */
    double beta_fast;             /* YaRN; 0: absent */
    double beta_slow;             /* YaRN; 0: absent */
    double mscale;                /* YaRN; 0: absent */
    double mscale_all_dim;        /* YaRN; 0: absent */
    bool no_truncation;           /* YaRN: truncate is false */
    double low_frequency_factor;  /* Llama 3 */
    double high_frequency_factor; /* Llama 3 */
} RotaryPlan;

typedef struct Rotary Rotary; /* immutable once open: any thread */

/* On success the caller owns *out_rotary (rotary_close). Takes at most ROTARY_TABLE_BYTES_MAX, whatever position_count
 * is. Fails with NO_MEMORY, and UNSUPPORTED when the numbers give frequencies that are not finite. */
CHECKED Status rotary_open(const RotaryPlan *plan, Rotary **out_rotary, Error *out_error);
void rotary_close(Rotary *rotary); /* NULL is a no-op */
/* What rotary_open allocated, for the memory budget; NULL: 0. */
uint64_t rotary_bytes(const Rotary *rotary);

/* Queries or keys of some of a sequence's tokens: head_count heads of head_size side by side in each row. */
typedef struct RotaryRows {
    float *rows;
    size_t stride;        /* floats from a row to the next */
    uint32_t first;       /* the position of the first row */
    uint32_t row_count;   /* positions follow each other */
    uint32_t token_count; /* of the whole sequence, on which some scalings depend */
    uint32_t head_count;
    uint32_t head_size;
} RotaryRows;

/* Turns the heads of each row. A row's bits depend on its position and the sequence's length alone. Any thread; nothing
 * is allocated. */
void rotary_apply(const Rotary *rotary, const Kernels *kernels, const RotaryRows *rows);
