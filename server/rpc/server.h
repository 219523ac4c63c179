/* The gRPC server: listens, receives calls, hands their messages to the methods on the loop, and drains.
 * Three kinds of threads meet here. The completion thread (its own) accepts calls and moves their state; the loop
 * runs the methods' handlers and everything in this header; any thread may answer (call.h). */
#pragma once

#include "base/metrics.h"
#include "base/status.h"
#include "rpc/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct RpcServer RpcServer;

/* Start from rpc_server_options_default(); everything that is pointed to is copied, except contexts.
 */
typedef struct RpcServerOptions {
    const char *const *addresses; /* [address_count] "127.0.0.1:50051", "[::1]:0", "unix:/run/headlight.sock" */
    size_t address_count;         /* 1 .. RPC_ADDRESS_COUNT_MAX */
    unsigned socket_mode;         /* permissions of unix sockets */
    const RpcMethod *methods;     /* [method_count]; health and reflection are added by the server */
    size_t method_count;
    uint64_t message_bytes_max;    /* one request, before and after inflating; at most MESSAGE_BYTES_MAX_LIMIT */
    uint64_t reply_bytes_max;      /* one reply */
    uint64_t held_bytes_max;       /* of all requests that are not answered yet; at least message_bytes_max */
    uint32_t calls_max;            /* calls at a time, streams included; beyond it RESOURCE_EXHAUSTED */
    uint32_t connection_calls_max; /* calls at a time on one connection; clients queue the rest by themselves */
    uint32_t stream_window;        /* messages of one stream that may be unanswered */
    uint64_t body_timeout_ns;      /* from a unary call's start to its whole message */
    uint64_t reply_timeout_ns;     /* for a client to take in a unary reply, or one of a server's stream */
    uint64_t handshake_timeout_ns; /* from accept to HTTP/2's SETTINGS */
    uint64_t idle_timeout_ns;      /* a connection without calls is closed after it */
    void (*listener_lost)(void *context); /* NULL, or called once on the loop: clients cannot connect any more */
    void *listener_lost_context;
} RpcServerOptions;

RpcServerOptions rpc_server_options_default(void);

/* Binds every address and serves from now on; each service's health is NOT_SERVING until rpc_server_set_serving.
 * The loop must run soon. Raises the limit of open files to what is allowed. On success the caller owns
 * *out_server (rpc_server_close). The loop's thread, before other threads start if there are unix sockets (umask).
 * Fails with INVALID_ARGUMENT (an option, an address), UNAVAILABLE (address in use), FAILED_PRECONDITION (not
 * permitted, path is not a socket), NO_MEMORY, INTERNAL; the message names the address and the cause. */
CHECKED Status rpc_server_open(const RpcServerOptions *options, uv_loop_t *loop, RpcServer **out_server,
                               Error *out_error);

/* The TCP port that addresses[index] got, for "127.0.0.1:0"; 1 for a unix socket. */
int rpc_server_port(const RpcServer *server, size_t index);

/* Health of one service ("headlight.v1.Inference"), of the whole server (""), or of every service and the server
 * (NULL); streams of Watch hear of it. Names that no method has are ignored. Loop thread. Without effect once
 * draining. */
void rpc_server_set_serving(RpcServer *server, const char *service, bool serving);

/* Turns health to NOT_SERVING, ends Watch streams, refuses new calls as UNAVAILABLE until none comes for 50 ms (at
 * most 500 ms), then stops listening and tells the clients to go; a call that crosses that message is CANCELLED by
 * gRPC. Every accepted call may finish; streams that are idle for a second are ended as UNAVAILABLE. After
 * `drain_ns`, counted from now, what is left is cancelled. `done` is called once on the loop, when no call is left:
 * with `cancelled`, how many calls were. Handlers and workers must still answer each message they hold. Loop thread,
 * once. */
void rpc_server_shutdown(RpcServer *server, uint64_t drain_ns, void (*done)(void *context, uint64_t cancelled),
                         void *context);

/* NULL is a no-op. Without a completed shutdown, cancels all calls and waits for those whose message somebody
 * holds: close the scheduler first. Frees the server when the loop has run once more, which it must. Loop thread.
 */
void rpc_server_close(RpcServer *server);

/* Numbers for metrics and logs. Any thread. */
typedef struct RpcServerGauge {
    uint64_t calls_live;
    uint64_t calls_total;
    uint64_t calls_rejected;  /* over calls_max or held_bytes_max, or while draining */
    uint64_t calls_cancelled; /* by the client, its deadline or its connection */
    uint64_t held_bytes;
} RpcServerGauge;

RpcServerGauge rpc_server_gauge(RpcServer *server);

enum { RPC_CODE_COUNT = 17 }; /* gRPC's status codes */

/* What became of one method's messages, health's and reflection's too. */
typedef struct RpcMethodGauge {
    const char
        *path; /* lives as long as the server, as do the durations: from a message's arrival to its answer */
    const MetricsHistogram *durations;
    uint64_t codes[RPC_CODE_COUNT];
} RpcMethodGauge;

size_t rpc_server_method_count(const RpcServer *server);
RpcMethodGauge rpc_server_method_gauge(const RpcServer *server, size_t index); /* index < the count. Any thread */
