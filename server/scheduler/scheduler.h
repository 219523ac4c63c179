/* The bounded queue between the loop and the workers, and the workers themselves. Knows costs, deadlines and flows;
 * knows nothing of models or gRPC. */
#pragma once

#include "base/clock.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stddef.h>

typedef struct Scheduler Scheduler;

/* One unit of work, embedded in its owner's memory. Filled by the owner before scheduler_submit; the scheduler's until it
 * is handed to `run` or `drop`, exactly one of the two, exactly once. */
typedef struct SchedulerJob {
    struct SchedulerJob *next;  /* the scheduler's */
    const void *batch_key;      /* jobs of one batch share it (the model); NULL: a task that runs alone */
    uint64_t flow;              /* who sent it (the connection): flows share the workers fairly */
    uint32_t token_count;       /* 0 for a task */
    uint64_t work;              /* floating-point operations, or their like */
    uint64_t deadline_ns;       /* on the scheduler's clock; 0: none */
    const atomic_bool *cancelled; /* read when the batch forms; NULL: cannot be cancelled. Lives as long as the job */
    uint64_t submitted_ns;      /* written by scheduler_submit */
} SchedulerJob;

/* Called on worker threads, without locks. */
typedef struct SchedulerCallbacks {
    void *context;
    /* Compute `count` >= 1 jobs of one batch_key. `worker` < worker_count names the workspace. */
    void (*run)(void *context, uint32_t worker, SchedulerJob *const *jobs, uint32_t count);
    /* A job that will not run: CANCELLED, DEADLINE_EXCEEDED, or UNAVAILABLE (scheduler_close). */
    void (*drop)(void *context, SchedulerJob *job, Status reason);
} SchedulerCallbacks;

typedef struct SchedulerOptions {
    uint32_t worker_count;         /* 1 .. 1024; 0 only in the simulation, which steps by itself */
    uint32_t queue_jobs_max;       /* waiting, not running */
    uint64_t queue_tokens_max;
    uint32_t batch_tokens_max;     /* no batch has more, and no job may */
    uint32_t batch_jobs_max;
    uint64_t batch_work_max;       /* a batch stops growing here; one job alone may pass it */
    uint64_t wait_max_ns;          /* the longest a batch is held back for company; 0: never */
    const Clock *clock;
} SchedulerOptions;

/* Starts the workers. On success the caller owns *out_scheduler (scheduler_close). Fails with INVALID_ARGUMENT, NO_MEMORY,
 * RESOURCE_EXHAUSTED (no thread). */
CHECKED Status scheduler_open(const SchedulerOptions *options, const SchedulerCallbacks *callbacks,
                              Scheduler **out_scheduler, Error *out_error);

/* Queues all `count` jobs or none. Any thread. Fails with RESOURCE_EXHAUSTED (the queue; retry_after_ns is the estimated
 * time until there is room), INVALID_ARGUMENT (a job larger than batch_tokens_max), UNAVAILABLE (draining);
 * a job whose deadline has passed is accepted and then dropped. */
CHECKED Status scheduler_submit(Scheduler *scheduler, SchedulerJob *const *jobs, uint32_t count, Error *out_error);

typedef struct SchedulerGauge {
    uint64_t queued_jobs;
    uint64_t queued_tokens;
    uint32_t busy_workers;
    uint64_t run_jobs;    /* since start */
    uint64_t run_batches;
    uint64_t dropped_jobs;
} SchedulerGauge;

/* A consistent snapshot. Any thread. */
SchedulerGauge scheduler_gauge(Scheduler *scheduler);

/* Refuses new jobs from now on; queued ones still run. Any thread. */
void scheduler_drain(Scheduler *scheduler);
/* Drains, drops what is still queued with UNAVAILABLE, waits for running batches and joins the workers. NULL is a
 * no-op. Not from a callback. */
void scheduler_close(Scheduler *scheduler);
