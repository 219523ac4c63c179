#include "scheduler/core_parts.h"

#include "base/limits.h"

#include <assert.h>
#include <inttypes.h>

/* A purge looks at every job: some 100 us for 10,000 of them, so not more often than this. */
static const uint64_t core_purge_period_ns = NS_PER_MS;

static_assert(POLICY_TOKENS_ENOUGH < LONG_TOKENS, "a batch of several jobs is never long");

bool core_is_long(const Core *core, const SchedulerJob *job)
{
    return core->options.long_tokens > 0 && job->token_count > core->options.long_tokens;
}

static uint32_t core_job_count(const Core *core)
{
    return core->queue.job_count + core->long_queue.job_count;
}

static uint64_t core_token_count(const Core *core)
{
    return core->queue.token_count + core->long_queue.token_count;
}

/* As many as there is room for by their tokens. */
static uint32_t core_long_jobs_max(const SchedulerOptions *options)
{
    uint64_t count = options->long_tokens ? options->queue_tokens_max / options->long_tokens + 1 : 1;
    return count < options->queue_jobs_max ? (uint32_t)count : options->queue_jobs_max;
}

/* The classes of jobs: each has a queue, in which flows are fair among themselves. */
static Queue *core_queue(Core *core, const SchedulerJob *job)
{
    return core_is_long(core, job) ? &core->long_queue : &core->queue;
}

static Status core_check_options(const SchedulerOptions *options, Error *out_error)
{
    if (options->worker_count < 1 || options->worker_count > SCHEDULER_WORKER_COUNT_LIMIT) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u workers: must be 1 to %u", options->worker_count,
                         SCHEDULER_WORKER_COUNT_LIMIT);
    }
    if (options->queue_jobs_max < 1 || options->queue_jobs_max > SCHEDULER_QUEUE_JOBS_LIMIT) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "a queue of %u jobs: must be 1 to %u",
                         options->queue_jobs_max, SCHEDULER_QUEUE_JOBS_LIMIT);
    }
    if (options->batch_jobs_max < 1 || options->batch_jobs_max > options->queue_jobs_max) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "batches of %u jobs: must be 1 to the queue's %u",
                         options->batch_jobs_max, options->queue_jobs_max);
    }
    if (options->batch_tokens_max < 1 || options->queue_tokens_max < options->batch_tokens_max) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "a queue of %" PRIu64
                         " tokens must hold a batch, which may have %u (and that at least 1)",
                         options->queue_tokens_max, options->batch_tokens_max);
    }
    return STATUS_OK;
}

Status core_open(Core *core, const SchedulerOptions *options, Error *out_error)
{
    assert(options->clock);
    Status status = core_check_options(options, out_error);
    if (status != STATUS_OK) return status;
    *core = (Core){.options = *options};
    core->lanes.count = lanes_count(options->worker_count);
    status = queue_open(&core->queue, options->queue_jobs_max, options->batch_work_max, out_error);
    if (status == STATUS_OK)
        status = queue_open(&core->long_queue, core_long_jobs_max(options), options->batch_work_max, out_error);
    if (status == STATUS_OK) status = backlog_open(&core->backlog, options, out_error);
    if (status != STATUS_OK) core_close(core);
    return status;
}

void core_close(Core *core)
{
    queue_close(&core->queue);
    queue_close(&core->long_queue);
    backlog_close(&core->backlog);
}

void core_raise_limits(Core *core, uint64_t batch_work, uint32_t job_tokens)
{
    if (core->options.queue_tokens_max < job_tokens) core->options.queue_tokens_max = job_tokens;
    if (core->options.batch_work_max >= batch_work) return;
    core->options.batch_work_max = batch_work;
    queue_raise_slack(&core->queue, batch_work);
    queue_raise_slack(&core->long_queue, batch_work);
}

/* ---- dead jobs ---- */

bool core_job_is_dead(SchedulerJob *job, uint64_t now_ns)
{
    if (job->cancelled && atomic_load_explicit(job->cancelled, memory_order_acquire)) {
        job->drop_reason = STATUS_CANCELLED;
        return true;
    }
    if (job->deadline_ns && now_ns >= job->deadline_ns) {
        job->drop_reason = STATUS_DEADLINE_EXCEEDED;
        return true;
    }
    return false;
}

/* Dead jobs hold no room: purges when one has expired, or when room is wanted (then for the cancelled ones too).
 */
