#include "exchange.h"

#include "base/clock.h"
#include "interrupt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCHANGE_END_WAIT_MS = 1000 };

struct Exchange {
    ExchangeOptions options;
    ExchangeRequest ring[EXCHANGE_WINDOW_MAX]; /* [head, head + count): not answered, oldest first */
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

static void exchange_sent(void *context);
static void exchange_received(void *context, const uint8_t *bytes, size_t size);
static void exchange_done(void *context, const ChannelReply *reply);
static const ChannelHandlers exchange_handlers = {exchange_sent, exchange_received, exchange_done};

Status exchange_open(const ExchangeOptions *options, Exchange **out_exchange, Error *out_error)
{
    assert(options->window_count >= 1 && options->window_count <= EXCHANGE_WINDOW_MAX);
    Exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    exchange->options = *options;
    exchange->unary = options->unary || !options->type->stream_method;
    exchange->random = clock_now_ns(&clock_monotonic);
    *out_exchange = exchange;
    return STATUS_OK;
}

void exchange_close(Exchange *exchange)
{
    if (!exchange) return;
    channel_abandon(exchange->options.channel);
    for (size_t index = 0; index < EXCHANGE_WINDOW_MAX; index++) free(exchange->ring[index].bytes);
    free(exchange);
}

size_t exchange_pending(const Exchange *exchange)
{
    return exchange->count;
}

static ExchangeRequest *exchange_at(Exchange *exchange, size_t position)
{
    return &exchange->ring[(exchange->head + position) % EXCHANGE_WINDOW_MAX];
}

static void exchange_fail(Exchange *exchange, Status status)
{
    assert(status != STATUS_OK);
    if (exchange->status == STATUS_OK) exchange->status = status;
    if (exchange->call) channel_call_cancel(exchange->call);
}

/* ---- Sending ---- */

static void exchange_reopen(Exchange *exchange)
{
    Status status = channel_call_stream(exchange->options.channel, exchange->options.type->stream_method, 0,
                                        &exchange_handlers, exchange, &exchange->call, &exchange->error);
    if (status != STATUS_OK) exchange_fail(exchange, status);
}

/* Does the next step of sending that is possible now. */
static void exchange_advance(Exchange *exchange)
{
    if (exchange->status != STATUS_OK || exchange->unary) return;
    bool due = clock_now_ns(&clock_monotonic) >= exchange->retry_at_ns;
    if (!exchange->call && exchange->count > 0 && due) exchange_reopen(exchange);
    if (!exchange->call || exchange->sending || exchange->half_closed) return;
    if (exchange->sent_count < exchange->count) {
        const ExchangeRequest *request = exchange_at(exchange, exchange->sent_count++);
        exchange->sending = true;
        channel_call_send(exchange->call, request->bytes, request->size);
    } else if (exchange->all_pushed) {
        exchange->half_closed = true;
        channel_call_finish(exchange->call);
    }
}

static void exchange_sent(void *context)
{
    Exchange *exchange = context;
    exchange->sending = false;
    exchange_advance(exchange);
}

/* ---- Answers ---- */

static void exchange_forget(Exchange *exchange)
{
    ExchangeRequest *request = exchange_at(exchange, 0);
    free(request->bytes);
    *request = (ExchangeRequest){0};
    exchange->head = (exchange->head + 1) % EXCHANGE_WINDOW_MAX;
    exchange->count--;
    exchange->progress_ns = clock_now_ns(&clock_monotonic);
    exchange->attempt = 0;
}

/* Hands the oldest request's answer on and forgets the request. */
static Status exchange_answer(Exchange *exchange, const ProtobufCMessage *reply, Error *out_error)
{
    ExchangeRequest *request = exchange_at(exchange, 0);
    const ExchangeType *type = exchange->options.type;
    size_t result_count = type->result_count ? type->result_count(reply) : request->text_count;
    if (result_count != request->text_count) {
        return error_set(out_error, STATUS_CORRUPT, "the server answered %zu of %zu texts", result_count,
                         request->text_count);
    }
    Status status = exchange->options.answer(exchange->options.context, request, reply, out_error);
    exchange_forget(exchange);
    return status;
}

static void exchange_received(void *context, const uint8_t *bytes, size_t size)
{
    Exchange *exchange = context;
    if (exchange->status != STATUS_OK) return;
    if (exchange->sent_count == 0) {
        exchange_fail(exchange,
                      error_set(&exchange->error, STATUS_CORRUPT, "the server answers more than was asked"));
        return;
    }
    Arena arena;
    ProtobufCMessage *reply;
    Status status =
        codec_unpack(&arena, exchange->options.type->reply_type, bytes, size, &reply, &exchange->error);
    if (status == STATUS_OK) {
        exchange->sent_count--;
        status = exchange_answer(exchange, reply, &exchange->error);
    }
    arena_free(&arena);
    if (status != STATUS_OK) exchange_fail(exchange, status);
}

/* A stream that ended with requests unanswered: repeat it if that may help, else ask for each request alone. */
static void exchange_done(void *context, const ChannelReply *reply)
{
    Exchange *exchange = context;
    exchange->call = NULL;
    exchange->sending = false;
    exchange->half_closed = false;
    exchange->sent_count = 0;
    if (exchange->count == 0 || exchange->status != STATUS_OK) return;
    Failure failure;
    failure_read(reply, &failure);
    if (!failure_retryable(&failure)) {
        exchange->unary = true;
        return;
    }
    const Settings *settings = exchange->options.settings;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    exchange->attempt++;
    exchange->retry_at_ns =
        now_ns + failure_backoff_ns(&failure, exchange->attempt, call_random(&exchange->random));
    if (exchange->attempt > settings->retry_count ||
        exchange->retry_at_ns >= exchange->progress_ns + settings->deadline_ns) {
        exchange_fail(exchange, failure_explain(&failure, channel_address(exchange->options.channel), NULL,
                                                &exchange->error));
    }
}

/* ---- One call after the other ---- */

Status exchange_explain(const Failure *failure, const char *address, const Input *input, uint64_t first_index,
                        size_t text_count, Error *out_error)
{
    char location[INPUT_LOCATION_BYTES];
    uint64_t first, last;
    bool blamed = failure_blame(failure, first_index, text_count, &first, &last);
    input_locate(input, first, last, location);
    Status status = failure_explain(failure, address, blamed ? location : NULL, out_error);
    if (strstr(out_error->message, "length_policy")) { /* the request's field; our user has a flag for it */
        size_t used = strlen(out_error->message);
        snprintf(out_error->message + used, sizeof out_error->message - used,
                 "; with this client: --length-policy chunk or --truncate right");
    }
    return status;
}

static void exchange_ask_alone(Exchange *exchange)
{
    ExchangeRequest *request = exchange_at(exchange, 0);
    CallRequest call = {exchange->options.type->method, request->bytes, request->size};
    Arena arena;
    ProtobufCMessage *reply;
    Failure failure;
    Status status = call_bytes(exchange->options.channel, exchange->options.settings, &call,
                               exchange->options.type->reply_type, &arena, &reply, &failure, &exchange->error);
    if (status == STATUS_OK) {
        status = exchange_answer(exchange, reply, &exchange->error);
    } else if (failure.code != 0 && !interrupt_signal()) {
        status = exchange_explain(&failure, channel_address(exchange->options.channel), exchange->options.input,
                                  request->first_index, request->text_count, &exchange->error);
        if (failure.report_size && exchange->options.refused)
            status = exchange->options.refused(exchange->options.context, request, &failure, &exchange->error);
        if (status == STATUS_OK) exchange_forget(exchange);
    }
    arena_free(&arena);
    if (status != STATUS_OK) exchange_fail(exchange, status);
}

/* ---- The loop ---- */

static void exchange_check_deadline(Exchange *exchange)
{
    if (exchange->count == 0 || exchange->status != STATUS_OK) return;
    uint64_t deadline_ns = exchange->progress_ns + exchange->options.settings->deadline_ns;
    if (clock_now_ns(&clock_monotonic) < deadline_ns) return;
    Failure failure = {.code = FAILURE_DEADLINE_EXCEEDED};
    exchange_fail(exchange,
                  failure_explain(&failure, channel_address(exchange->options.channel), NULL, &exchange->error));
}

void exchange_run(Exchange *exchange, uint64_t wait_ns)
{
    exchange_advance(exchange);
    if (exchange->unary) {
        if (exchange->count > 0 && exchange->status == STATUS_OK) exchange_ask_alone(exchange);
        return;
    }
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    uint64_t until_ns = now_ns + wait_ns;
    if (!exchange->call && exchange->retry_at_ns > now_ns && exchange->retry_at_ns < until_ns)
        until_ns = exchange->retry_at_ns;
    channel_run(exchange->options.channel, until_ns);
    exchange_check_deadline(exchange);
    exchange_advance(exchange);
}

/* Runs until at most `count_max` requests wait for their answers. */
static Status exchange_wait(Exchange *exchange, size_t count_max, Error *out_error)
{
    while (exchange->count > count_max && exchange->status == STATUS_OK) {
        if (interrupt_signal()) return error_set(out_error, STATUS_CANCELLED, "interrupted");
        exchange_run(exchange, 100 * NS_PER_MS);
    }
    if (exchange->status != STATUS_OK) *out_error = exchange->error;
    return exchange->status;
}

Status exchange_push(Exchange *exchange, ExchangeRequest request, Error *out_error)
{
    assert(!exchange->all_pushed);
    Status status = exchange_wait(exchange, exchange->options.window_count - 1, out_error);
    if (status != STATUS_OK) {
        free(request.bytes);
        return status;
    }
    if (exchange->count == 0) exchange->progress_ns = clock_now_ns(&clock_monotonic);
    *exchange_at(exchange, exchange->count++) = request;
    exchange_run(exchange, 0);
    return STATUS_OK;
}

Status exchange_finish(Exchange *exchange, Error *out_error)
{
    exchange->all_pushed = true;
    Status status = exchange_wait(exchange, 0, out_error);
    if (status != STATUS_OK) return status;
    /* An answer too many means that the others may belong to other requests; only the stream's end rules it out.
     * A server that sends neither is not waited for long. */
    uint64_t until_ns = clock_now_ns(&clock_monotonic) + EXCHANGE_END_WAIT_MS * NS_PER_MS;
    while (exchange->call && exchange->status == STATUS_OK && !interrupt_signal() &&
           clock_now_ns(&clock_monotonic) < until_ns) {
        exchange_run(exchange, EXCHANGE_END_WAIT_MS * NS_PER_MS);
    }
    if (exchange->status != STATUS_OK) *out_error = exchange->error;
    return exchange->status;
}
