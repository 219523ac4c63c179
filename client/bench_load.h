/* The load of `headlight bench`, from one thread.
 *
 * Closed loop: `concurrency` callers, each asking again as soon as it is answered. Open loop: requests arrive at
 * random (Poisson) at a rate, whether or not earlier ones are answered; a latency counts from the moment the
 * request should have been sent, so a server that stalls is not spared the requests it held up. */
#pragma once

#include "bench_texts.h"
#include "channel.h"
#include "histogram.h"

/* Open loop: calls beyond this many wait on our side; their waiting counts. */
enum { BENCH_IN_FLIGHT_MAX = 10000, BENCH_CODE_COUNT = 17 };

typedef struct BenchResult BenchResult;

typedef struct BenchPlan {
    const BenchTexts *texts;
    uint64_t batch;
    uint64_t concurrency;   /* closed loop */
    double rate;            /* requests per second; 0: closed loop */
    uint64_t warmup_ns;     /* not measured */
    uint64_t duration_ns;   /* 0: no limit */
    uint64_t request_count; /* measured ones; 0: no limit */
    uint64_t deadline_ns;
    uint64_t seed;
    /* Called about once a second; NULL: never. */
    void (*progress)(void *context, const BenchResult *result, uint64_t elapsed_ns);
    void *context;
} BenchPlan;

/* Of the measured requests, but for the throughput. A value. */
struct BenchResult {
    Histogram latency;  /* of the answered ones */
    Histogram lateness; /* open loop: how long after its moment a request was sent: our own share of the latency */
    uint64_t answered_count;
    uint64_t failed_count;
    uint64_t code_counts[BENCH_CODE_COUNT]; /* by gRPC code */
    uint64_t elapsed_ns;                    /* from the first measured request to the last answer */
    /* Throughput: answers that came in the window, whenever they were asked for. With a duration the window ends when
     * it is over, so that requests under way at both ends weigh the same; else with the last answer. */
    uint64_t window_ns;
    uint64_t window_request_count;
    uint64_t window_text_count;
    uint64_t window_token_count; /* as the server counts them */
    Error last_error;            /* of a failed request */
};

/* Runs the plan; ends early after a signal, with what is there. Fails with NO_MEMORY, INTERNAL, and UNAVAILABLE
 * when request after request fails. */
CHECKED Status bench_load_run(Channel *channel, const BenchPlan *plan, BenchResult *out_result, Error *out_error);
