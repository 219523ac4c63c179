/* A message of a call: its bytes on the way in, its answer on the way out, and what handlers see of it (call.h). */
#include "base/clock.h"
#include "base/limits.h"
#include "rpc/inflate.h"
#include "rpc/state.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

enum {
    MESSAGE_RETRY_MS = 500, /* what a client is told when the server holds too much: about a batch or two */
    MESSAGE_SMALL_BYTES =
        4096 /* a reply up to this goes into gRPC's own allocation, which aborts when memory is out */
};

/* ---- The request ---- */

static void message_deliver(void *owner);

static Status message_hold(RpcMessage *message, uint64_t bytes, Error *out_error)
{
    RpcServer *server = message->call->server;
    uint64_t before = atomic_fetch_add(&server->held_bytes, bytes);
    message->held_bytes += bytes;
    if (before + bytes <= server->options.held_bytes_max) return STATUS_OK;
    atomic_fetch_add(&server->calls_rejected, 1);
    (void)error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                    "the requests in work already hold %llu of %llu bytes: try again later",
                    (unsigned long long)before, (unsigned long long)server->options.held_bytes_max);
    out_error->retry_after_ns = MESSAGE_RETRY_MS * NS_PER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

/* Everything that belongs to the request; what is left of the message is small. */
static void message_drop_request(RpcMessage *message)
{
    arena_free(&message->arena);
    grpc_slice_unref(message->wire);
    message->wire = grpc_empty_slice();
    free(message->inflated);
    message->inflated = NULL;
    grpc_byte_buffer_destroy(message->received);
    message->received = NULL;
    atomic_fetch_sub(&message->call->server->held_bytes, message->held_bytes);
    message->held_bytes = 0;
}

RpcMessage *message_create(RpcCall *call, grpc_byte_buffer *buffer)
{
    RpcMessage *message = calloc(1, sizeof *message);
    if (!message) {
        grpc_byte_buffer_destroy(buffer);
        return NULL;
    }
    call_retain(call);
    message->arrival = (RpcLoopItem){.run = message_deliver, .owner = message};
    message->call = call;
    message->reply = grpc_empty_slice();
    message->verdict = rpc_verdict_of(NULL);
    message->wire = grpc_empty_slice();
    message->received = buffer;
    message->arrived_ns = clock_now_ns(&clock_monotonic);
    Error error;
    if (message_hold(message, grpc_byte_buffer_length(buffer), &error) != STATUS_OK) {
        message->state = RPC_FAILED;
        message->verdict = rpc_verdict_of(&error);
        message_drop_request(message);
    }
    return message;
}

void message_free(RpcMessage *message)
{
    message_drop_request(message);
    grpc_slice_unref(message->reply);
    rpc_verdict_release(&message->verdict);
    call_release(message->call);
    free(message);
}

static Status message_inflate(RpcMessage *message, InflateFormat format, Error *out_error)
{
    uint64_t size_max = message->call->server->options.message_bytes_max;
    InflatePiece piece = {GRPC_SLICE_START_PTR(message->wire), GRPC_SLICE_LENGTH(message->wire)};
    Status status = rpc_inflate(format, &piece, 1, size_max, &message->inflated, &message->wire_size, out_error);
    return status == STATUS_OK ? message_hold(message, message->wire_size, out_error) : status;
}

/* Makes one row of bytes of what arrived, inflated if need be. Loop thread. */
static Status message_open(RpcMessage *message, Error *out_error)
{
    grpc_byte_buffer *buffer = message->received;
    grpc_compression_algorithm compression = buffer->data.raw.compression;
    buffer->data.raw.compression =
        GRPC_COMPRESS_NONE; /* or the reader of other versions would inflate, without limit */
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return error_set(out_error, STATUS_INTERNAL, "the request message cannot be read");
    }
    size_t size = grpc_byte_buffer_length(buffer);
    if (size && grpc_byte_buffer_reader_next(&reader, &message->wire) && GRPC_SLICE_LENGTH(message->wire) < size) {
        grpc_slice_unref(message->wire);
        grpc_byte_buffer_reader_destroy(&reader);
        (void)grpc_byte_buffer_reader_init(&reader, buffer);
        message->wire = grpc_byte_buffer_reader_readall(&reader);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    message->received = NULL;
    message->wire_size = GRPC_SLICE_LENGTH(message->wire);
    if (compression == GRPC_COMPRESS_GZIP) return message_inflate(message, INFLATE_GZIP, out_error);
    if (compression == GRPC_COMPRESS_DEFLATE) return message_inflate(message, INFLATE_DEFLATE, out_error);
    return STATUS_OK;
}

static void message_deliver(void *owner)
{
    RpcMessage *message = owner;
    RpcCall *call = message->call;
    const RpcMethod *method = call->slot->row;
    Error error;
    if (atomic_load(&call->cancelled) || call->server->closing) {
        (void)error_set(&error, STATUS_CANCELLED, "cancelled before the work began");
        rpc_message_fail(message, &error, NULL);
        return;
    }
    if (message_open(message, &error) != STATUS_OK) {
        rpc_message_fail(message, &error, NULL);
        return;
    }
    arena_init(&message->arena, REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * message->wire_size);
    if (method->shape == RPC_SERVER_STREAM) call->pushing = message;
    const uint8_t *wire = message->inflated ? message->inflated : GRPC_SLICE_START_PTR(message->wire);
    method->handle(method->context, message, wire, message->wire_size);
}

