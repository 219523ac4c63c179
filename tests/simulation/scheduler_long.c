/* Long jobs of the simulated server: what scheduler.c does when one shares its units, an event at a time. */
#include "scheduler_world.h"

enum { LONG_PHASES_MAX = 3, LONG_UNITS_MAX = 6 };

static bool long_has_one_worker(const World *world)
{
    return world->scenario.options.worker_count == 1;
}

bool long_begin_between(World *world, WorldWorker *worker)
{
    SchedulerJob *dropped = NULL;
    worker->within.jobs = worker->within_jobs;
    worker->between = core_begin_between(&world->core, &worker->within, &dropped);
    world_take_dropped(world, dropped, STATUS_OK);
    if (!worker->between) return false;
    WORLD_CHECK(world, worker->within.lane == SCHEDULER_NO_LANE);
    worker->event_ns = world->clock.virtual_now_ns + world_begin_batch(world, &worker->within);
    world->batches_between++;
    world_wake_besides(world, false);
    return true;
}

static void long_end_between(World *world, WorldWorker *worker)
{
    core_end_between(&world->core, &worker->within);
    world_end_batch(world, &worker->within);
    worker->between = false;
}

static void long_share(World *world, WorldWorker *worker)
{
    Lanes *lanes = &world->core.lanes;
    worker->unit_count = 2 + (uint32_t)world_random(world, LONG_UNITS_MAX - 1);
    worker->units_ended = 0;
    lanes_share(lanes, worker->batch.lane, worker->unit_count);
    world_wake(world, core_wanted_helpers(&world->core, worker->unit_count));
}

/* Takes a unit or rests; where all have ended, goes on with the next phase, or ends the job. */
static void long_go_on(World *world, WorldWorker *worker)
{
    Lanes *lanes = &world->core.lanes;
    uint32_t unit;
    for (;;) {
        if (lanes_take_unit(lanes, worker->batch.lane, &unit)) {
            WORLD_CHECK(world, unit < worker->unit_count);
            worker->state = WORKER_LEADING;
            worker->event_ns = world->clock.virtual_now_ns + worker->unit_ns;
            return;
        }
        if (lanes_is_sharing(lanes, worker->batch.lane)) {
            worker->state = WORKER_RESTING;
            worker->event_ns = 0;
            worker->woken = false;
            if (!long_begin_between(world, worker)) world->core.resting_count++;
            return;
        }
        WORLD_CHECK(world, worker->units_ended == worker->unit_count);
        if (--worker->phases_left == 0) break;
        long_share(world, worker);
    }
    world_finish_batch(world, &worker->batch);
    worker->state = WORKER_AWAKE;
    worker->event_ns = 0;
}

void long_start(World *world, WorldWorker *worker)
{
    uint64_t busy_ns = worker->event_ns - world->clock.virtual_now_ns;
    worker->phases_left = 1 + (uint32_t)world_random(world, LONG_PHASES_MAX);
    worker->unit_ns = 1 + busy_ns / LONG_UNITS_MAX / worker->phases_left;
    long_share(world, worker);
    long_go_on(world, worker);
}

static WorldWorker *long_leader(World *world, uint32_t lane)
{
    for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) {
        WorldWorker *worker = &world->workers[i];
        bool leads = worker->state == WORKER_LEADING || worker->state == WORKER_RESTING;
        if (leads && worker->batch.lane == lane) return worker;
    }
    world_fail(world, "a unit's job has a leader", __FILE__, __LINE__);
}

bool long_help(World *world, WorldWorker *worker)
{
    if (!core_help(&world->core, &worker->help)) return false;
    worker->unit_ns = long_leader(world, worker->help.lane)->unit_ns;
    worker->state = WORKER_HELPING;
    worker->event_ns = world->clock.virtual_now_ns + 1 + worker->unit_ns / 2;
    worker->paused = false;
    world->helped_units++;
    world_wake_besides(world, false);
    return true;
}

static void long_help_event(World *world, WorldWorker *worker)
{
    if (worker->between) {
        long_end_between(world, worker);
    } else if (!worker->paused) {
        worker->paused = true;
        if (long_begin_between(world, worker)) return;
    } else {
        long_leader(world, worker->help.lane)->units_ended++;
        if (core_help_end(&world->core, &worker->help)) world_wake(world, 1);
        worker->state = WORKER_AWAKE;
        worker->event_ns = 0;
        return;
    }
    worker->event_ns = world->clock.virtual_now_ns + 1 + worker->unit_ns / 2;
}

void long_event(World *world, WorldWorker *worker)
{
    if (worker->state == WORKER_HELPING) {
        long_help_event(world, worker);
        return;
    }
    if (worker->between) {
        long_end_between(world, worker);
    } else {
        worker->units_ended++;
        lanes_end_unit(&world->core.lanes, worker->batch.lane);
        bool alone = !worker->batch.is_step && long_has_one_worker(world);
        if (alone && long_begin_between(world, worker)) return;
    }
    if (worker->batch.is_step && steps_give_way(world, worker)) return;
    long_go_on(world, worker);
}

void long_look(World *world, WorldWorker *worker)
{
    world->core.resting_count--;
    long_go_on(world, worker);
}
