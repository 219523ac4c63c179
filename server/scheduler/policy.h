/* When to run what: pure functions of the queue's state, the clock, the limits and the workers.
 *
 * The numbers, of all-MiniLM-L6-v2 (42 MB of weights in its layers) on one core by encoder_bench, with texts of up to
 * 16 tokens: the share of the best rate, by the tokens of a batch.
 *                      2     4     8    16    32    64   128   256   512
 *     avx512 packed   35 %  62 %  87 %  95 %  98 %  99 % 100 %  98 %  98 %
 *     avx2 packed                       76 %        97 % 100 % 100 %
 *     OpenBLAS                          52 %        97 %  98 % 100 %  94 %
 * What a short batch loses is the one trip of the weights through the core. Packing adds no padding, so nothing else
 * is gained by batching. Hence
 *   - a batch grows to POLICY_TOKENS_FEW even when other workers are idle: in parts it would be done little earlier
 *   - a batch stops at POLICY_TOKENS_ENOUGH: more gains nothing and makes all its jobs wait for the last. Not at 128:
 *     many cores share the memory that the weights come from, and 256 halves the trips for 1 or 2 % (not measured: the
 *     machine had two cores)
 *   - between the two, each worker gets its even share of what waits, so that one large request on an idle server is
 *     done by all workers, and they finish together
 *
 * Waiting for company. With a worker idle and nothing running, a job starts at once. While all workers are busy, the
 * queue builds the batch by itself. Left is one case: the last idle worker, others busy, few tokens queued. Taken at
 * once the batch fills the server, and the next job waits for a worker to come free, t / n on average for n workers and
 * batches of duration t. Held until the next arrival, after the gap g, both run for one trip of the weights. So it
 * can pay when g < t / n, that is when the load, each arrival run by itself, passes what the server can do. Simulated
 * with texts of 5 and 10 tokens arriving at random at 0.8 to 2 times that load, held for t / 2n at most (OpenBLAS with
 * 64 for POLICY_TOKENS_FEW):
 *     trip of the weights     workers      mean latency     p99
 *     0.6 ms (avx512 packed)  4            0 to +4 %        -2 to +1 %
 *                             8 to 64      -2 to +1 %       -2 to +1 % (once -27 %)
 *     4.7 ms (OpenBLAS)       2            +1 to +4 %       -1 to +2 %
 *                             4            -4 to +1 %       -7 to +1 %
 *                             8 to 64      -7 to 0 %        -18 to 0 %
 * Hence from POLICY_WAIT_WORKERS_MIN workers on, and for t / 2n at most (t / n costs more than it gains). It is a small
 * thing: packing makes the queue itself the batcher. */
#pragma once

#include "base/clock.h"
#include "scheduler/scheduler.h"

#define POLICY_TOKENS_FEW 16u
#define POLICY_TOKENS_ENOUGH 256u
#define POLICY_WAIT_WORKERS_MIN 8u

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
    uint32_t lane_count; /* of the busy ones, those that lead a long job and will not be back soon */
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
