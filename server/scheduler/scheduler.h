/* The bounded queue between the loop and the workers, and the workers themselves. Knows costs, deadlines and
 * flows; knows nothing of models or gRPC.
 *
 * Long jobs, of more than long_tokens, are a class of their own. At most one for eight workers, or a part of them, runs
 * at a time, each in a lane; the worker that leads it shares its units with those that have nothing else to do. A
 * worker looks at the queue before each unit, so whoever waits for a helping worker waits for one unit at most.
 *
 * Promises (proofs in queue.h and policy.h, checked by tests/simulation):
 *   once        each submitted job is handed to `run` or to `drop`, exactly one of them, exactly once; each unit is run
 *               once, before the crew's run returns
 *   order       jobs of one flow start in the order of their submission, those of each class
 *   fairness    flows that wait at the same time get the same work of a class done, up to a few jobs
 *   starvation  the work of its class that is started before a job is bounded, whatever others send: by N (A + 4 S +
 *               3 w), with N flows known, A the work before it in its own flow, S = batch_work_max, w the largest job.
 *               Neither class waits for the other: a long job takes the first worker that comes free when a lane is;
 *               of two workers and more, most lead no long job; one alone runs a batch of others between two units
 *   idleness    no worker is idle while a job waits that may run, or a unit, except for wait_max_ns (policy.h says when
 *               that pays)
 *   no waste    a job that is cancelled or expired when its batch forms is dropped, not run
 *   background  steps (scheduler_step) run where nobody else has anything to do for a worker; of two workers and more,
 *               one is never theirs. While others wait, the workers' time that goes into steps is at most
 *               background_percent of all their time, and besides what the steps take that had begun (backlog.h); that
 *               much they get. Connections share it fairly
 *   bounds      queue_jobs_max, queue_tokens_max; after scheduler_open nothing is allocated */
#pragma once

#include "base/clock.h"
#include "base/crew.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stddef.h>

typedef struct Scheduler Scheduler;

/* Limits of the limits: 1,024 workers are more than any board has cores; the table of 2^20 jobs takes 128 MiB; a
 * job of 2^52 operations runs for an hour at 1 TFLOP/s. */
#define SCHEDULER_WORKER_COUNT_LIMIT 1024u
#define SCHEDULER_QUEUE_JOBS_LIMIT (1u << 20)
#define SCHEDULER_JOB_WORK_LIMIT ((uint64_t)1 << 52)
/* With more, others would be in the background. */
#define SCHEDULER_BACKGROUND_PERCENT_LIMIT 90u

/* One unit of work, embedded in its owner's memory. Filled by the owner before scheduler_submit; the scheduler's
 * until it is handed to `run` or `drop`, exactly one of the two, exactly once. */
typedef struct SchedulerJob {
    struct SchedulerJob *next; /* the scheduler's */
    const void *batch_key;     /* jobs of one batch share it (the model); NULL: a task that runs alone */
    uint64_t flow;             /* who sent it (the connection): flows share the workers fairly */
    uint32_t token_count;      /* 0 for a task */
    uint64_t work;             /* floating-point operations, or their like */
    uint64_t deadline_ns;      /* on the scheduler's clock; 0: none */
    const atomic_bool
        *cancelled;        /* read when the batch forms; NULL: cannot be cancelled. Lives as long as the job */
    uint64_t submitted_ns; /* written by scheduler_submit */
    uint64_t place;        /* of scheduler_step: 0 before the first; the scheduler's */
    Status drop_reason;    /* the scheduler's */
} SchedulerJob;

#define SCHEDULER_NO_LANE UINT32_MAX

/* What one worker runs at a time. A long job is alone, in a lane of its own, and its work may be shared: the crew's
 * members are the workers by their index. Whoever runs or helps with one may be given a batch of others by the crew's
 * run and pause. So `worker` names room for a batch, which no unit may touch, and `lane` room for a long job. */
typedef struct SchedulerBatch {
    SchedulerJob *const *jobs; /* of one batch_key, oldest of their flow first */
    uint32_t count;            /* at least 1 */
    uint32_t worker;           /* < worker_count */
    uint32_t lane;             /* < scheduler_lane_count; SCHEDULER_NO_LANE: no long job */
    const Crew *crew;          /* NULL: no long job */
    bool background;           /* a step, alone */
} SchedulerBatch;

/* Called without locks. Both may submit further jobs; neither may call scheduler_stop or scheduler_close. */
typedef struct SchedulerCallbacks {
    void *context;
    /* Compute a batch, on a worker's thread. The batch is the scheduler's, each job the owner's again. */
    void (*run)(void *context, const SchedulerBatch *batch);
    /* A job that will not run: CANCELLED, DEADLINE_EXCEEDED, or UNAVAILABLE (scheduler_stop). A worker's thread,
     * or that of scheduler_submit (for jobs queued before, never for its own) or of scheduler_stop. */
    void (*drop)(void *context, SchedulerJob *job, Status reason);
} SchedulerCallbacks;

