#include "embed_stream.h"

#include "base/clock.h"
#include "interrupt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char embed_stream_method[] = "/headlight.v1.Inference/EmbedStream";
static const char embed_stream_unary_method[] = "/headlight.v1.Inference/Embed";

struct EmbedStream {
    EmbedStreamOptions options;
    EmbedRequest ring[EMBED_WINDOW_MAX]; /* [head, head + count): not answered, oldest first */
    size_t head, count;
    size_t sent_count; /* of them on the open stream; the rest waits */
    ChannelCall *call; /* NULL: no stream is open */
    bool sending;      /* a message is on its way into the transport */
    bool all_pushed;
    bool half_closed;
    bool unary;
    uint64_t progress_ns; /* of the last answer, or when the oldest request came */
    uint64_t attempt;     /* failures since the last answer */
    uint64_t retry_at_ns;
    uint64_t random;
    Status status; /* the first failure; sticks */
    Error error;
};

static void embed_stream_sent(void *context);
static void embed_stream_received(void *context, const uint8_t *bytes, size_t size);
static void embed_stream_done(void *context, const ChannelReply *reply);
static const ChannelHandlers embed_stream_handlers = {embed_stream_sent, embed_stream_received, embed_stream_done};

Status embed_stream_open(const EmbedStreamOptions *options, EmbedStream **out_stream, Error *out_error)
{
    assert(options->window_count >= 1 && options->window_count <= EMBED_WINDOW_MAX);
    EmbedStream *stream = calloc(1, sizeof *stream);
    if (!stream) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    stream->options = *options;
    stream->unary = options->unary;
    stream->random = clock_now_ns(&clock_monotonic);
    *out_stream = stream;
    return STATUS_OK;
}

void embed_stream_close(EmbedStream *stream)
{
    if (!stream) return;
    channel_abandon(stream->options.channel);
    for (size_t index = 0; index < EMBED_WINDOW_MAX; index++) free(stream->ring[index].bytes);
    free(stream);
}

size_t embed_stream_pending(const EmbedStream *stream)
{
    return stream->count;
}

static EmbedRequest *embed_stream_at(EmbedStream *stream, size_t position)
{
    return &stream->ring[(stream->head + position) % EMBED_WINDOW_MAX];
}

static void embed_stream_fail(EmbedStream *stream, Status status)
{
    assert(status != STATUS_OK);
    if (stream->status == STATUS_OK) stream->status = status;
    if (stream->call) channel_call_cancel(stream->call);
}

/* ---- Sending ---- */

static void embed_stream_reopen(EmbedStream *stream)
{
    Status status = channel_call_stream(stream->options.channel, embed_stream_method, &embed_stream_handlers,
                                        stream, &stream->call, &stream->error);
    if (status != STATUS_OK) embed_stream_fail(stream, status);
}

/* Does the next step of sending that is possible now. */
static void embed_stream_advance(EmbedStream *stream)
{
    if (stream->status != STATUS_OK || stream->unary) return;
    bool due = clock_now_ns(&clock_monotonic) >= stream->retry_at_ns;
    if (!stream->call && stream->count > 0 && due) embed_stream_reopen(stream);
    if (!stream->call || stream->sending || stream->half_closed) return;
    if (stream->sent_count < stream->count) {
        const EmbedRequest *request = embed_stream_at(stream, stream->sent_count++);
        stream->sending = true;
        channel_call_send(stream->call, request->bytes, request->size);
    } else if (stream->all_pushed) {
        stream->half_closed = true;
        channel_call_finish(stream->call);
    }
}

static void embed_stream_sent(void *context)
{
    EmbedStream *stream = context;
    stream->sending = false;
    embed_stream_advance(stream);
}

/* ---- Answers ---- */

/* Hands the oldest request's answer on and forgets the request. */
static Status embed_stream_answer(EmbedStream *stream, const Headlight__V1__EmbedResponse *reply, Error *out_error)
{
    EmbedRequest *request = embed_stream_at(stream, 0);
    if (reply->n_embeddings != request->text_count) {
        return error_set(out_error, STATUS_CORRUPT, "the server answered %zu of %zu texts", reply->n_embeddings,
                         request->text_count);
    }
    Status status = stream->options.answer(stream->options.context, request, reply, out_error);
    free(request->bytes);
    *request = (EmbedRequest){0};
    stream->head = (stream->head + 1) % EMBED_WINDOW_MAX;
    stream->count--;
    stream->progress_ns = clock_now_ns(&clock_monotonic);
    stream->attempt = 0;
    return status;
}

static void embed_stream_received(void *context, const uint8_t *bytes, size_t size)
{
    EmbedStream *stream = context;
    if (stream->status != STATUS_OK) return;
    if (stream->sent_count == 0) {
        embed_stream_fail(stream,
                          error_set(&stream->error, STATUS_CORRUPT, "the server answers more than was asked"));
        return;
    }
    Arena arena;
    ProtobufCMessage *reply;
    Status status =
        codec_unpack(&arena, &headlight__v1__embed_response__descriptor, bytes, size, &reply, &stream->error);
    if (status == STATUS_OK) {
        stream->sent_count--;
        status = embed_stream_answer(stream, (const Headlight__V1__EmbedResponse *)reply, &stream->error);
    }
    arena_free(&arena);
    if (status != STATUS_OK) embed_stream_fail(stream, status);
}

