/* Requests of one method with a window of several under way, answers handed on in order: any number of texts in
 * bounded memory. A broken stream is opened again and what was not answered is sent again; what a server refuses
 * is asked once more in a call of its own, which tells whose fault it was. */
#pragma once

#include "batch.h"
#include "call.h"

typedef struct Exchange Exchange;

/* One request, kept until it is answered. */
typedef struct ExchangeRequest {
    uint64_t first_index; /* of its first text in the whole input */
    size_t text_count;
    uint8_t *bytes; /* packed; free() */
    size_t size;
} ExchangeRequest;

/* What is asked and answered. */
typedef struct ExchangeType {
    const char *method;        /* one request, one reply */
    const char *stream_method; /* NULL: there is none */
    const ProtobufCMessageDescriptor *reply_type;
    size_t (*result_count)(
        const ProtobufCMessage *reply); /* must be the request's text_count; NULL: not checked */
} ExchangeType;

typedef struct ExchangeOptions {
    const ExchangeType *type; /* borrowed */
    Channel *channel;         /* borrowed */
    const Settings *settings; /* borrowed */
    const Input *input;       /* borrowed; says where a refused text stands */
    size_t window_count;      /* requests under way, 1 to EXCHANGE_WINDOW_MAX */
    bool unary;               /* no stream: one call after the other */
    /* Gets each request with its answer, in order; a status other than OK ends the exchange with it. */
    Status (*answer)(void *context, const ExchangeRequest *request, const ProtobufCMessage *reply,
                     Error *out_error);
    /* Takes a request that was refused for its texts' findings; OK: it counts as answered. NULL: it is an error. */
    Status (*refused)(void *context, const ExchangeRequest *request, const Failure *failure, Error *out_error);
    void *context;
} ExchangeOptions;

enum { EXCHANGE_WINDOW_MAX = 64 };

/* Borrows what `options` points to. On success the caller owns *out_exchange (exchange_close). Fails with
 * NO_MEMORY. */
CHECKED Status exchange_open(const ExchangeOptions *options, Exchange **out_exchange, Error *out_error);
/* Abandons the channel's calls. NULL is a no-op. */
void exchange_close(Exchange *exchange);
/* Sends `request`, whose bytes are the exchange's from now on, whatever is returned; waits while the window is full.
 * Fails with what a call, the server or `answer` failed with, now or before; DEADLINE_EXCEEDED when no answer came
 * for the settings' deadline; CANCELLED after a signal. */
CHECKED Status exchange_push(Exchange *exchange, ExchangeRequest request, Error *out_error);
/* How many requests wait for their answer. */
size_t exchange_pending(const Exchange *exchange);
/* Handles what is ready, waits up to `wait_ns`. Errors show at the next push or finish. */
void exchange_run(Exchange *exchange, uint64_t wait_ns);
/* Waits for all answers. Fails as exchange_push. */
CHECKED Status exchange_finish(Exchange *exchange, Error *out_error);
/* Says why a call failed whose texts begin at `first_index` of the input, and which of them is to blame. */
Status exchange_explain(const Failure *failure, const char *address, const Input *input, uint64_t first_index,
                        size_t text_count, Error *out_error);
