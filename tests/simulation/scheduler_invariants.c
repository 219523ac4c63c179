/* What must hold in a simulated server after each event, for each batch and each answer. */
#include "scheduler_world.h"

/* S of scheduler/queue.h: with one key in the scenario no batch runs ahead of flows with another. */
static uint64_t world_slack(const World *world)
{
    bool one_key = world->scenario.key_count == 1 && world->scenario.task_percent == 0;
    return one_key ? 0 : world->core.queue.slack;
}

/* ---- after each event ---- */

static void check_counts(World *world)
{
    const SchedulerOptions *options = &world->scenario.options;
    uint32_t job_count = 0;
    uint64_t token_count = 0;
    uint64_t charge = 0;
    for (uint32_t i = 0; i < world->submitted_count; i++) {
        const WorldJob *job = &world->jobs[i];
        if (job->state != JOB_QUEUED) continue;
        job_count++;
        token_count += job->job.token_count;
        charge += queue_charge(&job->job);
    }
    SchedulerGauge gauge = core_gauge(&world->core);
    WORLD_CHECK(world, gauge.queued_jobs == job_count && job_count <= options->queue_jobs_max);
    WORLD_CHECK(world, gauge.queued_tokens == token_count && token_count <= options->queue_tokens_max);
    WORLD_CHECK(world, world->core.queue.charge + world->core.long_queue.charge == charge);
    WORLD_CHECK(world, gauge.dropped_jobs == world->dropped_jobs);
    WORLD_CHECK(world, gauge.busy_workers <= options->worker_count);
    WORLD_CHECK(world, gauge.background_jobs == world->place_count);
}

/* The two invariants that queue.h's proofs rest on. */
static void check_virtual_times(World *world, WorldClass of)
{
    const Queue *queue = world_queue(world, of);
    WORLD_CHECK(world, queue->forgiven == 0); /* else the invariants are not promised */
    if (!queue->active.first) return;
    uint64_t spread = world_slack(world) + world->charge_most[of];
    uint64_t least = queue_turn(queue)->virtual_time;
    uint64_t front = least > queue->virtual_time ? least : queue->virtual_time;
    WORLD_CHECK(world, queue->virtual_time <= least + spread);
    for (const QueueFlow *flow = queue->active.first; flow; flow = flow->list_next) {
        WORLD_CHECK(world, flow->virtual_time >= least);
        WORLD_CHECK(world, flow->virtual_time <= front + spread);
        WORLD_CHECK(world, flow->first && flow->last && !flow->last->next);
    }
}

static bool flow_waits(const World *world, WorldClass of, uint64_t flow)
{
    if (world->flow_restarted[of][flow]) return false;
    for (const QueueFlow *other = world_queue(world, of)->active.first; other; other = other->list_next) {
        if (other->id == flow) return true;
    }
    return false;
}

static void check_fairness(World *world, WorldClass of)
{
    bool waits[WORLD_FLOWS_MAX];
    uint64_t bound = 4 * (world_slack(world) + world->charge_most[of]);
    const uint64_t *done = world->flow_done[of];
    for (uint32_t a = 0; a < world->scenario.flow_count; a++) waits[a] = flow_waits(world, of, a);
    for (uint32_t a = 0; a < world->scenario.flow_count; a++) {
        for (uint32_t b = a + 1; b < world->scenario.flow_count; b++) {
            WorldPair *pair = &world->pairs[of][a][b];
            int64_t lead = (int64_t)(done[a] - done[b]);
            if (!pair->waiting || lead < pair->least) pair->least = lead;
            if (!pair->waiting || lead > pair->most) pair->most = lead;
            if (waits[a] && waits[b] && pair->waiting) {
                WORLD_CHECK(world, (uint64_t)(pair->most - pair->least) <= bound);
            }
            pair->waiting = waits[a] && waits[b];
        }
    }
    for (uint32_t a = 0; a < world->scenario.flow_count; a++) world->flow_restarted[of][a] = false;
}

/* Nobody rests while there is something to do, but for the hold-back; an otherwise idle server never holds back. */
static void check_idleness(World *world)
{
    const SchedulerOptions *options = &world->scenario.options;
    const Lanes *lanes = &world->core.lanes;
    uint32_t asleep_count = 0;
    uint64_t wake_ns = 0;
    WORLD_CHECK(world, lanes->used_count <= lanes->count);
    for (uint32_t i = 0; i < options->worker_count; i++) {
        const WorldWorker *worker = &world->workers[i];
        if (worker->state == WORKER_RESTING && !worker->between)
            WORLD_CHECK(world, world->core.queue.job_count == 0);
        if (worker->state != WORKER_ASLEEP) continue;
        asleep_count++;
        if (worker->event_ns && (!wake_ns || worker->event_ns < wake_ns)) wake_ns = worker->event_ns;
    }
    WORLD_CHECK(world, world->core.busy_count + world->core.helping_count == options->worker_count - asleep_count);
    steps_check_state(world, asleep_count > 0, wake_ns);
    if (asleep_count == 0) return;
    WORLD_CHECK(world, lanes->used_count == lanes->count || world->core.long_queue.job_count == 0);
    if (wake_ns == 0) WORLD_CHECK(world, lanes_needing_help(lanes) == SCHEDULER_NO_LANE);
    if (world->core.queue.job_count == 0) return;
    WORLD_CHECK(world, asleep_count < options->worker_count && !world->core.draining);
    WORLD_CHECK(world, wake_ns > world->clock.virtual_now_ns);
    WORLD_CHECK(world, wake_ns <= queue_oldest_ns(&world->core.queue) + options->wait_max_ns);
}

