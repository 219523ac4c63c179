#include "scheduler_world.h"

#include <string.h>

#define WORLD_TOKEN_WORK ((uint64_t)20000000) /* of a small encoder */

static const char world_keys[WORLD_KEYS_MAX];

void world_fail(const World *world, const char *condition, const char *file, int line)
{
    fprintf(stderr, "seed %llu: at %llu ns: %s does not hold (%s:%d)\n", (unsigned long long)world->seed,
            (unsigned long long)world->clock.virtual_now_ns, condition, file, line);
    exit(1);
}

/* ---- chance ---- */

uint64_t world_random(World *world, uint64_t limit)
{
    uint64_t z = world->random_state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % limit;
}

uint32_t world_pick(World *world, uint32_t from, uint32_t to)
{
    return from + (uint32_t)world_random(world, to - from + 1);
}

bool world_chance(World *world, uint32_t percent)
{
    return world_random(world, 100) < percent;
}

/* Loads from a quarter to four times of what the workers can do. */
static void scenario_draw_gap(World *world, Scenario *scenario)
{
    uint64_t tokens = 0; /* of an average job */
    for (uint32_t i = 0; i < scenario->flow_count; i++) tokens += scenario->token_max[i] / 2 + 1;
    tokens /= scenario->flow_count;
    uint64_t job_ns =
        tokens * (WORLD_TOKEN_WORK / QUEUE_CHARGE_UNIT) * scenario->charge_ns + scenario->batch_fixed_ns;
    uint64_t request_ns = job_ns * (scenario->request_jobs_max + 1) / 2;
    scenario->gap_ns = 1 + request_ns / scenario->options.worker_count * world_pick(world, 25, 400) / 100;
}

/* Many workers, tiny texts and nearly as many as they can do: where it pays to hold a batch back. */
static void scenario_make_crowd(World *world, Scenario *scenario)
{
    scenario->options.worker_count = world_pick(world, POLICY_WAIT_WORKERS_MIN, WORLD_WORKERS_MAX);
    scenario->options.wait_max_ns = 2 * NS_PER_MS;
    scenario->request_jobs_max = 1;
    scenario->batch_fixed_ns = world_pick(world, 1, 10) * NS_PER_MS;
    for (uint32_t i = 0; i < WORLD_FLOWS_MAX; i++) scenario->token_max[i] = 4;
}

/* Between them the seeds cover idle and overloaded servers, one worker and several, queues far too small and large
 * ones, one client and many, short texts and long. */
static void scenario_draw(World *world, Scenario *scenario)
{
    static const uint32_t token_scales[] = {8, 40, 200, 1000};
    uint32_t batch_tokens_max = world_pick(world, 32, 2000);
    uint32_t queue_jobs_max = world_chance(world, 30) ? world_pick(world, 1, 20) : world_pick(world, 20, 400);
    *scenario = (Scenario){
        .options =
            {
                .worker_count = world_pick(world, 1, WORLD_WORKERS_MAX),
                .queue_jobs_max = queue_jobs_max,
                .queue_tokens_max = batch_tokens_max + world_random(world, 20000),
                .batch_tokens_max = batch_tokens_max,
                .batch_jobs_max = world_pick(world, 1, queue_jobs_max),
                .batch_work_max = (uint64_t)1 << world_pick(world, 24, 36),
                .wait_max_ns = world_chance(world, 50) ? 0 : world_pick(world, 1, 5000) * NS_PER_US,
                .clock = &world->clock,
            },
        .flow_count = world_pick(world, 1, WORLD_FLOWS_MAX),
        .key_count = world_chance(world, 50) ? 1 : world_pick(world, 2, WORLD_KEYS_MAX),
        .job_count = world_pick(world, 50, WORLD_JOBS_MAX),
        .request_jobs_max = world_chance(world, 50) ? 1 : world_pick(world, 2, WORLD_REQUEST_JOBS_MAX),
        .batch_fixed_ns = world_random(world, 5 * NS_PER_MS),
        .charge_ns = 1 + world_random(world, 20),
        .task_percent = world_chance(world, 30) ? world_pick(world, 1, 30) : 0,
        .cancel_percent = world_chance(world, 50) ? world_pick(world, 1, 40) : 0,
        .deadline_percent = world_chance(world, 50) ? world_pick(world, 1, 60) : 0,
        .raise_percent = world_chance(world, 10) ? 1 : 0,
        .newcomer_percent = world_chance(world, 30) ? world_pick(world, 10, 95) : 0,
    };
    for (uint32_t i = 0; i < WORLD_FLOWS_MAX; i++) {
        uint32_t scale = token_scales[world_random(world, 4)];
        scenario->token_max[i] = scale < batch_tokens_max ? scale : batch_tokens_max;
    }
    if (world_chance(world, 50)) scenario->options.long_tokens = world_pick(world, 4, 800);
    if (world_chance(world, 15)) scenario_make_crowd(world, scenario);
    scenario_draw_gap(world, scenario);
    if (world_chance(world, 50)) {
        scenario->step_percent = world_pick(world, 1, 100);
        scenario->options.background_jobs_max = world_pick(world, 1, 100);
        scenario->options.background_percent = world_pick(world, 1, SCHEDULER_BACKGROUND_PERCENT_LIMIT);
    }
    if (world_chance(world, 25)) scenario->drain_after = world_pick(world, 1, scenario->job_count);
    if (world_chance(world, 25)) scenario->stop_after = world_pick(world, 1, scenario->job_count);
}

