/* Requests to EmbedStream with a window of several under way, answers handed on in order: any number of texts in
 * bounded memory. A broken stream is opened again and what was not answered is sent again; what a server refuses
 * is asked once more in a call of its own, which tells whose fault it was. */
#pragma once

#include "batch.h"
#include "call.h"

typedef struct EmbedStream EmbedStream;

/* One request, kept until it is answered. */
typedef struct EmbedRequest {
    uint64_t first_index; /* of its first text in the whole input */
    size_t text_count;
    uint8_t *bytes; /* packed; free() */
    size_t size;
} EmbedRequest;

typedef struct EmbedStreamOptions {
    Channel *channel;         /* borrowed */
    const Settings *settings; /* borrowed */
    const Input *input;       /* borrowed; says where a refused text stands */
    size_t window_count;      /* requests under way, 1 to EMBED_WINDOW_MAX */
    bool unary;               /* no stream: one call after the other */
    /* Gets each request with its answer, in order; a status other than OK ends the stream with it. */
    Status (*answer)(void *context, const EmbedRequest *request, const Headlight__V1__EmbedResponse *reply,
                     Error *out_error);
    void *context;
} EmbedStreamOptions;

enum { EMBED_WINDOW_MAX = 64 };

/* Borrows what `options` points to. On success the caller owns *out_stream (embed_stream_close). Fails with
 * NO_MEMORY. */
CHECKED Status embed_stream_open(const EmbedStreamOptions *options, EmbedStream **out_stream, Error *out_error);
/* Abandons the channel's calls. NULL is a no-op. */
void embed_stream_close(EmbedStream *stream);
/* Sends `request`, whose bytes are the stream's from now on, whatever is returned; waits while the window is full.
 * Fails with what a call, the server or `answer` failed with, now or before; DEADLINE_EXCEEDED when no answer came
 * for the settings' deadline; CANCELLED after a signal. */
CHECKED Status embed_stream_push(EmbedStream *stream, EmbedRequest request, Error *out_error);
/* How many requests wait for their answer. */
size_t embed_stream_pending(const EmbedStream *stream);
/* Handles what is ready, waits up to `wait_ns`. Errors show at the next push or finish. */
void embed_stream_run(EmbedStream *stream, uint64_t wait_ns);
/* Waits for all answers. Fails as embed_stream_push. */
CHECKED Status embed_stream_finish(EmbedStream *stream, Error *out_error);