/* A stream that ended with requests unanswered: repeat it if that may help, else ask for each request alone. */
static void embed_stream_done(void *context, const ChannelReply *reply)
{
    EmbedStream *stream = context;
    stream->call = NULL;
    stream->sending = false;
    stream->half_closed = false;
    stream->sent_count = 0;
    if (stream->count == 0 || stream->status != STATUS_OK) return;
    Failure failure;
    failure_read(reply, &failure);
    if (!failure_retryable(&failure)) {
        stream->unary = true;
        return;
    }
    const Settings *settings = stream->options.settings;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    stream->attempt++;
    stream->retry_at_ns = now_ns + failure_backoff_ns(&failure, stream->attempt, call_random(&stream->random));
    if (stream->attempt > settings->retry_count ||
        stream->retry_at_ns >= stream->progress_ns + settings->deadline_ns) {
        embed_stream_fail(
            stream, failure_explain(&failure, channel_address(stream->options.channel), NULL, &stream->error));
    }
}

/* ---- One call after the other ---- */

static Status embed_stream_explain(const EmbedStream *stream, const EmbedRequest *request, const Failure *failure,
                                   Error *out_error)
{
    char location[INPUT_LOCATION_BYTES];
    uint64_t first, last;
    bool blamed = failure_blame(failure, request->first_index, request->text_count, &first, &last);
    input_locate(stream->options.input, first, last, location);
    Status status =
        failure_explain(failure, channel_address(stream->options.channel), blamed ? location : NULL, out_error);
    if (strstr(out_error->message, "length_policy")) { /* the request's field; our user has a flag for it */
        size_t used = strlen(out_error->message);
        snprintf(out_error->message + used, sizeof out_error->message - used,
                 "; with this client: --truncate right");
    }
    return status;
}

static void embed_stream_ask_alone(EmbedStream *stream)
{
    EmbedRequest *request = embed_stream_at(stream, 0);
    CallRequest call = {embed_stream_unary_method, request->bytes, request->size};
    Arena arena;
    ProtobufCMessage *reply;
    Failure failure;
    Status status =
        call_bytes(stream->options.channel, stream->options.settings, &call,
                   &headlight__v1__embed_response__descriptor, &arena, &reply, &failure, &stream->error);
    if (status == STATUS_OK) {
        status = embed_stream_answer(stream, (const Headlight__V1__EmbedResponse *)reply, &stream->error);
    } else if (failure.code != 0 && !interrupt_signal()) {
        status = embed_stream_explain(stream, request, &failure, &stream->error);
    }
    arena_free(&arena);
    if (status != STATUS_OK) embed_stream_fail(stream, status);
}

/* ---- The loop ---- */

static void embed_stream_check_deadline(EmbedStream *stream)
{
    if (stream->count == 0 || stream->status != STATUS_OK) return;
    uint64_t deadline_ns = stream->progress_ns + stream->options.settings->deadline_ns;
    if (clock_now_ns(&clock_monotonic) < deadline_ns) return;
    Failure failure = {.code = FAILURE_DEADLINE_EXCEEDED};
    embed_stream_fail(stream,
                      failure_explain(&failure, channel_address(stream->options.channel), NULL, &stream->error));
}

void embed_stream_run(EmbedStream *stream, uint64_t wait_ns)
{
    embed_stream_advance(stream);
    if (stream->unary) {
        if (stream->count > 0 && stream->status == STATUS_OK) embed_stream_ask_alone(stream);
        return;
    }
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    uint64_t until_ns = now_ns + wait_ns;
    if (!stream->call && stream->retry_at_ns > now_ns && stream->retry_at_ns < until_ns)
        until_ns = stream->retry_at_ns;
    channel_run(stream->options.channel, until_ns);
    embed_stream_check_deadline(stream);
    embed_stream_advance(stream);
}

/* Runs until at most `count_max` requests wait for their answers. */
static Status embed_stream_wait(EmbedStream *stream, size_t count_max, Error *out_error)
{
    while (stream->count > count_max && stream->status == STATUS_OK) {
        if (interrupt_signal()) return error_set(out_error, STATUS_CANCELLED, "interrupted");
        embed_stream_run(stream, 100 * NS_PER_MS);
    }
    if (stream->status != STATUS_OK) *out_error = stream->error;
    return stream->status;
}

Status embed_stream_push(EmbedStream *stream, EmbedRequest request, Error *out_error)
{
    assert(!stream->all_pushed);
    Status status = embed_stream_wait(stream, stream->options.window_count - 1, out_error);
    if (status != STATUS_OK) {
        free(request.bytes);
        return status;
    }
    if (stream->count == 0) stream->progress_ns = clock_now_ns(&clock_monotonic);
    *embed_stream_at(stream, stream->count++) = request;
    embed_stream_run(stream, 0);
    return STATUS_OK;
}

Status embed_stream_finish(EmbedStream *stream, Error *out_error)
{
    stream->all_pushed = true;
    Status status = embed_stream_wait(stream, 0, out_error);
    /* The stream's own end: nothing is left to learn from it, so it is not waited for beyond what is ready. */
    return status;
}
