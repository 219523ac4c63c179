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
    CrewUnit unit;
    void *context;
    uint32_t worker; /* the leader */
    bool is_step;    /* that runs in it */
} SchedulerLane;

struct Scheduler {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC: the queue, units to help with, or stopping */
    bool lock_ready;

    SchedulerLane *lanes; /* [lane count] */
    bool stopping;        /* guarded by lock: no job is queued any more */
    Core core;            /* guarded by lock, but for the options that core_raise_limits leaves alone */
    SchedulerCallbacks callbacks;
    /* [2 * worker_count][batch_jobs_max]: each worker's row, then each one's within a long job. */
    SchedulerJob **batch_jobs;
    Workers workers; /* of the thread that opens and stops */
};

static void scheduler_worker(void *context, uint32_t worker);
static void scheduler_share(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context);
static void scheduler_pause(const Crew *crew, uint32_t member);

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
        scheduler->lanes[i].crew = (Crew){.run = scheduler_share, .pause = scheduler_pause};
        scheduler->lanes[i].scheduler = scheduler;
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
        calloc(2 * (size_t)options->worker_count, options->batch_jobs_max * sizeof(SchedulerJob *));
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

/* Wakes `count` workers; all of them while leaders rest, which could be the ones to wake and cannot do all that the
 * idle can. Holds the lock. */
static void scheduler_wake(Scheduler *scheduler, uint32_t count)
{
    if (scheduler->core.resting_count > 0) {
        pthread_cond_broadcast(&scheduler->changed);
        return;
    }
    for (uint32_t i = 0; i < count; i++) pthread_cond_signal(&scheduler->changed);
}

/* A worker begins something. Holds the lock. */
static void scheduler_wake_besides(Scheduler *scheduler, bool began_step)
{
    uint32_t count = core_wanted_besides(&scheduler->core, began_step);
    if (count > 0) scheduler_wake(scheduler, count);
}

Status scheduler_submit(Scheduler *scheduler, SchedulerJob *const *jobs, uint32_t count, Error *out_error)
{
    SchedulerJob *dropped = NULL;
    pthread_mutex_lock(&scheduler->lock);
    Status status = core_submit(&scheduler->core, jobs, count, &dropped, out_error);
    /* Also where it is refused: a step may have been stuck behind one that was dropped. */
    scheduler_wake(scheduler, core_wanted_workers(&scheduler->core));
    pthread_mutex_unlock(&scheduler->lock);
    scheduler_drop_all(scheduler, dropped);
    return status;
}

Status scheduler_reserve(Scheduler *scheduler, uint32_t count, Error *out_error)
{
    pthread_mutex_lock(&scheduler->lock);
    Status status = core_reserve(&scheduler->core, count, out_error);
    pthread_mutex_unlock(&scheduler->lock);
    return status;
}

void scheduler_release(Scheduler *scheduler, uint32_t count)
{
    pthread_mutex_lock(&scheduler->lock);
    core_release(&scheduler->core, count);
    pthread_mutex_unlock(&scheduler->lock);
}

