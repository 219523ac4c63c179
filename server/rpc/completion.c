#include "rpc/completion.h"

#include <assert.h>
#include <string.h>

static void *completion_run(void *context)
{
    grpc_completion_queue *queue = context;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) return NULL;
        if (event.type != GRPC_OP_COMPLETE) continue;
        RpcTag *tag = event.tag;
        bool ready = atomic_load_explicit(&tag->ready, memory_order_acquire);
        assert(ready);
        (void)ready;
        tag->done(tag, event.success);
    }
}

Status rpc_completion_open(RpcCompletion *completion, Error *out_error)
{
    completion->queue = grpc_completion_queue_create_for_next(NULL);
    int failed = pthread_create(&completion->thread, NULL, completion_run, completion->queue);
    if (failed) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "no thread for the server: %s", strerror(failed));
    }
    completion->running = true;
    pthread_setname_np(completion->thread, "completion");
    return STATUS_OK;
}

void rpc_completion_close(RpcCompletion *completion)
{
    if (!completion->queue) return;
    grpc_completion_queue_shutdown(completion->queue);
    if (completion->running) {
        pthread_join(completion->thread, NULL);
    } else {
        completion_run(completion->queue); /* takes the end out of the queue, which may not be destroyed before */
    }
    grpc_completion_queue_destroy(completion->queue);
    *completion = (RpcCompletion){0};
}
