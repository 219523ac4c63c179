/* The completion thread: blocks in gRPC's queue, which also drives all of its input and output, and calls each
 * tag. */
#pragma once

#include "base/status.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdbool.h>

/* What is started on the queue; embedded in its owner, which lives until `done` was called. */
typedef struct RpcTag {
    void (*done)(struct RpcTag *tag, bool ok); /* on the completion thread */
    void *owner;
} RpcTag;

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
