/* What the files of the transport share: the server, its calls and their messages. Nothing outside rpc/ includes
 * it. */
#pragma once

#include "base/mailbox.h"
#include "base/metrics.h"
#include "rpc/call.h"
#include "rpc/completion.h"
#include "rpc/server.h"
#include "rpc/verdict.h"

typedef struct RpcCall RpcCall;
typedef struct RpcHealth RpcHealth;
typedef struct RpcReflection RpcReflection;
typedef struct RpcListeners RpcListeners;

/* Something to run on the loop, posted by another thread; embedded in its owner, which lives until it ran. */
typedef struct RpcLoopItem {
    MailboxItem item;
    void (*run)(void *owner);
    void *owner;
} RpcLoopItem;

/* What became of a method's messages. Any thread. */
typedef struct RpcCounters {
    MetricsHistogram durations;
    atomic_uint_fast64_t codes[RPC_CODE_COUNT];
} RpcCounters;

/* A registered method; `row` NULL: the catch-all for unknown ones. */
typedef struct RpcSlot {
    RpcServer *server;
    const RpcMethod *row;
    RpcCounters *counters; /* NULL where row is */
    void *registration;    /* gRPC's */
    bool reserved;         /* health: answers beyond calls_max, or probes would kill a busy server */
} RpcSlot;

typedef enum RpcPhase {
    RPC_ARMED,  /* waits for a client; gRPC owns it */
    RPC_OPEN,   /* messages come and go */
    RPC_ENDING, /* the status is on its way; nothing more is started */
    RPC_CLOSED, /* the client knows the status, or is gone; nothing more is started */
} RpcPhase;

typedef enum RpcMessageState {
    RPC_PENDING, /* a handler, the queue or a worker has it */
    RPC_REPLIED, /* `reply` waits for its turn */
    RPC_FAILED,  /* `verdict` ends the call when its turn comes */
} RpcMessageState;

struct RpcMessage {
    RpcLoopItem arrival;
    RpcCall *call;    /* a reference */
    RpcMessage *next; /* with state, reply, verdict: guarded by call->lock */
    RpcMessageState state;
    grpc_slice reply;
    RpcVerdict verdict;

    /* The request: of whoever has the message. */
    grpc_byte_buffer *received;
    grpc_slice wire;
    uint8_t *inflated;
    size_t wire_size;
    uint64_t held_bytes; /* counted in the server's */
    uint64_t arrived_ns;
    void *note; /* its handler's */
    Arena arena;
};

/* One RPC. See call.c for its life. */
struct RpcCall {
    RpcServer *server;
    const RpcSlot *slot;
    grpc_call *core; /* set once accepted; gRPC frees it with our last reference */
    RpcTag accepted;
    RpcTag closed;
    RpcTag received;
    RpcTag sent;
    RpcTag ended;
    RpcLoopItem progress;
    atomic_uint references; /* one for each started tag, each message, each posted item */
    RpcCall *previous;      /* the server's list of live calls: guarded by server->lock */
    RpcCall *next;

    /* Written before the call is seen by another thread. */
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_call_details details; /* of unknown methods only */
    uint64_t deadline_ns;
    uint64_t flow;

    atomic_bool cancelled; /* nobody wants the answers any more */
    /* When the sweep must look at this call: a body or a client that took too long. 0: never. */
    atomic_uint_fast64_t expires_ns;
    atomic_uint_fast64_t idle_since_ns; /* a stream without unanswered messages; 0: busy, or none */
    RpcMessage *pushing;                /* loop thread: the message of a server stream while its handler has it */

    pthread_mutex_t lock; /* guards what follows, and serializes grpc_call_start_batch */
    RpcPhase phase;
    bool receiving;   /* a RECV_MESSAGE is outstanding */
    bool sending;     /* a SEND_MESSAGE is outstanding */
    bool half_closed; /* the client sends no more */
    bool greeted;     /* initial metadata is sent */
    bool progress_posted;
    uint32_t message_count; /* received, ever; saturates */
    uint32_t unanswered;    /* messages in the list below, and the one being sent */
    RpcMessage *first;      /* in order of arrival */
    RpcMessage *last;
    RpcMessage *garbage; /* to be freed by call_unlock, without the lock */
    int was_cancelled;   /* written by gRPC before `closed` */
    grpc_byte_buffer *incoming;
    grpc_byte_buffer *outgoing;
    RpcVerdict verdict;
    grpc_metadata trailer;
};