typedef struct SchedulerOptions {
    uint32_t worker_count;        /* 1 .. SCHEDULER_WORKER_COUNT_LIMIT */
    uint32_t queue_jobs_max;      /* waiting, not running; 1 .. SCHEDULER_QUEUE_JOBS_LIMIT */
    uint64_t queue_tokens_max;    /* at least batch_tokens_max; likewise */
    uint32_t batch_tokens_max;    /* a batch stops growing here; one job alone may pass it */
    uint32_t long_tokens;         /* a job with more is long: it takes a lane. 0: no job is */
    uint32_t batch_jobs_max;      /* 1 .. queue_jobs_max */
    uint64_t batch_work_max;      /* likewise; scheduler_raise_limits may raise it */
    uint64_t wait_max_ns;         /* the longest a batch is held back for company; 0: never */
    uint32_t background_jobs_max; /* with a place in the background, 0 .. SCHEDULER_QUEUE_JOBS_LIMIT */
    uint32_t background_percent;  /* 1 .. SCHEDULER_BACKGROUND_PERCENT_LIMIT, where there are any */
    const Clock *clock;           /* outlives the scheduler */
} SchedulerOptions;

/* Starts the workers. On success the caller owns *out_scheduler (scheduler_close). Fails with INVALID_ARGUMENT (an
 * option out of its range), NO_MEMORY, RESOURCE_EXHAUSTED (no thread). */
CHECKED Status scheduler_open(const SchedulerOptions *options, const SchedulerCallbacks *callbacks,
                              Scheduler **out_scheduler, Error *out_error);

/* Queues all `count` >= 1 jobs or none. Any thread, without a lock that the callbacks take: `drop` may be called
 * from here, and the jobs may have run before it returns. A job whose deadline has passed is accepted and then dropped.
 * Fails with RESOURCE_EXHAUSTED (the queue is full; retry_after_ns is the estimated time until there is room, 1 ms to
 * 10 s), INVALID_ARGUMENT (it never fits: more jobs or tokens than the empty queue takes, a job larger than
 * SCHEDULER_JOB_WORK_LIMIT), UNAVAILABLE (draining). */
CHECKED Status scheduler_submit(Scheduler *scheduler, SchedulerJob *const *jobs, uint32_t count, Error *out_error);

/* Places for `count` >= 1 jobs in the background, where work is done in steps: each is a job that runs alone, as short
 * as a batch, and comes back for the next. Any thread. Fails with RESOURCE_EXHAUSTED (retry_after_ns is a guess),
 * INVALID_ARGUMENT (more than background_jobs_max), UNAVAILABLE (draining). */
CHECKED Status scheduler_reserve(Scheduler *scheduler, uint32_t count, Error *out_error);
/* Gives `count` places back, whose jobs are not queued. Any thread. */
void scheduler_release(Scheduler *scheduler, uint32_t count);
/* Queues the next step of a job that has a place: cannot fail. `place` being as the last step left it, the job stands
 * where it stood among those of its flow. As scheduler_submit, but that `drop` may be called for this very job, before
 * the return, once scheduler_stop has been called. */
void scheduler_step(Scheduler *scheduler, SchedulerJob *job);

/* For a model that comes later: raises batch_work_max to `batch_work`, and queue_tokens_max to `job_tokens`, so that
 * its longest text fits. Lower ones change nothing. Any thread. */
void scheduler_raise_limits(Scheduler *scheduler, uint64_t batch_work, uint32_t job_tokens);

/* How many long jobs at most run at a time. */
uint32_t scheduler_lane_count(uint32_t worker_count);

typedef struct SchedulerGauge {
    uint64_t queued_jobs;
    uint64_t queued_tokens;
    uint32_t busy_workers;
    uint64_t run_jobs; /* since start */
    uint64_t run_batches;
    uint64_t dropped_jobs;
    uint64_t refused_jobs;    /* RESOURCE_EXHAUSTED */
    uint32_t background_jobs; /* that have a place */
    uint64_t steps;           /* since start, as the rest; in no number above but busy_workers and dropped_jobs */
    uint64_t steps_ns;        /* of workers */
    uint64_t steps_ahead_ns;  /* of it, while others waited */
} SchedulerGauge;

/* A consistent snapshot. Any thread. */
SchedulerGauge scheduler_gauge(Scheduler *scheduler);

/* Refuses new jobs from now on, drops what is still queued with UNAVAILABLE, waits for running batches and joins the
 * workers. Other threads may still submit, and get UNAVAILABLE. Not from a callback; the second call is a no-op, but
 * not at the same time. */
void scheduler_stop(Scheduler *scheduler);
/* Stops and frees; no other call on this scheduler may be under way or follow. NULL is a no-op. Not from a
 * callback. */
void scheduler_close(Scheduler *scheduler);
