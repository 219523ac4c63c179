#include "scheduler/scheduler.h"

#include "scheduler/core.h"
#include "scheduler/workers.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The crew of the long job in one lane, and what it shares; guarded by the scheduler's lock. */
typedef struct SchedulerLane {
    Crew crew;
    Scheduler *scheduler;
    pthread_cond_t ended; /* all units that were shared */
    CrewUnit unit;
    void *context;
    uint32_t worker; /* the leader */
} SchedulerLane;

struct Scheduler {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC: the queue, units to help with, or stopping */
    bool lock_ready;
    uint32_t lanes_ready; /* lanes whose condition is there */
    SchedulerLane *lanes; /* [lane count] */
    bool stopping;        /* guarded by lock */
    Core core;            /* guarded by lock, but for the options that core_raise_limits leaves alone */
    SchedulerCallbacks callbacks;
    SchedulerJob *
        *batch_jobs; /* [worker_count + 1][batch_jobs_max]; each row its worker's, the last a lone leader's */
    Workers workers; /* of the thread that opens and stops */
};

static void scheduler_worker(void *context, uint32_t worker);
static void scheduler_share(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context);

static Status scheduler_open_lock(Scheduler *scheduler, Error *out_error)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (failed) goto fail;
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!failed) failed = pthread_cond_init(&scheduler->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed) goto fail;
    failed = pthread_mutex_init(&scheduler->lock, NULL);
    if (failed) {
        pthread_cond_destroy(&scheduler->changed);
        goto fail;
    }
    scheduler->lock_ready = true;
    return STATUS_OK;
fail:
    return error_set(out_error, STATUS_NO_MEMORY, "no lock for the scheduler: %s", strerror(failed));
}

static Status scheduler_open_lanes(Scheduler *scheduler, Error *out_error)
{
    uint32_t count = scheduler->core.lanes.count;
    scheduler->lanes = calloc(count, sizeof *scheduler->lanes);
    if (!scheduler->lanes) return error_set(out_error, STATUS_NO_MEMORY, "no memory for %u lanes", count);
    for (uint32_t i = 0; i < count; i++) {
        scheduler->lanes[i].crew.run = scheduler_share;
        scheduler->lanes[i].scheduler = scheduler;
        int failed = pthread_cond_init(&scheduler->lanes[i].ended, NULL);
        if (failed) return error_set(out_error, STATUS_NO_MEMORY, "no lock for a lane: %s", strerror(failed));
        scheduler->lanes_ready++;
    }
    return STATUS_OK;
}

Status scheduler_open(const SchedulerOptions *options, const SchedulerCallbacks *callbacks,
                      Scheduler **out_scheduler, Error *out_error)
{
    assert(callbacks->run && callbacks->drop);
    Scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler) return error_set(out_error, STATUS_NO_MEMORY, "no memory for the scheduler");
    scheduler->callbacks = *callbacks;
    Status status = core_open(&scheduler->core, options, out_error);
    if (status != STATUS_OK) goto fail;
    scheduler->batch_jobs =
        calloc(options->worker_count + (size_t)1, options->batch_jobs_max * sizeof(SchedulerJob *));
    if (!scheduler->batch_jobs) {
        status =
            error_set(out_error, STATUS_NO_MEMORY, "no memory for batches of %u jobs", options->batch_jobs_max);
        goto fail;
    }
    status = scheduler_open_lanes(scheduler, out_error);
    if (status == STATUS_OK) status = scheduler_open_lock(scheduler, out_error);
    if (status != STATUS_OK) goto fail;
    status = workers_start(&scheduler->workers, options->worker_count, scheduler_worker, scheduler, out_error);
    if (status != STATUS_OK) goto fail;
    *out_scheduler = scheduler;
    return STATUS_OK;
fail:
    scheduler_close(scheduler);
    return status;
}

