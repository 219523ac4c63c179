/* Rows of Longformer's global tokens: they see all of the sequence, by projections of their own. */
#pragma once

#include "encoder/weights.h"

/* Some of one sequence's global tokens. */
typedef struct GlobalRows {
    const float *hidden; /* [token_count][H], the layer's input */
    uint32_t token_count;
    const uint32_t *positions; /* [count], within the sequence */
    uint32_t count;            /* at most global_rows_block */
    float *contexts;           /* [count][H]: what attention gives these rows, before its output product */
    float *scratch;            /* global_rows_scratch_size floats, aligned to 64 bytes */
    uint32_t run;              /* for the probe, as the rest; NULL: nobody looks on */
    uint32_t unit;
    ProbeRoom room;
    EncoderProbe *probe;
} GlobalRows;

/* Floats; it grows with neither the sequence nor the number of global tokens. A multiple of 16. */
size_t global_rows_scratch_size(const Encoder *encoder);
/* Global tokens that are computed together, enough to fill a block of attention's queries. */
uint32_t global_rows_block(const Encoder *encoder);
/* Blocks of them. */
uint32_t global_rows_units(const Encoder *encoder, uint32_t global_count);
/* Fills rows->contexts. A row's bits depend on the sequence alone. Any thread; nothing is allocated. */
void global_rows_attend(const Encoder *encoder, const EncoderLayer *layer, const GlobalRows *rows);
/* out_values[count][Q] by the projections of global rows. A head's input is `head_stride` floats behind that of the one
 * before it; 0: all have the same. */
void global_rows_values(const Encoder *encoder, const GlobalProjections *globals, const float *rows,
                        size_t row_stride, size_t head_stride, uint32_t count, float *out_values);
/* Floating-point operations of a text's global rows in one layer, those of window mode as well, which layer.c computes
 * by the projections that all rows have. */
uint64_t global_rows_work(const Encoder *encoder, uint32_t token_count, uint32_t count);
