/* When to run what: pure functions of the queue's state, the clock, the limits and the workers.
 *
 * The numbers. The products of a small encoder (6 layers of 384 x 1,536, 42 MB of fp32 weights), on one AVX-512
 * core with OpenBLAS: a batch of m tokens takes 4.7 ms + 0.2 ms * m, the constant being the one trip of the
 * weights through the core. That is 21 % of the asymptotic rate at 8 tokens, 60 % at 32, 75 % at 64, 87 % at 128,
 * 94 % at 256, 95 to 97 % at 512, and 100 % at 2,048. Packing adds no padding, so nothing else is gained by
 * batching. Hence
 *   - a batch below POLICY_TOKENS_FEW wastes a quarter of its core or more: jobs are put together at least that
 * far, even when another worker is idle: in two halves they would be done no earlier, and cost the weights' trip
 * twice
 *   - a batch beyond POLICY_TOKENS_ENOUGH gains 3 % at most and makes all its jobs wait for the last: it stops
 * there
 *   - between the two, each worker gets its even share of what waits, so that one large request on an idle server
 * is done by all workers, and they finish together
 *
 * Waiting for company. With a worker idle and nothing running, a job starts at once. While all workers are busy,
 * the queue builds the batch by itself. Left is one case: the last idle worker, others busy, few tokens queued.
 * Taken at once the batch fills the server, and the next job waits for a worker to come free, t / n on average for
 * n workers and batches of duration t. Held until the next arrival, after the gap g, both run for one trip of the
 * weights. So it can pay when g < t / n, that is when the load, each arrival run by itself, passes what the server
 * can do. Simulated with the durations above, texts of 10 tokens arriving at random, and a hold of at most t / 2n:
 *   n = 2          0.8 to 2 times that load: mean latency +1 to +4 %, p99 -1 to +2 %
 *   n = 4          mean -4 to +1 %, p99 -7 to +1 %, time of cores -1 to -5 %
 *   n = 8 to 64    mean -7 to 0 %, p99 -18 to 0 %, time of cores 0 to -3 %
 * (held for t / n: mean +6 % at n = 4). Hence from POLICY_WAIT_WORKERS_MIN workers on, and for t / 2n at most. It
 * is a small thing: packing makes the queue itself the batcher. */
#pragma once

#include "base/clock.h"
#include "scheduler/scheduler.h"

#define POLICY_TOKENS_FEW 64u
#define POLICY_TOKENS_ENOUGH 512u
#define POLICY_WAIT_WORKERS_MIN 4u

/* What was measured of late: moving averages, 0 while unknown. One thread at a time. */
typedef struct PolicyRates {
    uint64_t arrived_ns;    /* the last submit */
    double gap_ns;          /* between submits */
    double few_duration_ns; /* of batches of fewer than POLICY_TOKENS_FEW tokens */
    double charge_done;     /* of batches, weighted by age: charge_done / busy_ns is one worker's speed */
    double busy_ns;
} PolicyRates;

void policy_rates_arrival(PolicyRates *rates, uint64_t now_ns);
void policy_rates_batch(PolicyRates *rates, uint64_t token_count, uint64_t charge, uint64_t duration_ns);
/* How long until `charge` of work is done by `worker_count` workers, 1 ms to 10 s; 100 ms while no speed is known.
 */
uint64_t policy_retry_after_ns(const PolicyRates *rates, uint32_t worker_count, double charge);

/* What a decision depends on. */
typedef struct PolicyView {
    const SchedulerOptions *options;
    const PolicyRates *rates;
    uint64_t now_ns;
    uint32_t busy_count; /* of options->worker_count; the rest is idle */
    uint64_t queued_tokens;
    uint64_t oldest_ns; /* of the waiting jobs; read only when policy_may_wait */
    bool draining;
} PolicyView;

/* Whether waiting can be right at all: cheap, so that oldest_ns need not be known. */
bool policy_may_wait(const PolicyView *view);
/* Until when an idle worker leaves the queue alone; 0: forms a batch now. At most wait_max_ns after oldest_ns. */
uint64_t policy_wait_until_ns(const PolicyView *view);

/* How many tokens the next batch should have: an even share, between few and enough. */
uint32_t policy_batch_tokens(const PolicyView *view);

/* A batch being formed. */
typedef struct PolicyBatch {
    uint32_t job_count;
    uint32_t token_count;
    uint64_t work;
    uint32_t target; /* policy_batch_tokens */
} PolicyBatch;

/* Whether `job`, which has the batch's key, joins. The first always does. */
bool policy_batch_accepts(const PolicyBatch *batch, const SchedulerOptions *options, const SchedulerJob *job);