/* ---- What handlers see ---- */

Arena *rpc_message_arena(RpcMessage *message)
{
    return &message->arena;
}

const atomic_bool *rpc_message_cancelled(const RpcMessage *message)
{
    return &message->call->cancelled;
}

uint64_t rpc_message_deadline_ns(const RpcMessage *message)
{
    return message->call->deadline_ns;
}

uint64_t rpc_message_flow(const RpcMessage *message)
{
    return message->call->flow;
}

uint64_t rpc_message_arrived_ns(const RpcMessage *message)
{
    return message->arrived_ns;
}

void rpc_message_set_note(RpcMessage *message, void *note)
{
    message->note = note;
}

void *rpc_message_note(const RpcMessage *message)
{
    return message->note;
}

/* A stream of Watch lasts as long as its client likes: that is no duration. */
static void message_count(const RpcMessage *message)
{
    const RpcCall *call = message->call;
    RpcCounters *counters = call->slot->counters;
    bool cancelled = message->verdict.code == GRPC_STATUS_OK && atomic_load(&call->cancelled);
    size_t code = cancelled ? GRPC_STATUS_CANCELLED : message->verdict.code;
    assert(code < RPC_CODE_COUNT);
    atomic_fetch_add_explicit(&counters->codes[code], 1, memory_order_relaxed);
    if (call->slot->row->shape == RPC_SERVER_STREAM) return;
    metrics_histogram_add(&counters->durations, clock_now_ns(&clock_monotonic) - message->arrived_ns);
}

/* The answer is in the message: frees the request and lets the call go on. */
static void message_settle(RpcMessage *message, RpcMessageState state)
{
    RpcCall *call = message->call;
    message_count(message);
    message_drop_request(message);
    call_retain(call); /* the message's reference may go away with the message */
    call_lock(call);
    message->state = state;
    if (call->phase == RPC_OPEN) {
        call_advance(call);
    } else { /* no longer in the call's list */
        message->next = call->garbage;
        call->garbage = message;
    }
    call_unlock(call);
    call_release(call);
}

/* A slice of `size` bytes, packed; NULL of memory becomes an error. */
static Status message_pack(size_t size, size_t size_max, void (*pack)(void *, uint8_t *), void *context,
                           grpc_slice *out_slice, Error *out_error)
{
    if (size > size_max) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the reply would have %zu bytes, the limit is %zu: ask for less in one request", size,
                         size_max);
    }
    if (size <= MESSAGE_SMALL_BYTES) {
        *out_slice = grpc_slice_malloc(size);
        pack(context, GRPC_SLICE_START_PTR(*out_slice));
        return STATUS_OK;
    }
    uint8_t *bytes = malloc(size);
    if (!bytes) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a reply of %zu bytes", size);
    pack(context, bytes);
    *out_slice = grpc_slice_new(bytes, size, free);
    return STATUS_OK;
}

void rpc_message_reply(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                       void *context)
{
    assert(message->call->slot->row->shape != RPC_SERVER_STREAM);
    Error error;
    if (atomic_load(&message->call->cancelled)) {
        message_settle(message, RPC_FAILED); /* nobody reads it: not packed */
        return;
    }
    size_t size_max = message->call->server->options.reply_bytes_max;
    if (message_pack(size, size_max, pack, context, &message->reply, &error) != STATUS_OK) {
        rpc_message_fail(message, &error, NULL);
        return;
    }
    message_settle(message, RPC_REPLIED);
}

void rpc_message_push(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                      void *context)
{
    RpcCall *call = message->call;
    assert(call->pushing == message);
    grpc_slice reply;
    Error error;
    if (message_pack(size, call->server->options.reply_bytes_max, pack, context, &reply, &error) != STATUS_OK) {
        call_end(call, &error);
        return;
    }
    call_lock(call);
    bool open = call->phase == RPC_OPEN;
    if (open) call_push(call, reply);
    call_unlock(call);
    if (!open) grpc_slice_unref(reply);
}

void rpc_message_wake(RpcMessage *message, atomic_bool *ready)
{
    RpcCall *call = message->call;
    call_retain(call); /* the message's reference may go away with the message */
    atomic_store_explicit(ready, true, memory_order_release);
    call_wake(call);
    call_release(call);
}

void rpc_message_fail(RpcMessage *message, const Error *error, const char *field)
{
    rpc_message_refuse(message, error, field, NULL);
}

void rpc_message_refuse(RpcMessage *message, const Error *error, const char *field, const RpcDetail *detail)
{
    RpcCall *call = message->call;
    if (call->slot->row->shape == RPC_SERVER_STREAM) call->pushing = NULL;
    message->verdict = rpc_verdict_detailed(error, field, detail);
    message_settle(message, RPC_FAILED);
}
