/* The boundary inside rpc/: below it gRPC C core (completion, calls, flow control), above it the methods, which
 * never include a gRPC header. One RpcCall is one RPC; one RpcMessage is one request on it (a unary call has one).
 */
#pragma once

#include "base/arena.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RpcMessage RpcMessage;

typedef enum RpcShape {
    RPC_UNARY,
    RPC_BIDI,          /* one reply per request, in order; the next requests are read as replies leave */
    RPC_SERVER_STREAM, /* one request, then replies as the handler pushes them (health Watch) */
} RpcShape;

/* A row of the methods table. `handle` runs on the loop thread, must not block, and must see to it that exactly
 * one of rpc_message_reply and rpc_message_fail is called for `message`, now or later, on any thread. `wire`
 * ([size]) lives until then. */
typedef struct RpcMethod {
    const char *path; /* "/headlight.v1.Inference/Embed" */
    RpcShape shape;
    void (*handle)(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
    void *context;
    /* RPC_SERVER_STREAM only, else NULL. Loop thread: what was pushed has left, the handler was woken, or the call
     * has ended (*rpc_message_cancelled). In the last case it must end `message` by rpc_message_fail, now or later. */
    void (*progress)(void *context, RpcMessage *message);
} RpcMethod;

/* The memory of this request: unpacked message, tokens, results. Freed after the reply has left. One thread at a
 * time: the loop until the jobs are submitted, then whoever finishes the last job. Budget: REQUEST_ARENA_*. */
Arena *rpc_message_arena(RpcMessage *message);
/* Set once the client cancelled, disconnected or its deadline passed; lives as long as the message. Any thread. */
const atomic_bool *rpc_message_cancelled(const RpcMessage *message);
/* On clock_monotonic; 0: the client set none. */
uint64_t rpc_message_deadline_ns(const RpcMessage *message);
/* The same for all messages of one connection, different between connections: the scheduler's flow. */
uint64_t rpc_message_flow(const RpcMessage *message);
/* When the message arrived, on clock_monotonic. */
uint64_t rpc_message_arrived_ns(const RpcMessage *message);
/* A pointer of the handler's, kept with the message: NULL at first. Whoever has the message. */
void rpc_message_set_note(RpcMessage *message, void *note);
void *rpc_message_note(const RpcMessage *message);

/* A reply of exactly `size` bytes is packed straight into the transport's buffer by `pack(context, buffer)`, which
 * is called at most once, before this returns; context may live in the message's arena. The message and its arena
 * are gone afterwards. Any thread; cannot fail for the caller (out of memory, or a reply beyond reply_bytes_max,
 * becomes the call's status). On a stream the reply waits for those of earlier messages. */
void rpc_message_reply(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                       void *context);

/* RPC_SERVER_STREAM only: sends one reply and keeps the message. Only when nothing pushed is on its way: at first,
 * and then from each `progress`. Loop thread. A call that has ended ignores it. */
void rpc_message_push(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                      void *context);

/* RPC_SERVER_STREAM only: sets *ready, and has `progress` run. The message may be gone as soon as *ready is set. Any
 * thread. */
void rpc_message_wake(RpcMessage *message, atomic_bool *ready);

/* Something beside the error that a client can act on by program: bytes of a message by its type's URL. */
typedef struct RpcDetail {
    const char *type_url;
    const uint8_t *bytes; /* [size], at most RPC_DETAIL_BYTES_MAX */
    size_t size;
} RpcDetail;

enum { RPC_DETAIL_BYTES_MAX = 2560 };

/* Ends the call with `error` as its status: code, message, RetryInfo when retry_after_ns, BadRequest when `field`
 * (NULL: none) names what is wrong ("inputs[3].text"). STATUS_OK ends a server stream well. A stream ends too,
 * after the replies of earlier messages; those of later ones are dropped. The message is gone afterwards. Any
 * thread; of a server stream, the loop's. */
void rpc_message_fail(RpcMessage *message, const Error *error, const char *field);
/* The same with one more detail, which is read before this returns. */
void rpc_message_refuse(RpcMessage *message, const Error *error, const char *field, const RpcDetail *detail);
