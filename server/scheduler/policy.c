#include "scheduler/policy.h"

#include <assert.h>

/* Weights of the newest sample: the gap and the duration follow some 8 events, the speed some 32 batches. */
static const double policy_event_weight = 1.0 / 8;
static const double policy_speed_decay = 1.0 - 1.0 / 32;

static const uint64_t policy_retry_min_ns = NS_PER_MS;
static const uint64_t policy_retry_max_ns = 10 * NS_PER_S;
static const uint64_t policy_retry_unknown_ns = 100 * NS_PER_MS;

static_assert(POLICY_WAIT_WORKERS_MIN >= 2, "with one worker the last idle one may be alone: it never waits");

static void policy_average(double *average, double sample)
{
    *average = *average == 0 ? sample : *average + policy_event_weight * (sample - *average);
}

void policy_rates_arrival(PolicyRates *rates, uint64_t now_ns)
{
    if (rates->arrived_ns != 0) policy_average(&rates->gap_ns, (double)(now_ns - rates->arrived_ns));
    rates->arrived_ns = now_ns;
}

void policy_rates_batch(PolicyRates *rates, uint64_t token_count, uint64_t charge, uint64_t duration_ns)
{
    rates->charge_done = rates->charge_done * policy_speed_decay + (double)charge;
    rates->busy_ns = rates->busy_ns * policy_speed_decay + (double)duration_ns;
    if (token_count > 0 && token_count < POLICY_TOKENS_FEW) {
        policy_average(&rates->few_duration_ns, (double)duration_ns);
    }
}

uint64_t policy_retry_after_ns(const PolicyRates *rates, uint32_t worker_count, double charge)
{
    if (rates->charge_done <= 0 || rates->busy_ns <= 0) return policy_retry_unknown_ns;
    double wait_ns = charge * rates->busy_ns / rates->charge_done / worker_count;
    if (wait_ns < (double)policy_retry_min_ns) return policy_retry_min_ns;
    if (wait_ns > (double)policy_retry_max_ns) return policy_retry_max_ns;
    return (uint64_t)wait_ns;
}

bool policy_may_wait(const PolicyView *view)
{
    bool last_idle = view->busy_count + 1 == view->options->worker_count;
    bool many = view->options->worker_count >= POLICY_WAIT_WORKERS_MIN;
    bool few = view->queued_tokens > 0 && view->queued_tokens < POLICY_TOKENS_FEW;
    return view->options->wait_max_ns > 0 && !view->draining && many && last_idle && few;
}

uint64_t policy_wait_until_ns(const PolicyView *view)
{
    const PolicyRates *rates = view->rates;
    if (!policy_may_wait(view) || rates->gap_ns <= 0 || rates->arrived_ns == 0) return 0;
    /* The time since the last arrival is a gap in the making: when nobody comes any more, the average is history.
     */
    double gap_ns = rates->gap_ns;
    double silence_ns = (double)(view->now_ns - rates->arrived_ns);
    if (gap_ns < silence_ns) gap_ns = silence_ns;
    double next_free_ns = rates->few_duration_ns / view->options->worker_count;
    if (gap_ns >= next_free_ns) return 0;
    uint64_t wait_ns = view->options->wait_max_ns;
    if (next_free_ns / 2 < (double)wait_ns) wait_ns = (uint64_t)(next_free_ns / 2);
    uint64_t until_ns = view->oldest_ns + wait_ns;
    return until_ns > view->now_ns ? until_ns : 0;
}

uint32_t policy_batch_tokens(const PolicyView *view)
{
    uint32_t worker_count = view->options->worker_count - view->lane_count;
    if (worker_count == 0) worker_count = 1;
    uint64_t share = (view->queued_tokens + worker_count - 1) / worker_count;
    if (share < POLICY_TOKENS_FEW) return POLICY_TOKENS_FEW;
    if (share > POLICY_TOKENS_ENOUGH) return POLICY_TOKENS_ENOUGH;
    return (uint32_t)share;
}

bool policy_batch_accepts(const PolicyBatch *batch, const SchedulerOptions *options, const SchedulerJob *job)
{
    if (batch->job_count == 0) return true;
    if (!job->batch_key || batch->job_count >= options->batch_jobs_max) return false;
    if (batch->work > options->batch_work_max || job->work > options->batch_work_max - batch->work) return false;
    /* A batch with few tokens takes more than its share rather than run inefficiently; but no giant, for which its
     * short jobs would have to wait. */
    uint32_t tokens_max = batch->token_count < POLICY_TOKENS_FEW ? POLICY_TOKENS_ENOUGH : batch->target;
    if (tokens_max > options->batch_tokens_max) tokens_max = options->batch_tokens_max;
    return batch->token_count <= tokens_max && job->token_count <= tokens_max - batch->token_count;
}