/* Without the lock: `drop` may free the job, or submit another one. */
static void scheduler_drop_all(const Scheduler *scheduler, SchedulerJob *dropped)
{
    while (dropped) {
        SchedulerJob *job = dropped;
        dropped = job->next;
        scheduler->callbacks.drop(scheduler->callbacks.context, job, job->drop_reason);
    }
}

Status scheduler_submit(Scheduler *scheduler, SchedulerJob *const *jobs, uint32_t count, Error *out_error)
{
    SchedulerJob *dropped = NULL;
    pthread_mutex_lock(&scheduler->lock);
    Status status = core_submit(&scheduler->core, jobs, count, &dropped, out_error);
    uint32_t wanted_count = status == STATUS_OK ? core_wanted_workers(&scheduler->core) : 0;
    for (uint32_t i = 0; i < wanted_count; i++) pthread_cond_signal(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->lock);
    scheduler_drop_all(scheduler, dropped);
    return status;
}

void scheduler_raise_limits(Scheduler *scheduler, uint64_t batch_work, uint32_t job_tokens)
{
    pthread_mutex_lock(&scheduler->lock);
    core_raise_limits(&scheduler->core, batch_work, job_tokens);
    pthread_mutex_unlock(&scheduler->lock);
}

uint32_t scheduler_lane_count(uint32_t worker_count)
{
    return lanes_count(worker_count);
}

SchedulerGauge scheduler_gauge(Scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    SchedulerGauge gauge = core_gauge(&scheduler->core);
    pthread_mutex_unlock(&scheduler->lock);
    return gauge;
}

void scheduler_drain(Scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->core.draining = true;
    pthread_cond_broadcast(&scheduler->changed); /* nobody is held back for company any more */
    pthread_mutex_unlock(&scheduler->lock);
}

void scheduler_stop(Scheduler *scheduler)
{
    SchedulerJob *dropped = NULL;
    pthread_mutex_lock(&scheduler->lock);
    scheduler->core.draining = true;
    scheduler->stopping = true;
    core_clear(&scheduler->core, &dropped);
    pthread_cond_broadcast(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->lock);
    scheduler_drop_all(scheduler, dropped);
    workers_join(&scheduler->workers);
}

void scheduler_close(Scheduler *scheduler)
{
    if (!scheduler) return;
    if (scheduler->lock_ready) {
        scheduler_stop(scheduler);
        pthread_mutex_destroy(&scheduler->lock);
        pthread_cond_destroy(&scheduler->changed);
    }
    while (scheduler->lanes_ready > 0) pthread_cond_destroy(&scheduler->lanes[--scheduler->lanes_ready].ended);
    core_close(&scheduler->core);
    free(scheduler->lanes);
    free(scheduler->batch_jobs);
    free(scheduler);
}

/* Sleeps until something changes, or until `until_ns` on the scheduler's clock (0: without end). Holds the lock.
 */
static void scheduler_sleep(Scheduler *scheduler, uint64_t until_ns)
{
    if (until_ns == 0) {
        pthread_cond_wait(&scheduler->changed, &scheduler->lock);
        return;
    }
    uint64_t now_ns = clock_now_ns(scheduler->core.options.clock);
    if (until_ns <= now_ns) return;
    uint64_t wake_ns = clock_now_ns(&clock_monotonic) + (until_ns - now_ns);
    struct timespec wake = {.tv_sec = (time_t)(wake_ns / NS_PER_S), .tv_nsec = (long)(wake_ns % NS_PER_S)};
    pthread_cond_timedwait(&scheduler->changed, &scheduler->lock, &wake);
}

/* ---- long jobs ---- */