/* ---- clients ---- */

static void world_draw_job(World *world, WorldJob *job, uint64_t flow, uint32_t token_max)
{
    const Scenario *scenario = &world->scenario;
    uint64_t now_ns = world->clock.virtual_now_ns;
    uint32_t token_count = world_pick(world, 1, token_max);
    *job = (WorldJob){.job = {.flow = flow, .token_count = token_count}};
    job->job.batch_key = &world_keys[world_random(world, scenario->key_count)];
    job->job.work = token_count * (WORLD_TOKEN_WORK + token_count * (uint64_t)10000);
    if (world_chance(world, scenario->task_percent)) {
        job->job.batch_key = NULL;
        job->job.token_count = 0;
    }
    if (world_chance(world, 2)) job->job.work = 0;
    if (world_chance(world, 1)) job->job.token_count = scenario->options.batch_tokens_max + 1;
    if (world_chance(world, scenario->raise_percent))
        core_raise_limits(&world->core, (uint64_t)1 << world_pick(world, 24, 36), 0);
    if (world_chance(world, scenario->cancel_percent)) {
        job->cancel_ns = now_ns + world_random(world, 200 * NS_PER_MS);
    }
    if (world_chance(world, 80)) job->job.cancelled = &job->cancelled;
    if (world_chance(world, scenario->deadline_percent)) {
        job->job.deadline_ns = now_ns + world_random(world, 200 * NS_PER_MS);
    }
}

static uint64_t world_flow_charge(const World *world, WorldClass of, uint64_t flow)
{
    uint64_t charge = 0;
    for (uint32_t i = 0; i < world->submitted_count; i++) {
        const WorldJob *job = &world->jobs[i];
        if (job->state == JOB_QUEUED && job->job.flow == flow && world_class(world, &job->job) == of)
            charge += queue_charge(&job->job);
    }
    return charge;
}

void world_take_dropped(World *world, SchedulerJob *dropped, Status forced)
{
    uint64_t now_ns = world->clock.virtual_now_ns;
    while (dropped) {
        WorldJob *job = (WorldJob *)dropped;
        dropped = dropped->next;
        WORLD_CHECK(world, job->state == JOB_QUEUED || job->state == JOB_STEP_QUEUED);
        Status reason = job->job.drop_reason;
        if (reason == STATUS_CANCELLED) WORLD_CHECK(world, job->job.cancelled && atomic_load(&job->cancelled));
        if (reason == STATUS_DEADLINE_EXCEEDED) WORLD_CHECK(world, now_ns >= job->job.deadline_ns);
        if (reason == STATUS_UNAVAILABLE) WORLD_CHECK(world, forced == STATUS_UNAVAILABLE);
        job->state = JOB_DROPPED;
        world->dropped_jobs++;
        steps_release(world, job);
    }
}

void world_wake(World *world, uint32_t count)
{
    uint32_t worker_count = world->scenario.options.worker_count;
    uint32_t start = (uint32_t)world_random(world, worker_count);
    if (world->core.resting_count > 0) count = worker_count;
    for (uint32_t i = 0; i < worker_count && count > 0; i++) {
        WorldWorker *worker = &world->workers[(start + i) % worker_count];
        if (worker->state == WORKER_RESTING) worker->woken = true;
        if (worker->state != WORKER_ASLEEP) continue;
        worker->state = WORKER_AWAKE;
        count--;
    }
}

