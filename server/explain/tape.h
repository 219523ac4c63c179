/* What each run of a layer reads of a sequence, kept while it passes. */
#pragma once

#include "encoder/encoder.h"

/* A value over floats of its owner. */
typedef struct Tape {
    EncoderProbe probe; /* first */
    float *rows;
    size_t stride; /* floats from a run's rows to the next's */
    size_t size;   /* of a run's rows */
} Tape;

/* A tape that keeps the `size` floats of each run, `stride` floats apart from `rows` on. */
Tape tape_make(float *rows, size_t stride, size_t size);
/* What the `run`th run read. */
const float *tape_run(const Tape *tape, uint32_t run);
