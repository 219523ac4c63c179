/* What the scheduler itself costs a job, in nanoseconds:
 *     scheduler_bench [--jobs N]
 * Three tables: its core alone (submit, batch, finish; one thread), a flood through threads that compute nothing,
 * and one job at a time there and back. */
#include "scheduler/core.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_JOBS = 16384, JOBS_DEFAULT = 400000, PING_COUNT = 5000 };

static const char bench_model;

static SchedulerOptions bench_options(uint32_t worker_count, uint64_t tokens_per_batch)
{
    return (SchedulerOptions){
        .worker_count = worker_count,
        .queue_jobs_max = QUEUE_JOBS,
        .queue_tokens_max = (uint64_t)QUEUE_JOBS * 1024,
        .batch_tokens_max = (uint32_t)tokens_per_batch,
        .batch_jobs_max = 512,
        .batch_work_max = (uint64_t)1 << 50,
        .clock = &clock_monotonic,
    };
}

static void bench_fill(SchedulerJob *jobs, uint32_t count, uint32_t flow_count, uint32_t token_count)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = (SchedulerJob){
            .batch_key = &bench_model,
            .flow = i % flow_count,
            .token_count = token_count,
            .work = token_count * (uint64_t)(20000000 + i % 1000 * 1000),
        };
    }
}

static void bench_fail(const Error *error)
{
    fprintf(stderr, "scheduler_bench: %s\n", error->message);
    exit(1);
}

/* ---- the core alone ---- */

/* Nanoseconds per job with `depth` jobs waiting: keeps the queue that deep, taking batches and submitting as many.
 */
static double bench_core(SchedulerJob *jobs, uint32_t depth, uint32_t flow_count, uint32_t token_count,
                         uint32_t job_count)
{
    SchedulerOptions options = bench_options(1, 512);
    SchedulerJob *batch_jobs[512];
    CoreBatch batch = {.jobs = batch_jobs};
    SchedulerJob *dropped = NULL;
    Core core;
    Error error;
    bench_fill(jobs, depth, flow_count, token_count);
    if (core_open(&core, &options, &error) != STATUS_OK) bench_fail(&error);
    for (uint32_t i = 0; i < depth; i++) {
        if (core_submit(&core, &(SchedulerJob *){&jobs[i]}, 1, &dropped, &error) != STATUS_OK) bench_fail(&error);
    }
    uint64_t begin_ns = clock_now_ns(&clock_monotonic);
    uint32_t done = 0;
    while (done < job_count) {
        uint64_t wait_until_ns;
        if (!core_begin(&core, &batch, &wait_until_ns, &dropped)) break;
        core_finish(&core, &batch);
        for (uint32_t i = 0; i < batch.sum.job_count; i++) {
            Status status = core_submit(&core, &batch_jobs[i], 1, &dropped, &error);
            if (status != STATUS_OK) bench_fail(&error);
        }
        done += batch.sum.job_count;
    }
    double ns = (double)(clock_now_ns(&clock_monotonic) - begin_ns) / done;
    core_close(&core);
    return ns;
}

static void bench_core_table(SchedulerJob *jobs, uint32_t job_count)
{
    static const uint32_t depths[] = {1, 100, 10000};
    static const uint32_t flow_counts[] = {1, 100, 10000};
    printf(
        "core, one thread: ns per job (submit, batch, finish)\n  waiting jobs    flows   16 tokens  128 tokens\n");
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
        for (size_t f = 0; f < sizeof flow_counts / sizeof *flow_counts && flow_counts[f] <= depths[d]; f++) {
            printf("  %12u %8u %11.0f %11.0f\n", depths[d], flow_counts[f],
                   bench_core(jobs, depths[d], flow_counts[f], 16, job_count),
                   bench_core(jobs, depths[d], flow_counts[f], 128, job_count));
        }
    }
}

/* ---- through threads ---- */

typedef struct BenchServer {
    atomic_uint done;
    sem_t answered;
    bool announce; /* post `answered` for each job */
} BenchServer;

static void bench_run(void *context, const SchedulerBatch *batch)
{
    BenchServer *server = context;
    atomic_fetch_add_explicit(&server->done, batch->count, memory_order_release);
    for (uint32_t i = 0; i < batch->count && server->announce; i++) sem_post(&server->answered);
}

static void bench_drop(void *context, SchedulerJob *job, Status reason)
{
    (void)context;
    (void)job;
    fprintf(stderr, "scheduler_bench: a job was dropped: %s\n", status_name(reason));
    exit(1);
}