void world_wake_besides(World *world, bool began_step)
{
    uint32_t count = core_wanted_besides(&world->core, began_step);
    if (count > 0) world_wake(world, count);
}

static void world_submit(World *world, uint32_t begin, uint32_t count)
{
    SchedulerJob *request[WORLD_REQUEST_JOBS_MAX];
    uint64_t flow = world->jobs[begin].job.flow;
    for (uint32_t i = 0; i < count; i++) request[i] = &world->jobs[begin + i].job;
    uint64_t purged_ns = world->core.purged_ns;
    bool purge_allowed = purged_ns == 0 || world->clock.virtual_now_ns - purged_ns >= NS_PER_MS;
    SchedulerJob *dropped = NULL;
    Error error = {0};
    Status status = core_submit(&world->core, request, count, &dropped, &error);
    world_take_dropped(world, dropped, STATUS_OK);
    invariants_check_answer(world, begin, count, status, &error, purge_allowed);
    uint64_t charges_before[CLASS_COUNT];
    for (int of = 0; of < CLASS_COUNT; of++) {
        charges_before[of] = world_flow_charge(world, (WorldClass)of, flow);
        if (charges_before[of] == 0 && flow < WORLD_FLOWS_MAX) world->flow_restarted[of][flow] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        WorldJob *job = &world->jobs[begin + i];
        WorldClass of = world_class(world, &job->job);
        job->state = status == STATUS_OK ? JOB_QUEUED : JOB_REFUSED;
        job->sequence = begin + i + 1;
        job->charge_before = charges_before[of];
        job->taken_before = world->charge_taken[of];
        if (status != STATUS_OK) {
            steps_release(world, job);
            continue;
        }
        charges_before[of] += queue_charge(&job->job);
        if (world->charge_most[of] < queue_charge(&job->job)) world->charge_most[of] = queue_charge(&job->job);
    }
    world->submitted_count += count;
    for (int of = 0; of < CLASS_COUNT; of++) {
        uint32_t flow_count = world_queue(world, (WorldClass)of)->flow_count;
        if (world->flow_count_most[of] < flow_count) world->flow_count_most[of] = flow_count;
    }
    if (status != STATUS_OK) world->refused_jobs += count;
    world_wake(world, core_wanted_workers(&world->core));
}

static void world_drain(World *world)
{
    world->core.draining = true;
    world_wake(world, WORLD_WORKERS_MAX);
}

static void world_request(World *world)
{
    const Scenario *scenario = &world->scenario;
    uint32_t begin = world->submitted_count;
    uint32_t count = world_pick(world, 1, scenario->request_jobs_max);
    if (count > scenario->job_count - begin) count = scenario->job_count - begin;
    uint64_t flow = world_random(world, scenario->flow_count);
    uint32_t token_max = scenario->token_max[flow];
    if (world_chance(world, scenario->newcomer_percent)) flow = WORLD_FLOWS_MAX + world->newcomer_next++;
    for (uint32_t i = 0; i < count; i++) world_draw_job(world, &world->jobs[begin + i], flow, token_max);
    if (steps_draw(world, begin, count)) world_submit(world, begin, count);
    uint32_t end = world->submitted_count;
    if (scenario->drain_after > begin && scenario->drain_after <= end) world_drain(world);
    if (scenario->stop_after > begin && scenario->stop_after <= end) {
        SchedulerJob *dropped = NULL;
        world_drain(world);
        world->stopped = true;
        core_clear(&world->core, &dropped);
        world_take_dropped(world, dropped, STATUS_UNAVAILABLE);
    }
    bool burst = world_chance(world, 25);
    world->next_request_ns = world->clock.virtual_now_ns + (burst ? 0 : world_random(world, 2 * scenario->gap_ns));
    if (end == scenario->job_count) world->next_request_ns = 0;
}

/* ---- workers ---- */

uint64_t world_begin_batch(World *world, const CoreBatch *batch)
{
    const Scenario *scenario = &world->scenario;
    if (batch->is_step) return steps_begin(world, batch);
    invariants_check_batch(world, batch);
    WorldClass of = world_class(world, batch->jobs[0]);
    for (uint32_t i = 0; i < batch->sum.job_count; i++) {
        WorldJob *job = (WorldJob *)batch->jobs[i];
        job->state = JOB_RUNNING;
        if (job->job.flow < WORLD_FLOWS_MAX) world->flow_done[of][job->job.flow] += queue_charge(&job->job);
    }
    world->charge_taken[of] += batch->charge;
    world->run_batches++;
    uint64_t busy_ns = scenario->batch_fixed_ns + batch->charge * scenario->charge_ns;
    return 1 + busy_ns / 2 + world_random(world, busy_ns + 1);
}

