#include "batch.h"

#include "interrupt.h"
#include "output.h"

#include <stdlib.h>

enum { BATCH_WAIT_MS = 200 }; /* how late a signal may be noticed while the input is silent */

struct Batch {
    uint64_t first_index;
    size_t count, count_max;
    size_t *ends; /* [count_max]: text i is bytes[ends[i - 1], ends[i]) */
    char *bytes;
    size_t capacity;
    Headlight__V1__Text *texts;   /* [count_max] */
    Headlight__V1__Text **inputs; /* [count_max] */
};

Status batch_open(size_t text_count_max, Batch **out_batch, Error *out_error)
{
    Batch *batch = calloc(1, sizeof *batch);
    if (!batch) goto fail;
    batch->count_max = text_count_max;
    batch->ends = calloc(text_count_max, sizeof *batch->ends);
    batch->texts = calloc(text_count_max, sizeof *batch->texts);
    batch->inputs = calloc(text_count_max, sizeof *batch->inputs);
    if (!batch->ends || !batch->texts || !batch->inputs) goto fail;
    *out_batch = batch;
    return STATUS_OK;
fail:
    batch_close(batch);
    return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
}

void batch_close(Batch *batch)
{
    if (!batch) return;
    free(batch->ends);
    free(batch->bytes);
    free(batch->texts);
    free(batch->inputs);
    free(batch);
}

uint64_t batch_first_index(const Batch *batch)
{
    return batch->first_index;
}

size_t batch_count(const Batch *batch)
{
    return batch->count;
}

static size_t batch_begin(const Batch *batch, size_t index)
{
    return index ? batch->ends[index - 1] : 0;
}

TextView batch_text(const Batch *batch, size_t index)
{
    size_t begin = batch_begin(batch, index);
    return (TextView){batch->bytes + begin, batch->ends[index] - begin};
}

Headlight__V1__Text **batch_inputs(Batch *batch, size_t *out_count)
{
    for (size_t index = 0; index < batch->count; index++) {
        TextView text = batch_text(batch, index);
        headlight__v1__text__init(&batch->texts[index]);
        batch->texts[index].text = (ProtobufCBinaryData){text.size, (uint8_t *)(uintptr_t)text.bytes};
        batch->inputs[index] = &batch->texts[index];
    }
    *out_count = batch->count;
    return batch->inputs;
}

static bool batch_fits(const Batch *batch, TextView text)
{
    if (batch->count == 0) return true;
    return batch->count < batch->count_max && batch_begin(batch, batch->count) + text.size <= BATCH_BYTES_MAX;
}

static Status batch_append(Batch *batch, TextView text, Error *out_error)
{
    size_t begin = batch_begin(batch, batch->count);
    if (begin + text.size >= batch->capacity) {
        size_t capacity = 2 * (begin + text.size) + 4096;
        char *grown = realloc(batch->bytes, capacity);
        if (!grown)
            return error_set(out_error, STATUS_NO_MEMORY, "out of memory for texts of %zu bytes", capacity);
        batch->bytes = grown;
        batch->capacity = capacity;
    }
    if (text.size) memcpy(batch->bytes + begin, text.bytes, text.size);
    batch->ends[batch->count++] = begin + text.size;
    return STATUS_OK;
}

static Status batch_flush(Batch *batch, const BatchSink *sink, Error *out_error)
{
    if (batch->count == 0) return STATUS_OK;
    Status status = sink->take(sink->context, batch, out_error);
    batch->first_index += batch->count;
    batch->count = 0;
    return status;
}

static Status batch_add(Batch *batch, TextView text, const BatchSink *sink, Error *out_error)
{
    Status status = batch_fits(batch, text) ? STATUS_OK : batch_flush(batch, sink, out_error);
    if (status != STATUS_OK) return status;
    return batch_append(batch, text, out_error);
}

static Status batch_idle(Batch *batch, const Input *input, const BatchSink *sink, Error *out_error)
{
    fflush(stdout); /* somebody may be waiting for it; batch_pump looks at the stream's error */
    bool now = sink->idle ? sink->idle(sink->context, input, batch->count) : true;
    if (now && batch->count > 0) return batch_flush(batch, sink, out_error);
    if (!sink->idle) input_wait(input, BATCH_WAIT_MS);
    return STATUS_OK;
}

Status batch_pump(Batch *batch, Input *input, const BatchSink *sink, Error *out_error)
{
    for (;;) {
        TextView text;
        Status status = STATUS_OK;
        InputState state = input_next(input, &text, out_error);
        if (interrupt_signal()) return error_set(out_error, STATUS_CANCELLED, "interrupted");
        if (output_broken(stdout)) return error_set(out_error, STATUS_IO, "standard output is closed");
        if (state == INPUT_END) return batch_flush(batch, sink, out_error);
        if (state == INPUT_FAILED) return out_error->status;
        if (state == INPUT_TEXT) status = batch_add(batch, text, sink, out_error);
        if (state == INPUT_WAIT) status = batch_idle(batch, input, sink, out_error);
        if (status != STATUS_OK) return status;
    }
}