struct RpcServer {
    RpcServerOptions options; /* its pointers are cleared: nothing of the caller's is kept */
    RpcMethod *methods;       /* [method_count] the caller's, health's and reflection's */
    RpcSlot *slots;           /* [method_count + 1], the last is the catch-all */
    RpcCounters *counters;    /* [method_count] */
    size_t method_count;
    RpcListeners *listeners;
    RpcHealth *health;
    RpcReflection *reflection;
    grpc_server *core;
    bool core_initialized;
    bool started;
    RpcCompletion completion;

    /* Loop thread. */
    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t sweep;
    uv_timer_t drain;
    unsigned handle_count;
    Mailbox mailbox;
    bool mailbox_open;
    bool draining;
    bool closing; /* messages that arrive now are not handled any more */
    void (*drained)(void *context, uint64_t cancelled);
    void *drained_context;
    uint64_t drain_begin_ns;
    uint64_t drain_end_ns;
    uint64_t drain_cancelled;
    bool going_down; /* gRPC was told to */

    RpcTag core_down; /* gRPC has stopped: after grpc_server_shutdown_and_notify */
    RpcLoopItem finished_item;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t quiet; /* finished became true */
    RpcCall *calls;
    uint32_t live_count;
    uint32_t armed_count;
    bool is_core_down;
    bool finished; /* gRPC is down and no call is left */

    atomic_bool refusing; /* new calls: draining */
    atomic_uint_fast64_t last_call_ns;
    atomic_uint_fast64_t calls_total;
    atomic_uint_fast64_t calls_rejected;
    atomic_uint_fast64_t calls_cancelled;
    atomic_uint_fast64_t held_bytes;
};

/* call.c */

/* A call that waits for a client of `slot`'s method, with the reference of its `accepted` tag; NULL: out of
 * memory. */
RpcCall *call_create(RpcServer *server, const RpcSlot *slot);
/* gRPC gave it a client. With `refusal` it is only told that; otherwise its first message is asked for. Completion
 * thread. */
void call_accept(RpcCall *call, const Error *refusal);
void call_retain(RpcCall *call);
/* As call_retain, unless the last reference is already gone. */
bool call_retain_if_live(RpcCall *call);
void call_release(RpcCall *call); /* any thread; may free it */
/* The lock, and what advances under it. call_unlock frees what became garbage meanwhile. */
void call_lock(RpcCall *call);
void call_unlock(RpcCall *call);
/* Starts whatever the state allows now. Under the lock. */
void call_advance(RpcCall *call);
/* Sends a reply of a server stream, whose slice it takes over. Under the lock. */
void call_push(RpcCall *call, grpc_slice reply);
/* Has the handler of a server stream told, on the loop. Any thread. */
void call_wake(RpcCall *call);
/* Ends an open call with `error`, before its pending messages: a timeout. Any thread. */
void call_end(RpcCall *call, const Error *error);
/* Looks at a call for the sweep: ends it when a body or a client took too long, or when the server drains and the
 * stream is idle. Any thread. */
void call_expire(RpcCall *call, uint64_t now_ns, bool draining);

/* message.c */

/* Of `buffer`, which it takes over also on failure (NULL: out of memory), with a reference on `call`; may be
 * FAILED at once when the server holds too much. */
RpcMessage *message_create(RpcCall *call, grpc_byte_buffer *buffer);
void message_free(RpcMessage *message);

/* accept.c */

enum { ACCEPT_ARMED_COUNT = 64 }; /* calls of one method that gRPC may hand over at once; refilled one by one */

/* One more client of `slot` may come. Failing, which is logged, costs one of ACCEPT_ARMED_COUNT places. Any
 * thread. */
void accept_arm(RpcServer *server, const RpcSlot *slot);
/* What a call does at its end: out of the list before gRPC's part is freed, and, the last thing, no longer live.
 * Any thread. */
void accept_unlist(RpcServer *server, RpcCall *call);
void accept_forget(RpcServer *server);
/* Whether `finished` became true just now: then the caller posts finished_item. Under server->lock. */
void accept_check_finished(RpcServer *server, bool *out_now);

/* server.c */

void rpc_server_post(RpcServer *server, RpcLoopItem *item); /* any thread */
void rpc_server_run_items(RpcServer *server);               /* what was posted; loop thread */