/* Runs a batch that has formed; holds the lock before and after, not meanwhile. */
static void scheduler_run(Scheduler *scheduler, uint32_t worker, const CoreBatch *batch, SchedulerJob *dropped)
{
    uint32_t count = batch->sum.job_count;
    SchedulerLane *lane = batch->lane == SCHEDULER_NO_LANE ? NULL : &scheduler->lanes[batch->lane];
    if (lane) lane->worker = worker;
    pthread_mutex_unlock(&scheduler->lock);
    scheduler_drop_all(scheduler, dropped);
    if (count > 0)
        scheduler->callbacks.run(scheduler->callbacks.context,
                                 &(SchedulerBatch){.jobs = batch->jobs,
                                                   .count = count,
                                                   .worker = worker,
                                                   .lane = batch->lane,
                                                   .crew = lane ? &lane->crew : NULL});
    pthread_mutex_lock(&scheduler->lock);
    if (count > 0) core_finish(&scheduler->core, batch);
}

/* The only worker runs a batch of others before the next unit of the job that it leads. Holds the lock. */
static void scheduler_lead_off(Scheduler *scheduler, uint32_t worker)
{
    if (!core_lead_off(&scheduler->core)) return;
    CoreBatch batch = {.jobs = scheduler->batch_jobs + (size_t)scheduler->core.options.worker_count *
                                                           scheduler->core.options.batch_jobs_max};
    SchedulerJob *dropped = NULL;
    uint64_t wait_until_ns;
    core_begin(&scheduler->core, &batch, &wait_until_ns, &dropped);
    if (batch.sum.job_count > 0 || dropped) scheduler_run(scheduler, worker, &batch, dropped);
    core_lead_on(&scheduler->core);
}

/* What the crew of a long job is to its leader. */
static void scheduler_share(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context)
{
    SchedulerLane *lane = (SchedulerLane *)((char *)(uintptr_t)crew - offsetof(SchedulerLane, crew));
    Scheduler *scheduler = lane->scheduler;
    Lanes *lanes = &scheduler->core.lanes;
    uint32_t index = (uint32_t)(lane - scheduler->lanes);
    uint32_t own;
    pthread_mutex_lock(&scheduler->lock);
    lane->unit = unit;
    lane->context = context;
    lanes_share(lanes, index, unit_count);
    uint32_t wanted_count = core_wanted_helpers(&scheduler->core, unit_count);
    for (uint32_t i = 0; i < wanted_count; i++) pthread_cond_signal(&scheduler->changed);
    while (lanes_take_unit(lanes, index, &own)) {
        pthread_mutex_unlock(&scheduler->lock);
        unit(context, own, CREW_LEADER);
        pthread_mutex_lock(&scheduler->lock);
        if (!lanes_end_unit(lanes, index)) scheduler_lead_off(scheduler, lane->worker);
    }
    while (lanes_is_sharing(lanes, index)) pthread_cond_wait(&lane->ended, &scheduler->lock);
    pthread_mutex_unlock(&scheduler->lock);
}

/* Takes one unit of a long job, if there is one. Holds the lock before and after, not meanwhile. */
static bool scheduler_help(Scheduler *scheduler, uint32_t worker)
{
    CoreHelp help;
    if (!core_help(&scheduler->core, &help)) return false;
    SchedulerLane *lane = &scheduler->lanes[help.lane];
    CrewUnit unit = lane->unit;
    void *context = lane->context;
    pthread_mutex_unlock(&scheduler->lock);
    unit(context, help.unit, worker);
    pthread_mutex_lock(&scheduler->lock);
    if (core_help_end(&scheduler->core, &help)) pthread_cond_signal(&lane->ended);
    return true;
}

/* The whole life of one worker. */
static void scheduler_worker(void *context, uint32_t worker)
{
    Scheduler *scheduler = context;
    CoreBatch batch = {.jobs = scheduler->batch_jobs + (size_t)worker * scheduler->core.options.batch_jobs_max};
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->stopping) {
        SchedulerJob *dropped = NULL;
        uint64_t wait_until_ns;
        bool formed = core_begin(&scheduler->core, &batch, &wait_until_ns, &dropped);
        if (formed || dropped)
            scheduler_run(scheduler, worker, &batch, dropped);
        else if (wait_until_ns != 0 || !scheduler_help(scheduler, worker))
            scheduler_sleep(scheduler, wait_until_ns);
    }
    pthread_mutex_unlock(&scheduler->lock);
}
