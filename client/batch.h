/* Texts of one request, and the loop that collects them from an input. */
#pragma once

#include "input.h"

#include <headlight/v1/headlight.pb-c.h>

typedef struct Batch Batch;

/* Most texts of a request; and most bytes, unless one text alone is longer: half of a server's usual message
 * limit. */
enum { BATCH_TEXTS_MAX = 4096, BATCH_BYTES_MAX = 2 * 1024 * 1024 };

/* An empty batch for up to `text_count_max` texts. On success the caller owns *out_batch (batch_close).
 * Fails with NO_MEMORY. */
CHECKED Status batch_open(size_t text_count_max, Batch **out_batch, Error *out_error);
void batch_close(Batch *batch); /* NULL is a no-op */

/* The number of the first text in the whole input, from 0. */
uint64_t batch_first_index(const Batch *batch);
size_t batch_count(const Batch *batch);
TextView batch_text(const Batch *batch, size_t index); /* until the next text is added */
/* For a request's `inputs`; valid until the next text is added. */
Headlight__V1__Text **batch_inputs(Batch *batch, size_t *out_count);

/* What a command does with its batches. A status other than OK ends the loop and is its result. */
typedef struct BatchSink {
    Status (*take)(void *context, Batch *batch, Error *out_error); /* the texts are gone after it returns */
    /* The input has nothing at the moment; waits a little for whatever may come and says whether the texts
     * collected so far shall go now. NULL: they go. */
    bool (*idle)(void *context, const Input *input, size_t collected_count);
    void *context;
} BatchSink;

/* Collects texts until the input ends. Fails with what the input and the sink fail with, CANCELLED after a signal,
 * and IO when standard output is broken. */
CHECKED Status batch_pump(Batch *batch, Input *input, const BatchSink *sink, Error *out_error);
