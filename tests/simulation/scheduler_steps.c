/* Steps in the background of the simulated server: who has them, and what they cost others. */
#include "scheduler_world.h"

enum { STEPS_MAX = 6, PERCENT = 100 };

bool steps_draw(World *world, uint32_t begin, uint32_t count)
{
    const Scenario *scenario = &world->scenario;
    if (!world_chance(world, scenario->step_percent)) return true;
    Error error = {0};
    Status status = core_reserve(&world->core, count, &error);
    uint32_t places_max = scenario->options.background_jobs_max;
    if (world->core.draining) WORLD_CHECK(world, status == STATUS_UNAVAILABLE);
    if (status == STATUS_INVALID_ARGUMENT) WORLD_CHECK(world, count > places_max);
    if (status == STATUS_RESOURCE_EXHAUSTED) WORLD_CHECK(world, world->place_count + count > places_max);
    for (uint32_t i = 0; i < count; i++) {
        WorldJob *job = &world->jobs[begin + i];
        job->has_place = status == STATUS_OK;
        job->steps_left = world_pick(world, 1, STEPS_MAX);
        if (status != STATUS_OK) job->state = JOB_REFUSED;
    }
    if (status == STATUS_OK) {
        world->place_count += count;
        WORLD_CHECK(world, world->place_count <= places_max);
        return true;
    }
    world->submitted_count += count;
    world->refused_jobs += count;
    return false;
}

void steps_release(World *world, WorldJob *job)
{
    if (!job->has_place) return;
    job->has_place = false;
    world->place_count--;
    core_release(&world->core, 1);
}

void steps_continue(World *world, WorldJob *job)
{
    bool goes_on = job->has_place && job->steps_left > 0;
    if (goes_on && !world->stopped) {
        job->steps_left--;
        job->state = JOB_STEP_QUEUED;
        if (job->first_step == 0) job->first_step = ++world->stepping_count;
        core_step(&world->core, &job->job);
        world_wake(world, core_wanted_workers(&world->core));
        return;
    }
    job->state = goes_on ? JOB_DROPPED : JOB_RUN;
    world->run_jobs += !goes_on;
    world->dropped_at_stop += goes_on;
    steps_release(world, job);
}

static bool others_wait(const World *world, bool in_lane)
{
    return world->core.queue.job_count > 0 || (in_lane && world->core.long_queue.job_count > 0);
}

uint64_t steps_begin(World *world, const CoreBatch *batch)
{
    const Scenario *scenario = &world->scenario;
    WorldJob *job = (WorldJob *)batch->jobs[0];
    bool in_lane = batch->lane != SCHEDULER_NO_LANE;
    WORLD_CHECK(world, batch->sum.job_count == 1 && job->state == JOB_STEP_QUEUED);
    WORLD_CHECK(world, in_lane == (world_class(world, &job->job) == CLASS_LONG));
    WORLD_CHECK(world, !job->job.cancelled || !atomic_load(&job->cancelled));
    WORLD_CHECK(world, !job->job.deadline_ns || world->clock.virtual_now_ns < job->job.deadline_ns);
    WORLD_CHECK(world, world->core.backlog.debt == 0);
    for (uint32_t i = 0; i < world->submitted_count; i++) { /* first come, first served within a flow */
        const WorldJob *other = &world->jobs[i];
        bool behind = other->first_step > job->first_step || other->job.flow != job->job.flow;
        WORLD_CHECK(world, other == job || other->state != JOB_STEP_QUEUED || behind);
    }
    job->state = JOB_STEP_RUNNING;
    world->steps++;
    world->steps_due += others_wait(world, true);
    uint64_t busy_ns = scenario->batch_fixed_ns + batch->charge * scenario->charge_ns;
    return 1 + busy_ns / 2 + world_random(world, busy_ns + 1);
}

bool steps_give_way(World *world, WorldWorker *worker)
{
    if (!worker->gives_way) {
        worker->gives_way = core_gives_way(&world->core);
        world->times_given_way += worker->gives_way;
    }
    if (!worker->gives_way) return false;
    if (core_goes_behind(&world->core) && long_begin_between(world, worker)) return true;
    core_go_on(&world->core);
    worker->gives_way = false;
    return false;
}

/* Whether `worker` has a step under way, which does not give way to others. */
static bool steps_runs(const WorldWorker *worker)
{
    bool runs = worker->state == WORKER_BUSY || worker->state == WORKER_LEADING || worker->state == WORKER_RESTING;
    return runs && worker->batch.is_step && !worker->gives_way;
}

void steps_pass(World *world, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - world->clock.virtual_now_ns;
    for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) {
        WorldWorker *worker = &world->workers[i];
        if (!steps_runs(worker)) continue;
        worker->step_ns += passed_ns;
        if (worker->step_ns > world->step_most_ns) world->step_most_ns = worker->step_ns;
        if (others_wait(world, worker->batch.lane != SCHEDULER_NO_LANE)) world->ahead_ns += passed_ns;
    }
}

/* A(s, t) <= p W (t - s) + R d, for this t and each s before. */
static void steps_check_share(World *world)
{
    const SchedulerOptions *options = &world->scenario.options;
    uint64_t rate = (uint64_t)options->background_percent * options->worker_count;
    uint64_t at_once = options->worker_count > 1 ? options->worker_count - 1 : 1;
    int64_t above = (int64_t)(world->ahead_ns * PERCENT) - (int64_t)(rate * world->clock.virtual_now_ns);
    if (world->ahead_least == 0 || above < world->ahead_least) world->ahead_least = above;
    WORLD_CHECK(world, above - world->ahead_least <= (int64_t)(at_once * world->step_most_ns * PERCENT));
}

void steps_check_state(World *world, bool asleep, uint64_t wake_ns)
{
    const Backlog *backlog = &world->core.backlog;
    const Lanes *lanes = &world->core.lanes;
    uint32_t running = 0;
    for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) running += steps_runs(&world->workers[i]);
    WORLD_CHECK(world, backlog->running - backlog->waiting == running);
    if (world->scenario.options.background_jobs_max == 0) return;
    steps_check_share(world);
    if (!asleep || backlog_wanted(backlog) == 0) return;
    const WorldJob *next = (const WorldJob *)queue_turn(&backlog->queue)->first;
    bool wants_lane = world_class(world, &next->job) == CLASS_LONG;
    if (wants_lane && lanes->used_count == lanes->count) return;
    WORLD_CHECK(world, wake_ns != 0); /* somebody comes back for it */
    bool ready = backlog_ready_ns(backlog) <= world->clock.virtual_now_ns;
    bool waking = wake_ns <= world->clock.virtual_now_ns; /* at this very time */
    WORLD_CHECK(world, !ready || waking || world->core.queue.job_count > 0);
}

void steps_check_end(const World *world)
{
    const Backlog *backlog = &world->core.backlog;
    WORLD_CHECK(world, world->place_count == 0 && backlog->queue.job_count == 0 && backlog->running == 0);
    WORLD_CHECK(world, backlog->steps == world->steps);
}