static Scheduler *bench_open(BenchServer *server, uint32_t worker_count, bool announce)
{
    Scheduler *scheduler;
    Error error;
    SchedulerOptions options = bench_options(worker_count, 512);
    SchedulerCallbacks callbacks = {.context = server, .run = bench_run, .drop = bench_drop};
    *server = (BenchServer){.announce = announce};
    sem_init(&server->answered, 0, 0);
    if (scheduler_open(&options, &callbacks, &scheduler, &error) != STATUS_OK) bench_fail(&error);
    return scheduler;
}

/* Submits as fast as the queue takes them, `group` jobs a call; the batches per job go to *out_batches. */
static double bench_flood(SchedulerJob *jobs, uint32_t worker_count, uint32_t group, uint32_t job_count,
                          double *out_jobs_per_batch)
{
    BenchServer server;
    Scheduler *scheduler = bench_open(&server, worker_count, false);
    SchedulerJob *request[64];
    uint32_t submitted = 0;
    uint64_t begin_ns = clock_now_ns(&clock_monotonic);
    while (submitted < job_count) {
        uint32_t done = atomic_load_explicit(&server.done, memory_order_acquire);
        if (submitted - done + group > QUEUE_JOBS / 2) { /* a job's memory is reused after QUEUE_JOBS others */
            sched_yield();
            continue;
        }
        for (uint32_t i = 0; i < group; i++) request[i] = &jobs[(submitted + i) % QUEUE_JOBS];
        if (scheduler_submit(scheduler, request, group, NULL) != STATUS_OK) continue;
        submitted += group;
    }
    while (atomic_load_explicit(&server.done, memory_order_acquire) < submitted) sched_yield();
    double ns = (double)(clock_now_ns(&clock_monotonic) - begin_ns) / submitted;
    SchedulerGauge gauge = scheduler_gauge(scheduler);
    *out_jobs_per_batch = (double)gauge.run_jobs / (double)gauge.run_batches;
    scheduler_close(scheduler);
    sem_destroy(&server.answered);
    return ns;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One job there and back, with an idle worker: the price of the wake-ups. */
static void bench_ping(SchedulerJob *jobs, uint32_t worker_count)
{
    static double samples_us[PING_COUNT];
    BenchServer server;
    Scheduler *scheduler = bench_open(&server, worker_count, true);
    for (uint32_t i = 0; i < PING_COUNT; i++) {
        uint64_t begin_ns = clock_now_ns(&clock_monotonic);
        if (scheduler_submit(scheduler, &(SchedulerJob *){&jobs[i % QUEUE_JOBS]}, 1, NULL) != STATUS_OK) exit(1);
        sem_wait(&server.answered);
        samples_us[i] = (double)(clock_now_ns(&clock_monotonic) - begin_ns) * 1e-3;
    }
    scheduler_close(scheduler);
    sem_destroy(&server.answered);
    qsort(samples_us, PING_COUNT, sizeof *samples_us, bench_compare);
    printf("  %7u %9.1f %9.1f\n", worker_count, samples_us[PING_COUNT / 2], samples_us[PING_COUNT * 99 / 100]);
}

static void bench_thread_tables(SchedulerJob *jobs, uint32_t job_count)
{
    printf("threads, jobs of 16 tokens as fast as they go: ns per job\n  workers  jobs per submit  ns per job  "
           "jobs per batch\n");
    for (uint32_t worker_count = 1; worker_count <= 2; worker_count++) {
        for (uint32_t group = 1; group <= 64; group *= 8) {
            double jobs_per_batch;
            bench_fill(jobs, QUEUE_JOBS, 16, 16);
            double ns = bench_flood(jobs, worker_count, group, job_count, &jobs_per_batch);
            printf("  %7u %16u %11.0f %15.1f\n", worker_count, group, ns, jobs_per_batch);
        }
    }
    printf("threads, one job at a time, submit to answer: us\n  workers    median       p99\n");
    for (uint32_t worker_count = 1; worker_count <= 2; worker_count++) bench_ping(jobs, worker_count);
}

int main(int argc, char **argv)
{
    uint32_t job_count = JOBS_DEFAULT;
    if (argc == 3 && strcmp(argv[1], "--jobs") == 0) job_count = (uint32_t)strtoul(argv[2], NULL, 10);
    if (argc != 1 && (argc != 3 || job_count == 0)) {
        fprintf(stderr, "usage: scheduler_bench [--jobs N]\n");
        return 2;
    }
    SchedulerJob *jobs = calloc(QUEUE_JOBS, sizeof *jobs);
    if (!jobs) return 1;
    bench_core_table(jobs, job_count);
    bench_thread_tables(jobs, job_count);
    free(jobs);
    return 0;
}