void invariants_check_state(World *world)
{
    check_counts(world);
    for (int of = 0; of < CLASS_COUNT; of++) {
        check_virtual_times(world, (WorldClass)of);
        check_fairness(world, (WorldClass)of);
    }
    check_idleness(world);
}

/* ---- batches ---- */

/* `taken_in_batch`: the charge of the jobs taken before it for the same batch. */
static void check_started_job(World *world, const WorldJob *job, uint64_t taken_in_batch)
{
    uint64_t flow = job->job.flow;
    WorldClass of = world_class(world, &job->job);
    WORLD_CHECK(world, job->state == JOB_QUEUED);
    WORLD_CHECK(world, !job->job.cancelled || !atomic_load(&job->cancelled));
    WORLD_CHECK(world, !job->job.deadline_ns || world->clock.virtual_now_ns < job->job.deadline_ns);
    if (flow < WORLD_FLOWS_MAX) {
        WORLD_CHECK(world, job->sequence > world->flow_last_sequence[of][flow]);
        world->flow_last_sequence[of][flow] = job->sequence;
    }
    uint64_t taken = world->charge_taken[of] + taken_in_batch - job->taken_before;
    uint64_t spread = 4 * world_slack(world) + 3 * world->charge_most[of];
    WORLD_CHECK(world, taken <= world->flow_count_most[of] * (job->charge_before + spread));
}

void invariants_check_batch(World *world, const CoreBatch *batch)
{
    const SchedulerOptions *options = &world->scenario.options;
    const void *key = batch->jobs[0]->batch_key;
    uint64_t token_count = 0;
    uint64_t work = 0;
    uint64_t charge = 0;
    WORLD_CHECK(world, batch->sum.job_count >= 1 && batch->sum.job_count <= options->batch_jobs_max);
    for (uint32_t i = 0; i < batch->sum.job_count; i++) {
        const SchedulerJob *job = batch->jobs[i];
        WORLD_CHECK(world, job->batch_key == key && (key || batch->sum.job_count == 1));
        check_started_job(world, (const WorldJob *)job, charge);
        charge += queue_charge(job);
        token_count += job->token_count;
        work += job->work;
    }
    bool is_long = world_class(world, batch->jobs[0]) == CLASS_LONG;
    WORLD_CHECK(world, is_long == (batch->lane != SCHEDULER_NO_LANE));
    WORLD_CHECK(world, !is_long || batch->sum.job_count == 1);
    WORLD_CHECK(world, charge == batch->charge && work == batch->sum.work);
    WORLD_CHECK(world, token_count == batch->sum.token_count);
    WORLD_CHECK(world, batch->sum.job_count == 1 || token_count <= options->batch_tokens_max);
    WORLD_CHECK(world, batch->sum.job_count == 1 || work <= world->core.options.batch_work_max);
    WORLD_CHECK(world, batch->sum.job_count == 1 || token_count <= POLICY_TOKENS_ENOUGH);
}

/* ---- answers ---- */

void invariants_check_answer(World *world, uint32_t begin, uint32_t count, Status status, const Error *error,
                             bool purge_allowed)
{
    const SchedulerOptions *options = &world->scenario.options;
    uint64_t tokens = 0;
    uint32_t long_count = 0;
    for (uint32_t i = begin; i < begin + count; i++) {
        tokens += world->jobs[i].job.token_count;
        long_count += world_class(world, &world->jobs[i].job) == CLASS_LONG;
    }
    uint32_t long_max = world->core.long_queue.jobs_max;
    bool never_fits =
        count > options->queue_jobs_max || tokens > options->queue_tokens_max || long_count > long_max;
    if (world->core.draining) {
        WORLD_CHECK(world, status == STATUS_UNAVAILABLE);
        return;
    }
    WORLD_CHECK(world, never_fits == (status == STATUS_INVALID_ARGUMENT));
    if (never_fits || status == STATUS_OK) return;
    WORLD_CHECK(world, status == STATUS_RESOURCE_EXHAUSTED);
    WORLD_CHECK(world, error->retry_after_ns >= NS_PER_MS && error->retry_after_ns <= 10 * NS_PER_S);
    uint64_t live_jobs = 0;
    uint64_t live_tokens = 0;
    for (uint32_t i = 0; i < begin; i++) {
        const WorldJob *job = &world->jobs[i];
        bool expired = job->job.deadline_ns && job->job.deadline_ns <= world->clock.virtual_now_ns;
        bool cancelled = job->job.cancelled && atomic_load(&job->cancelled);
        if (job->state != JOB_QUEUED || (purge_allowed && (expired || cancelled))) continue;
        live_jobs++;
        live_tokens += job->job.token_count;
        long_count += world_class(world, &job->job) == CLASS_LONG;
    }
    WORLD_CHECK(world, live_jobs + count > options->queue_jobs_max ||
                           live_tokens + tokens > options->queue_tokens_max || long_count > long_max);
}

void invariants_check_end(World *world)
{
    WORLD_CHECK(world, world->submitted_count == world->scenario.job_count);
    WORLD_CHECK(world, world->core.queue.job_count == 0 && world->core.long_queue.job_count == 0);
    steps_check_end(world);
    WORLD_CHECK(world, world->core.busy_count == 0 && world->core.lanes.used_count == 0);
    WORLD_CHECK(world, world->run_jobs + world->dropped_jobs + world->dropped_at_stop + world->refused_jobs ==
                           world->submitted_count);
    for (uint32_t i = 0; i < world->submitted_count; i++) {
        WorldJobState state = world->jobs[i].state;
        WORLD_CHECK(world, state == JOB_RUN || state == JOB_DROPPED || state == JOB_REFUSED);
    }
}