static void core_purge(Core *core, uint64_t now_ns, bool room_wanted, SchedulerJob **out_dropped)
{
    bool expired = now_ns >= core->queue.deadline_least_ns || now_ns >= core->long_queue.deadline_least_ns ||
                   now_ns >= core->backlog.queue.deadline_least_ns;
    if (!room_wanted && !expired) return;
    if (core->purged_ns != 0 && now_ns - core->purged_ns < core_purge_period_ns) return;
    uint32_t before = core_job_count(core) + core->backlog.queue.job_count;
    queue_purge(&core->queue, core_job_is_dead, now_ns, out_dropped);
    queue_purge(&core->long_queue, core_job_is_dead, now_ns, out_dropped);
    queue_purge(&core->backlog.queue, core_job_is_dead, now_ns, out_dropped);
    core->gauge.dropped_jobs += before - core_job_count(core) - core->backlog.queue.job_count;
    core->purged_ns = now_ns;
}

void core_drop(Core *core, Queue *queue, QueueFlow *flow, SchedulerJob **out_dropped)
{
    SchedulerJob *job = queue_discard(queue, flow);
    job->next = *out_dropped;
    *out_dropped = job;
    core->gauge.dropped_jobs++;
}

static void core_clear_queue(Core *core, Queue *queue, SchedulerJob **out_dropped)
{
    QueueFlow *flow;
    while ((flow = queue_turn(queue))) {
        flow->first->drop_reason = STATUS_UNAVAILABLE;
        core_drop(core, queue, flow, out_dropped);
    }
}

void core_clear(Core *core, SchedulerJob **out_dropped)
{
    core_clear_queue(core, &core->queue, out_dropped);
    core_clear_queue(core, &core->long_queue, out_dropped);
    core_clear_queue(core, &core->backlog.queue, out_dropped);
}

/* ---- submit ---- */

Status core_refuse_late(Error *out_error)
{
    return error_set(out_error, STATUS_UNAVAILABLE, "the server is shutting down: try another one, or later");
}

/* What a request adds to the queue. */
typedef struct CoreDemand {
    uint32_t jobs;
    uint32_t long_jobs;
    uint64_t tokens;
} CoreDemand;

static Status core_check_jobs(const Core *core, SchedulerJob *const *jobs, CoreDemand *demand, Error *out_error)
{
    const SchedulerOptions *options = &core->options;
    for (uint32_t i = 0; i < demand->jobs; i++) {
        if (jobs[i]->work > SCHEDULER_JOB_WORK_LIMIT) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT,
                             "an input of %" PRIu64 " operations would run for hours: split or truncate it",
                             jobs[i]->work);
        }
        demand->tokens += jobs[i]->token_count;
        demand->long_jobs += core_is_long(core, jobs[i]);
    }
    if (demand->jobs > options->queue_jobs_max || demand->tokens > options->queue_tokens_max ||
        demand->long_jobs > core->long_queue.jobs_max) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "a request of %u inputs and chunks with %" PRIu64
                         " tokens never fits into the queue, which takes %u (--queue-jobs) and %" PRIu64
                         " (--queue-tokens): split it",
                         demand->jobs, demand->tokens, options->queue_jobs_max, options->queue_tokens_max);
    }
    return STATUS_OK;
}

static bool core_has_room(const Core *core, const CoreDemand *demand)
{
    return demand->jobs <= core->options.queue_jobs_max - core_job_count(core) &&
           demand->long_jobs <= core->long_queue.jobs_max - core->long_queue.job_count &&
           demand->tokens <= core->options.queue_tokens_max - core_token_count(core);
}

/* Room comes as the queue is worked off; estimated as if every job and token in it took the same time. */
static uint64_t core_retry_after_ns(const Core *core, const CoreDemand *demand)
{
    uint64_t jobs = core_job_count(core);
    uint64_t tokens = core_token_count(core);
    uint64_t charge = core->queue.charge + core->long_queue.charge;
    double part = 0;
    if (jobs + demand->jobs > core->options.queue_jobs_max) {
        part = (double)(jobs + demand->jobs - core->options.queue_jobs_max) / (double)jobs;
    }
    if (tokens + demand->tokens > core->options.queue_tokens_max) {
        double tokens_part = (double)(tokens + demand->tokens - core->options.queue_tokens_max) / (double)tokens;
        if (part < tokens_part) part = tokens_part;
    }
    return policy_retry_after_ns(&core->rates, core->options.worker_count, part * (double)charge);
}

