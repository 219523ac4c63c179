#include "scheduler/workers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_NAME_BYTES = 16 }; /* the kernel's limit */

static void *workers_main(void *argument)
{
    const WorkersThread *self = argument;
    char name[WORKERS_NAME_BYTES];
    snprintf(name, sizeof name, "worker-%u", self->index % 10000);
    pthread_setname_np(pthread_self(), name);
    self->workers->body(self->workers->context, self->index);
    return NULL;
}

static Status workers_start_all(Workers *workers, uint32_t count, Error *out_error)
{
    for (uint32_t i = 0; i < count; i++) {
        WorkersThread *thread = &workers->threads[i];
        *thread = (WorkersThread){.workers = workers, .index = i};
        int failed = pthread_create(&thread->thread, NULL, workers_main, thread);
        if (failed) {
            return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "worker thread %u of %u: %s", i + 1, count,
                             strerror(failed));
        }
        workers->started_count++;
    }
    return STATUS_OK;
}

Status workers_start(Workers *workers, uint32_t count, void (*body)(void *context, uint32_t index), void *context,
                     Error *out_error)
{
    *workers = (Workers){
        .threads = calloc(count, sizeof *workers->threads),
        .body = body,
        .context = context,
    };
    if (!workers->threads) return error_set(out_error, STATUS_NO_MEMORY, "no memory for %u workers", count);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of its own doing: blocked, it would end the process without a word */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    Status status = workers_start_all(workers, count, out_error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

void workers_join(Workers *workers)
{
    while (workers->started_count > 0) pthread_join(workers->threads[--workers->started_count].thread, NULL);
    free(workers->threads);
    workers->threads = NULL;
}