void scheduler_step(Scheduler *scheduler, SchedulerJob *job)
{
    pthread_mutex_lock(&scheduler->lock);
    bool late = scheduler->stopping;
    if (!late) {
        core_step(&scheduler->core, job);
        scheduler_wake(scheduler, core_wanted_workers(&scheduler->core));
    }
    pthread_mutex_unlock(&scheduler->lock);
    if (late) scheduler->callbacks.drop(scheduler->callbacks.context, job, STATUS_UNAVAILABLE);
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

static void scheduler_run(Scheduler *scheduler, uint32_t worker, const CoreBatch *batch, SchedulerJob *dropped)
{
    uint32_t count = batch->sum.job_count;
    SchedulerLane *lane = batch->lane == SCHEDULER_NO_LANE ? NULL : &scheduler->lanes[batch->lane];
    scheduler_wake_besides(scheduler, batch->is_step);
    if (lane) lane->worker = worker;
    if (lane) lane->is_step = batch->is_step;
    pthread_mutex_unlock(&scheduler->lock);
    scheduler_drop_all(scheduler, dropped);
    if (count > 0)
        scheduler->callbacks.run(scheduler->callbacks.context, &(SchedulerBatch){.jobs = batch->jobs,
                                                                                 .count = count,
                                                                                 .worker = worker,
                                                                                 .lane = batch->lane,
                                                                                 .crew = lane ? &lane->crew : NULL,
                                                                                 .background = batch->is_step});
    pthread_mutex_lock(&scheduler->lock);
}

/* ---- long jobs ---- */

/* Runs a batch of others within a long job's; true when there was something to do. Holds the lock before and after, not
 * meanwhile. */
static bool scheduler_run_between(Scheduler *scheduler, uint32_t worker)
{
    size_t row = scheduler->core.options.worker_count + (size_t)worker;
    CoreBatch batch = {.jobs = scheduler->batch_jobs + row * scheduler->core.options.batch_jobs_max};
    SchedulerJob *dropped = NULL;
    bool formed = core_begin_between(&scheduler->core, &batch, &dropped);
    if (!formed && !dropped) return false;
    scheduler_run(scheduler, worker, &batch, dropped);
    if (formed) core_end_between(&scheduler->core, &batch);
    return true;
}

/* Between two units of a long job: a lone worker runs a batch of others, and a step lets them all go first while it
 * owes them time. Holds the lock before and after. */
static void scheduler_look_up(Scheduler *scheduler, const SchedulerLane *lane)
{
    Core *core = &scheduler->core;
    if (!lane->is_step) {
        if (core->options.worker_count == 1) scheduler_run_between(scheduler, lane->worker);
        return;
    }
    if (!core_gives_way(core)) return;
    while (core_goes_behind(core) && scheduler_run_between(scheduler, lane->worker)) continue;
    core_go_on(core);
}

static SchedulerLane *scheduler_lane(const Crew *crew)
{
    return (SchedulerLane *)((char *)(uintptr_t)crew - offsetof(SchedulerLane, crew));
}

/* What the crew of a long job is to its leader, who looks at the queue once nothing is left to take. */
static void scheduler_share(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context)
{
    SchedulerLane *lane = scheduler_lane(crew);
    Scheduler *scheduler = lane->scheduler;
    Core *core = &scheduler->core;
    uint32_t index = (uint32_t)(lane - scheduler->lanes);
    uint32_t own;
    pthread_mutex_lock(&scheduler->lock);
    lane->unit = unit;
    lane->context = context;
    lanes_share(&core->lanes, index, unit_count);
    scheduler_wake(scheduler, core_wanted_helpers(core, unit_count));
    while (lanes_take_unit(&core->lanes, index, &own)) {
        pthread_mutex_unlock(&scheduler->lock);
        unit(context, own, CREW_LEADER);
        pthread_mutex_lock(&scheduler->lock);
        lanes_end_unit(&core->lanes, index);
        scheduler_look_up(scheduler, lane);
    }
    while (lanes_is_sharing(&core->lanes, index)) {
        if (scheduler_run_between(scheduler, lane->worker)) continue;
        core->resting_count++;
        pthread_cond_wait(&scheduler->changed, &scheduler->lock);
        core->resting_count--;
    }
    pthread_mutex_unlock(&scheduler->lock);
}

/* Within a unit of another's long job. */
static void scheduler_pause(const Crew *crew, uint32_t member)
{
    Scheduler *scheduler = scheduler_lane(crew)->scheduler;
    pthread_mutex_lock(&scheduler->lock);
    scheduler_run_between(scheduler, member);
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
    scheduler_wake_besides(scheduler, false);
    pthread_mutex_unlock(&scheduler->lock);
    unit(context, help.unit, worker);
    pthread_mutex_lock(&scheduler->lock);
    if (core_help_end(&scheduler->core, &help)) scheduler_wake(scheduler, 1);
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
        if (formed) core_finish(&scheduler->core, &batch);
    }
    pthread_mutex_unlock(&scheduler->lock);
}