static Status core_refuse(Core *core, const CoreDemand *demand, Error *out_error)
{
    core->gauge.refused_jobs += demand->jobs;
    uint64_t retry_after_ns = core_retry_after_ns(core, demand);
    uint64_t retry_after_ms = retry_after_ns / NS_PER_MS;
    error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
              "the queue is full: %u of %u inputs and %" PRIu64 " of %" PRIu64
              " tokens wait, and this request has %u "
              "inputs and %" PRIu64 " tokens; try again in %" PRIu64 " ms",
              core_job_count(core), core->options.queue_jobs_max, core_token_count(core),
              core->options.queue_tokens_max, demand->jobs, demand->tokens, retry_after_ms);
    if (out_error) out_error->retry_after_ns = retry_after_ns;
    return STATUS_RESOURCE_EXHAUSTED;
}

Status core_submit(Core *core, SchedulerJob *const *jobs, uint32_t count, SchedulerJob **out_dropped,
                   Error *out_error)
{
    assert(count >= 1);
    if (core->draining) return core_refuse_late(out_error);
    CoreDemand demand = {.jobs = count};
    Status status = core_check_jobs(core, jobs, &demand, out_error);
    if (status != STATUS_OK) return status;
    uint64_t now_ns = clock_now_ns(core->options.clock);
    core_account(core, now_ns);
    core_purge(core, now_ns, !core_has_room(core, &demand), out_dropped);
    if (!core_has_room(core, &demand)) return core_refuse(core, &demand, out_error);
    policy_rates_arrival(&core->rates, now_ns);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i]->submitted_ns = now_ns;
        queue_push(core_queue(core, jobs[i]), jobs[i]);
    }
    return STATUS_OK;
}

/* ---- batches ---- */

static PolicyView core_view(const Core *core, uint64_t now_ns)
{
    PolicyView view = {
        .options = &core->options,
        .rates = &core->rates,
        .now_ns = now_ns,
        .busy_count = core->busy_count,
        .lane_count = core->lanes.used_count,
        .queued_tokens = core->queue.token_count,
        .draining = core->draining,
    };
    if (policy_may_wait(&view)) view.oldest_ns = queue_oldest_ns(&core->queue);
    return view;
}

void core_batch_add(CoreBatch *batch, SchedulerJob *job)
{
    batch->jobs[batch->sum.job_count++] = job;
    batch->sum.token_count += job->token_count;
    batch->sum.work += job->work;
    batch->charge += queue_charge(job);
}

/* Takes jobs in the queue's order until one does not fit: passing over it would let others overtake it. */
static void core_form(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped)
{
    Queue *queue = &core->queue;
    QueueFlow *flow = queue_turn(queue);
    while (flow) {
        if (core_job_is_dead(flow->first, now_ns)) {
            core_drop(core, queue, flow, out_dropped);
        } else if (policy_batch_accepts(&batch->sum, &core->options, flow->first)) {
            core_batch_add(batch, queue_take(queue, flow));
        } else {
            return;
        }
        bool empty = batch->sum.job_count == 0;
        flow = empty ? queue_turn(queue) : queue_turn_of_key(queue, batch->jobs[0]->batch_key);
    }
}

/* Takes the long job whose turn it is, if a lane is free. Before any batch of others: lanes are few, so these leave
 * workers for the rest, and would else never run while there is always something short to do. */
static void core_form_long(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped)
{
    Queue *queue = &core->long_queue;
    QueueFlow *flow;
    while (core->lanes.used_count < core->lanes.count && (flow = queue_turn(queue))) {
        if (core_job_is_dead(flow->first, now_ns)) {
            core_drop(core, queue, flow, out_dropped);
            continue;
        }
        core_batch_add(batch, queue_take(queue, flow));
        batch->lane = lanes_take(&core->lanes);
        return;
    }
}

static void core_count_batch(Core *core, const CoreBatch *batch)
{
    if (batch->is_step) return;
    core->gauge.run_batches++;
    core->gauge.run_jobs += batch->sum.job_count;
}