void world_end_batch(World *world, const CoreBatch *batch)
{
    for (uint32_t i = 0; i < batch->sum.job_count; i++) {
        WorldJob *job = (WorldJob *)batch->jobs[i];
        WORLD_CHECK(world, job->state == (batch->is_step ? JOB_STEP_RUNNING : JOB_RUNNING));
        steps_continue(world, job);
    }
}

/* As the scheduler's worker: a step queues again before it counts as ended. */
void world_finish_batch(World *world, const CoreBatch *batch)
{
    world_end_batch(world, batch);
    core_finish(&world->core, batch);
}

static void world_start_batch(World *world, WorldWorker *worker)
{
    worker->event_ns = world->clock.virtual_now_ns + world_begin_batch(world, &worker->batch);
    worker->state = WORKER_BUSY;
    worker->step_ns = 0;
    world_wake_besides(world, worker->batch.is_step);
    if (worker->batch.lane != SCHEDULER_NO_LANE) long_start(world, worker);
}

/* What scheduler.c's worker does between two sleeps. */
static void world_worker_step(World *world, WorldWorker *worker)
{
    while (worker->state == WORKER_AWAKE) {
        SchedulerJob *dropped = NULL;
        uint64_t wait_until_ns;
        worker->batch.jobs = worker->jobs;
        bool formed = core_begin(&world->core, &worker->batch, &wait_until_ns, &dropped);
        world_take_dropped(world, dropped, STATUS_OK);
        if (formed) {
            world_start_batch(world, worker);
        } else if (!dropped && (wait_until_ns || !long_help(world, worker))) {
            WORLD_CHECK(world, wait_until_ns == 0 || wait_until_ns > world->clock.virtual_now_ns);
            if (wait_until_ns) world->held_batches++;
            worker->state = WORKER_ASLEEP;
            worker->event_ns = wait_until_ns;
        }
    }
}

static void world_worker_event(World *world, WorldWorker *worker)
{
    if (worker->state >= WORKER_LEADING) {
        long_event(world, worker);
        return;
    }
    if (worker->state == WORKER_BUSY) world_finish_batch(world, &worker->batch);
    worker->state = WORKER_AWAKE;
    worker->event_ns = 0;
}

/* ---- time ---- */

static void world_cancel_due(World *world)
{
    for (uint32_t i = 0; i < world->submitted_count; i++) {
        WorldJob *job = &world->jobs[i];
        if (job->cancel_ns && job->cancel_ns <= world->clock.virtual_now_ns) atomic_store(&job->cancelled, true);
    }
}

/* Moves the clock to the next event and lets it happen; false when there is none. */
static bool world_step(World *world)
{
    WorldWorker *next = NULL;
    for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) {
        WorldWorker *worker = &world->workers[i];
        if (worker->event_ns && (!next || worker->event_ns < next->event_ns)) next = worker;
    }
    bool request = world->next_request_ns && (!next || world->next_request_ns <= next->event_ns);
    if (!request && !next) return false;
    steps_pass(world, request ? world->next_request_ns : next->event_ns);
    world->clock.virtual_now_ns = request ? world->next_request_ns : next->event_ns;
    world_cancel_due(world);
    if (request) {
        world_request(world);
    } else {
        world_worker_event(world, next);
    }
    for (bool again = true; again;) { /* who ends a phase wakes others */
        again = false;
        for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) {
            WorldWorker *worker = &world->workers[i];
            bool awake = worker->state == WORKER_AWAKE;
            if (awake) world_worker_step(world, worker);
            bool woken = worker->state == WORKER_RESTING && worker->woken && !worker->between;
            if (woken) long_look(world, worker);
            again |= awake || woken;
        }
    }
    return true;
}

void world_run(World *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->seed = seed;
    world->random_state = seed;
    world->clock = clock_virtual(1 + world_random(world, NS_PER_S));
    scenario_draw(world, &world->scenario);
    Error error;
    WORLD_CHECK(world, core_open(&world->core, &world->scenario.options, &error) == STATUS_OK);
    for (uint32_t i = 0; i < world->scenario.options.worker_count; i++) world->workers[i].state = WORKER_ASLEEP;
    world->next_request_ns = world->clock.virtual_now_ns;
    while (world_step(world)) invariants_check_state(world);
    invariants_check_end(world);
    core_close(&world->core);
}
