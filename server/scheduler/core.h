/* The scheduler without threads and locks: what happens at each event, as functions of the state and the clock.
 * The threads (scheduler.c) and the simulation (tests/simulation) drive the same code. */
#pragma once

#include "scheduler/backlog.h"
#include "scheduler/lanes.h"
#include "scheduler/policy.h"
#include "scheduler/queue.h"

/* One thread at a time. */
typedef struct Core {
    SchedulerOptions options;
    Queue queue;
    Queue long_queue; /* of the jobs that take a lane */
    Backlog backlog;
    Lanes lanes;
    PolicyRates rates;
    SchedulerGauge gauge;   /* counters only; core_gauge adds the rest */
    uint32_t busy_count;    /* workers that run a batch */
    uint32_t helping_count; /* workers that run a unit of another's */
    uint32_t resting_count; /* of the busy ones: leaders that wait for the last units of helpers */
    bool draining;
    uint64_t purged_ns; /* when the queue was last purged */
} Core;

/* Fails as scheduler_open, without threads. On failure `core` needs no closing. */
CHECKED Status core_open(Core *core, const SchedulerOptions *options, Error *out_error);
void core_close(Core *core); /* a zeroed core is a no-op */

/* As scheduler_raise_limits. */
void core_raise_limits(Core *core, uint64_t batch_work, uint32_t job_tokens);

/* As scheduler_submit; jobs found dead are put in front of *out_dropped, linked by `next`, their drop_reason set:
 * the caller hands them to `drop`, whatever is returned. */
CHECKED Status core_submit(Core *core, SchedulerJob *const *jobs, uint32_t count, SchedulerJob **out_dropped,
                           Error *out_error);

/* As scheduler_reserve, scheduler_release and scheduler_step. */
CHECKED Status core_reserve(Core *core, uint32_t count, Error *out_error);
void core_release(Core *core, uint32_t count);
void core_step(Core *core, SchedulerJob *job);

/* What one worker runs at a time. `jobs` ([batch_jobs_max]) is its owner's. */
typedef struct CoreBatch {
    SchedulerJob **jobs;
    PolicyBatch sum;
    uint64_t charge;
    uint64_t started_ns;
    uint32_t lane; /* SCHEDULER_NO_LANE: of jobs that are not long */
    bool is_step;
} CoreBatch;

/* Forms a batch for an idle worker; true when there is one, which then ends with core_finish. Else
 * *out_wait_until_ns says when to try again; 0: after the next event. Dropped jobs as in core_submit. */
bool core_begin(Core *core, CoreBatch *batch, uint64_t *out_wait_until_ns, SchedulerJob **out_dropped);
void core_finish(Core *core, const CoreBatch *batch);

/* A unit of a long job, taken by a worker that has nothing of its own to do. */
typedef struct CoreHelp {
    uint32_t lane;
    uint32_t unit;
    uint64_t started_ns;
} CoreHelp;

/* For a worker to which core_begin gave nothing and no time to wait for: true when there is a unit, which then ends
 * with core_help_end. That returns true when with it all units that the lane's leader shared have ended. */
bool core_help(Core *core, CoreHelp *out_help);
bool core_help_end(Core *core, const CoreHelp *help);

/* Forms a batch, of jobs that are not long, for a worker that has a part of a long job under way and counts as busy or
 * helping all the time; true when there is one, which then ends with core_end_between. Dropped jobs as in core_submit.
 */
bool core_begin_between(Core *core, CoreBatch *batch, SchedulerJob **out_dropped);
void core_end_between(Core *core, const CoreBatch *batch);

/* For the leader of a step in a lane, between two units: true when others are to go first, as long as
 * core_goes_behind says so; core_go_on follows. */
bool core_gives_way(Core *core);
bool core_goes_behind(Core *core);
void core_go_on(Core *core);

/* How many idle workers have something to do, at most: jobs, units to help with. */
uint32_t core_wanted_workers(const Core *core);
/* The same once a worker has begun something else than it was woken for: a step, or a batch or unit before a step. */
uint32_t core_wanted_besides(const Core *core, bool began_step);
uint32_t core_wanted_helpers(const Core *core, uint32_t unit_count);

/* Empties the queue: every job is put in front of *out_dropped with reason UNAVAILABLE. */
void core_clear(Core *core, SchedulerJob **out_dropped);

SchedulerGauge core_gauge(const Core *core);
