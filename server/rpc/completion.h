/* The completion thread: blocks in gRPC's queue, which also drives all of its input and output, and calls each
 * tag. */
#pragma once

#include "base/status.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What is started on the queue; embedded in its owner, which lives until `done` was called. */
typedef struct RpcTag {
    void (*done)(struct RpcTag *tag, bool ok); /* on the completion thread */
    void *owner;
    atomic_bool ready;
} RpcTag;

/* Fills a tag. What its owner wrote before is seen by `done`: gRPC's queue sees to that by itself, but only this
 * pair of release and acquire can be read in our code, and by tools that check it. */
static inline void rpc_tag_set(RpcTag *tag, void (*done)(RpcTag *tag, bool ok), void *owner)
{
    tag->done = done;
    tag->owner = owner;
    atomic_store_explicit(&tag->ready, true, memory_order_release);
}

typedef struct RpcCompletion {
    grpc_completion_queue *queue;
    pthread_t thread;
    bool running;
} RpcCompletion;

/* Makes the queue and starts its thread. Fails with RESOURCE_EXHAUSTED (no thread). */
CHECKED Status rpc_completion_open(RpcCompletion *completion, Error *out_error);
/* Waits until every started tag was called, ends the thread and frees the queue. Nothing may be started any more:
 * gRPC aborts on it. A zeroed one is a no-op. */
void rpc_completion_close(RpcCompletion *completion);
