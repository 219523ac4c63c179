/* A fixed set of threads that run one function each until it returns. */
#pragma once

#include "base/status.h"

#include <pthread.h>

typedef struct Workers Workers;

typedef struct WorkersThread {
    pthread_t thread;
    Workers *workers;
    uint32_t index;
} WorkersThread;

/* Started and joined by one thread. */
struct Workers {
    WorkersThread *threads; /* [count] */
    uint32_t started_count;
    void (*body)(void *context, uint32_t index);
    void *context;
};

/* Starts `count` threads, each running body(context, index), with all signals blocked: they are the loop's. On
 * failure some may run: the caller makes their bodies return, then calls workers_join, as after success. `workers`
 * stays where it is until then. Fails with NO_MEMORY, RESOURCE_EXHAUSTED (no thread). */
CHECKED Status workers_start(Workers *workers, uint32_t count, void (*body)(void *context, uint32_t index),
                             void *context, Error *out_error);
/* Waits until every body has returned. A zeroed or joined one is a no-op. */
void workers_join(Workers *workers);