bool core_begin(Core *core, CoreBatch *batch, uint64_t *out_wait_until_ns, SchedulerJob **out_dropped)
{
    assert(core->busy_count + core->helping_count < core->options.worker_count);
    uint64_t now_ns = clock_now_ns(core->options.clock);
    core_account(core, now_ns);
    core_purge(core, now_ns, false, out_dropped);
    *out_wait_until_ns = 0;
    *batch = (CoreBatch){.jobs = batch->jobs, .started_ns = now_ns, .lane = SCHEDULER_NO_LANE};
    if (core->backlog.queue.job_count > 0 && core_job_count(core) > 0 && backlog_is_due(&core->backlog))
        core_form_step(core, batch, now_ns, out_dropped);
    if (batch->sum.job_count == 0) core_form_long(core, batch, now_ns, out_dropped);
    if (batch->sum.job_count == 0 && core->queue.job_count > 0) {
        PolicyView view = core_view(core, now_ns);
        *out_wait_until_ns = policy_wait_until_ns(&view);
        if (*out_wait_until_ns != 0) return false;
        batch->sum.target = policy_batch_tokens(&view);
        core_form(core, batch, now_ns, out_dropped);
    }
    if (batch->sum.job_count == 0) *out_wait_until_ns = core_form_idle_step(core, batch, now_ns, out_dropped);
    if (batch->sum.job_count == 0) return false;
    core->busy_count++;
    core_count_batch(core, batch);
    return true;
}

void core_finish(Core *core, const CoreBatch *batch)
{
    assert(core->busy_count > 0);
    core->busy_count--;
    uint64_t now_ns = clock_now_ns(core->options.clock);
    uint64_t duration_ns = now_ns - batch->started_ns;
    core_account(core, now_ns);
    if (batch->is_step) core_finish_step(core, batch, now_ns);
    if (batch->lane != SCHEDULER_NO_LANE) {
        duration_ns += core->lanes.lane[batch->lane].helped_ns;
        lanes_release(&core->lanes, batch->lane);
    }
    if (!batch->is_step) policy_rates_batch(&core->rates, batch->sum.token_count, batch->charge, duration_ns);
}

bool core_begin_between(Core *core, CoreBatch *batch, SchedulerJob **out_dropped)
{
    if (core->queue.job_count == 0) return false;
    uint64_t now_ns = clock_now_ns(core->options.clock);
    core_account(core, now_ns);
    PolicyView view = core_view(core, now_ns);
    *batch = (CoreBatch){.jobs = batch->jobs, .started_ns = now_ns, .lane = SCHEDULER_NO_LANE};
    batch->sum.target = policy_batch_tokens(&view);
    core_form(core, batch, now_ns, out_dropped);
    if (batch->sum.job_count == 0) return false;
    core_count_batch(core, batch);
    return true;
}

void core_end_between(Core *core, const CoreBatch *batch)
{
    uint64_t duration_ns = clock_now_ns(core->options.clock) - batch->started_ns;
    policy_rates_batch(&core->rates, batch->sum.token_count, batch->charge, duration_ns);
}

bool core_help(Core *core, CoreHelp *out_help)
{
    assert(core->busy_count + core->helping_count < core->options.worker_count);
    out_help->lane = lanes_needing_help(&core->lanes);
    if (out_help->lane == SCHEDULER_NO_LANE) return false;
    out_help->started_ns = clock_now_ns(core->options.clock);
    core->helping_count++;
    return lanes_take_unit(&core->lanes, out_help->lane, &out_help->unit);
}

bool core_help_end(Core *core, const CoreHelp *help)
{
    core->helping_count--;
    core->lanes.lane[help->lane].helped_ns += clock_now_ns(core->options.clock) - help->started_ns;
    return lanes_end_unit(&core->lanes, help->lane);
}

static uint32_t core_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t core_idle_count(const Core *core)
{
    return core->options.worker_count - core->busy_count - core->helping_count;
}

uint32_t core_wanted_workers(const Core *core)
{
    uint32_t lanes = core_least(core->lanes.count - core->lanes.used_count, core->long_queue.job_count);
    return core_least(core->queue.job_count + lanes + backlog_wanted(&core->backlog), core_idle_count(core));
}

uint32_t core_wanted_besides(const Core *core, bool began_step)
{
    if (began_step) return core_wanted_workers(core);
    if (core->backlog.queue.job_count == 0) return 0;
    return core_least(backlog_wanted(&core->backlog), core_idle_count(core));
}

uint32_t core_wanted_helpers(const Core *core, uint32_t unit_count)
{
    return core_least(unit_count - 1, core_idle_count(core));
}

SchedulerGauge core_gauge(const Core *core)
{
    SchedulerGauge gauge = core->gauge;
    gauge.queued_jobs = core_job_count(core);
    gauge.queued_tokens = core_token_count(core);
    gauge.busy_workers = core->busy_count;
    gauge.background_jobs = core->backlog.place_count;
    gauge.steps = core->backlog.steps;
    gauge.steps_ns = core->backlog.steps_ns;
    gauge.steps_ahead_ns = core->backlog.ahead_ns;
    return gauge;
}
