/* What each run of a layer reads of a sequence, kept while it passes; and floats of an arena, as kernels like them. */
#pragma once

#include "base/arena.h"
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

/* Floats that a part of `count` takes, so that the next one is aligned to 64 bytes as well. */
static inline size_t tape_round_up(size_t count)
{
    return (count + 15) / 16 * 16;
}

/* `count` floats of the arena, aligned to 64 bytes; NULL: it is out. */
float *tape_floats_open(Arena *arena, size_t count);
/* What they take of it, at most. */
uint64_t tape_floats_bytes(size_t count);
