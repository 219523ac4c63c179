/* Running a checkpoint's head over the rows that its encoder leaves. */
#pragma once

#include "encoder/encoder.h"

enum {
    HEAD_ROWS_MAX = 256,    /* rows that go through the vocabulary together: about a batch */
    HEAD_COLUMNS_MAX = 128, /* of the vocabulary, at a time: their weights stay in the cache */
};

/* The kind of the head; HEAD_NONE when the checkpoint names none, or has no weights for it. */
HeadKind encoder_head(const Encoder *encoder);
/* Floats of scratch that the functions below need, aligned to 64 bytes; 0 when there is no head. */
uint64_t head_run_scratch_size(const Encoder *encoder);
/* Floating-point operations of the head on `row_count` rows of a text: of FILL, those that go through the
 * vocabulary. */
uint64_t head_run_work(const Encoder *encoder, uint32_t row_count);

/* Runs a head other than FILL over the rows of one text, [row_count][hidden]. Writes one row of logits (CLASSIFY),
 * [row_count][labels] (TAG), or [row_count] starts and [row_count] ends (ANSWER). A text's bits do not depend on
 * anything else. Cannot fail. A worker's thread. */
void head_run(const Encoder *encoder, float *scratch, const float *rows, uint32_t row_count, float *out_logits);

/* Takes `count` columns of the vocabulary, from `first` on: logits[row * HEAD_COLUMNS_MAX + column]. */
typedef void (*HeadVisit)(void *context, uint32_t first, uint32_t count, const float *logits);
/* Runs a FILL head over `row_count` <= HEAD_ROWS_MAX rows of any texts, [row_count][hidden], and shows their logits
 * over the vocabulary to `visit`, in its order. A row's bits do not depend on the others. As head_run. */
void head_run_vocabulary(const Encoder *encoder, float *scratch, const float *rows, uint32_t row_count,
                         HeadVisit visit, void *context);
