#include "scheduler/core.h"

#include <assert.h>
#include <inttypes.h>

/* A purge looks at every job: some 100 us for 10,000 of them, so not more often than this. */
static const uint64_t core_purge_period_ns = NS_PER_MS;

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
    return queue_open(&core->queue, options->queue_jobs_max, options->batch_work_max, out_error);
}

void core_close(Core *core)
{
    queue_close(&core->queue);
}

void core_raise_limits(Core *core, uint64_t batch_work, uint32_t job_tokens)
{
    if (core->options.queue_tokens_max < job_tokens) core->options.queue_tokens_max = job_tokens;
    if (core->options.batch_work_max >= batch_work) return;
    core->options.batch_work_max = batch_work;
    queue_raise_slack(&core->queue, batch_work);
}

/* ---- dead jobs ---- */

static bool core_job_is_dead(SchedulerJob *job, uint64_t now_ns)
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
    if (!room_wanted && now_ns < core->queue.deadline_least_ns) return;
    if (core->purged_ns != 0 && now_ns - core->purged_ns < core_purge_period_ns) return;
    uint32_t before = core->queue.job_count;
    queue_purge(&core->queue, core_job_is_dead, now_ns, out_dropped);
    core->gauge.dropped_jobs += before - core->queue.job_count;
    core->purged_ns = now_ns;
}

void core_clear(Core *core, SchedulerJob **out_dropped)
{
    QueueFlow *flow;
    while ((flow = queue_turn(&core->queue))) {
        SchedulerJob *job = queue_discard(&core->queue, flow);
        job->drop_reason = STATUS_UNAVAILABLE;
        job->next = *out_dropped;
        *out_dropped = job;
        core->gauge.dropped_jobs++;
    }
}

/* ---- submit ---- */

/* What a request adds to the queue. */
typedef struct CoreDemand {
    uint32_t jobs;
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
    }
    if (demand->jobs > options->queue_jobs_max || demand->tokens > options->queue_tokens_max) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "a request of %u inputs and %" PRIu64
                         " tokens never fits into the queue, which takes %u and "
                         "%" PRIu64 ": split it",
                         demand->jobs, demand->tokens, options->queue_jobs_max, options->queue_tokens_max);
    }
    return STATUS_OK;
}

static bool core_has_room(const Core *core, const CoreDemand *demand)
{
    return demand->jobs <= core->options.queue_jobs_max - core->queue.job_count &&
           demand->tokens <= core->options.queue_tokens_max - core->queue.token_count;
}

/* Room comes as the queue is worked off; estimated as if every job and token in it took the same time. */
static uint64_t core_retry_after_ns(const Core *core, const CoreDemand *demand)
{
    const Queue *queue = &core->queue;
    double part = 0;
    if (queue->job_count + demand->jobs > core->options.queue_jobs_max) {
        part = (double)(queue->job_count + demand->jobs - core->options.queue_jobs_max) / queue->job_count;
    }
    if (queue->token_count + demand->tokens > core->options.queue_tokens_max) {
        uint64_t excess = queue->token_count + demand->tokens - core->options.queue_tokens_max;
        double tokens_part = (double)excess / (double)queue->token_count;
        if (part < tokens_part) part = tokens_part;
    }
    return policy_retry_after_ns(&core->rates, core->options.worker_count, part * (double)queue->charge);
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
              core->queue.job_count, core->options.queue_jobs_max, core->queue.token_count,
              core->options.queue_tokens_max, demand->jobs, demand->tokens, retry_after_ms);
    if (out_error) out_error->retry_after_ns = retry_after_ns;
    return STATUS_RESOURCE_EXHAUSTED;
}

Status core_submit(Core *core, SchedulerJob *const *jobs, uint32_t count, SchedulerJob **out_dropped,
                   Error *out_error)
{
    assert(count >= 1);
    if (core->draining) {
        return error_set(out_error, STATUS_UNAVAILABLE, "the server is shutting down: try another one, or later");
    }
    CoreDemand demand = {.jobs = count};
    Status status = core_check_jobs(core, jobs, &demand, out_error);
    if (status != STATUS_OK) return status;
    uint64_t now_ns = clock_now_ns(core->options.clock);
    core_purge(core, now_ns, !core_has_room(core, &demand), out_dropped);
    if (!core_has_room(core, &demand)) return core_refuse(core, &demand, out_error);
    policy_rates_arrival(&core->rates, now_ns);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i]->submitted_ns = now_ns;
        queue_push(&core->queue, jobs[i]);
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
        .queued_tokens = core->queue.token_count,
        .draining = core->draining,
    };
    if (policy_may_wait(&view)) view.oldest_ns = queue_oldest_ns(&core->queue);
    return view;
}

static void core_batch_add(CoreBatch *batch, SchedulerJob *job)
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
            SchedulerJob *job = queue_discard(queue, flow);
            job->next = *out_dropped;
            *out_dropped = job;
            core->gauge.dropped_jobs++;
        } else if (policy_batch_accepts(&batch->sum, &core->options, flow->first)) {
            core_batch_add(batch, queue_take(queue, flow));
        } else {
            return;
        }
        bool empty = batch->sum.job_count == 0;
        flow = empty ? queue_turn(queue) : queue_turn_of_key(queue, batch->jobs[0]->batch_key);
    }
}

bool core_begin(Core *core, CoreBatch *batch, uint64_t *out_wait_until_ns, SchedulerJob **out_dropped)
{
    assert(core->busy_count < core->options.worker_count);
    uint64_t now_ns = clock_now_ns(core->options.clock);
    core_purge(core, now_ns, false, out_dropped);
    *out_wait_until_ns = 0;
    if (core->queue.job_count == 0) return false;
    PolicyView view = core_view(core, now_ns);
    *out_wait_until_ns = policy_wait_until_ns(&view);
    if (*out_wait_until_ns != 0) return false;
    batch->sum = (PolicyBatch){.target = policy_batch_tokens(&view)};
    batch->charge = 0;
    batch->started_ns = now_ns;
    core_form(core, batch, now_ns, out_dropped);
    if (batch->sum.job_count == 0) return false;
    core->busy_count++;
    core->gauge.run_batches++;
    core->gauge.run_jobs += batch->sum.job_count;
    return true;
}

void core_finish(Core *core, const CoreBatch *batch)
{
    assert(core->busy_count > 0);
    core->busy_count--;
    uint64_t duration_ns = clock_now_ns(core->options.clock) - batch->started_ns;
    policy_rates_batch(&core->rates, batch->sum.token_count, batch->charge, duration_ns);
}

uint32_t core_wanted_workers(const Core *core)
{
    uint32_t idle_count = core->options.worker_count - core->busy_count;
    return core->queue.job_count < idle_count ? core->queue.job_count : idle_count;
}

SchedulerGauge core_gauge(const Core *core)
{
    SchedulerGauge gauge = core->gauge;
    gauge.queued_jobs = core->queue.job_count;
    gauge.queued_tokens = core->queue.token_count;
    gauge.busy_workers = core->busy_count;
    return gauge;
}
