/* The scheduler with real threads: run it under ThreadSanitizer and AddressSanitizer. */
#include "scheduler/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { JOB_COUNT = 4000, SUBMITTER_COUNT = 4, WORKER_COUNT = 8, UNIT_COUNT = 7 };

typedef struct TestJob {
    SchedulerJob job; /* first: run and drop get its address */
    atomic_bool cancelled;
    uint32_t steps_left;
    atomic_uint runs;
    atomic_uint drops;
    _Atomic(Status) reason;
} TestJob;

typedef struct TestServer {
    Scheduler *scheduler;
    atomic_uint done;                    /* run or dropped */
    atomic_uint in_worker[WORKER_COUNT]; /* batches and units that a worker has from the scheduler */
    atomic_uint in_lane;
    atomic_uint helped_units;
    atomic_uint run_count;
    atomic_bool gate_open; /* run waits for it */
} TestServer;

typedef struct TestSubmitter {
    TestServer *server;
    TestJob *jobs; /* [JOB_COUNT] */
    unsigned seed;
    uint32_t accepted;
    uint32_t refused;
} TestSubmitter;

static const char test_model_a;
static const char test_model_b;

static void sleep_ns(uint64_t ns)
{
    struct timespec duration = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    nanosleep(&duration, NULL);
}

typedef struct TestShare {
    TestServer *server;
    const Crew *crew;
    atomic_uint runs[UNIT_COUNT];
} TestShare;

static void test_unit(void *context, uint32_t unit, uint32_t member)
{
    TestShare *share = context;
    TestServer *server = share->server;
    assert_true(unit < UNIT_COUNT);
    atomic_fetch_add(&share->runs[unit], 1);
    if (unit == 0) sleep_ns(20 * NS_PER_US); /* others get a chance */
    if (member == CREW_LEADER) return;
    assert_true(member < WORKER_COUNT);
    assert_int_equal(atomic_fetch_add(&server->in_worker[member], 1), 0);
    atomic_fetch_add(&server->helped_units, 1);
    atomic_fetch_sub(&server->in_worker[member], 1);
    crew_pause(share->crew, member);
}

/* A long job shares its units twice; its worker may have other batches meanwhile. */
static void test_run_long(TestServer *server, const SchedulerBatch *batch)
{
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->lane, 0);
    assert_int_equal(scheduler_lane_count(WORKER_COUNT), 1);
    assert_int_equal(atomic_fetch_add(&server->in_lane, 1), 0);
    atomic_fetch_sub(&server->in_worker[batch->worker], 1);
    for (int phase = 0; phase < 2; phase++) {
        TestShare share = {.server = server, .crew = batch->crew};
        batch->crew->run(batch->crew, UNIT_COUNT, test_unit, &share);
        for (int i = 0; i < UNIT_COUNT; i++) assert_int_equal(atomic_load(&share.runs[i]), 1);
    }
    assert_int_equal(atomic_fetch_add(&server->in_worker[batch->worker], 1), 0);
    atomic_fetch_sub(&server->in_lane, 1);
}

static void test_run(void *context, const SchedulerBatch *batch)
{
    TestServer *server = context;
    uint32_t worker = batch->worker;
    uint32_t count = batch->count;
    assert_true(worker < WORKER_COUNT);
    assert_int_equal(atomic_fetch_add(&server->in_worker[worker], 1), 0);
    while (!atomic_load(&server->gate_open)) sleep_ns(NS_PER_MS / 10);
    if (batch->lane != SCHEDULER_NO_LANE) test_run_long(server, batch);
    const void *key = batch->jobs[0]->batch_key;
    for (uint32_t i = 0; i < count; i++) {
        TestJob *job = (TestJob *)batch->jobs[i];
        assert_ptr_equal(job->job.batch_key, key);
        atomic_fetch_add(&job->runs, 1);
    }
    assert_true(key || count == 1);
    for (uint32_t i = 0; i < count; i++) {
        TestJob *job = (TestJob *)batch->jobs[i];
        if (job->steps_left == 0) continue;
        atomic_fetch_sub(&server->in_worker[worker], 1); /* before the next step may run */
        job->steps_left--;
        atomic_fetch_sub(&job->runs, 1);
        scheduler_step(server->scheduler, &job->job);
        return;
    }
    atomic_fetch_sub(&server->in_worker[worker], 1);
    atomic_fetch_add(&server->run_count, count);
    atomic_fetch_add(&server->done, count);
}

static void test_drop(void *context, SchedulerJob *dropped, Status reason)
{
    TestServer *server = context;
    TestJob *job = (TestJob *)dropped;
    atomic_store(&job->reason, reason);
    atomic_fetch_add(&job->drops, 1);
    atomic_fetch_add(&server->done, 1);
}

static SchedulerOptions test_options(void)
{
    return (SchedulerOptions){
        .worker_count = WORKER_COUNT,
        .queue_jobs_max = 256,
        .queue_tokens_max = 16384,
        .batch_tokens_max = 1024,
        .long_tokens = 250,
        .batch_jobs_max = 64,
        .batch_work_max = (uint64_t)1 << 32,
        .wait_max_ns = 200 * NS_PER_US,
        .background_jobs_max = 64,
        .background_percent = 10,
        .clock = &clock_monotonic,
    };
}

static void test_server_open(TestServer *server, const SchedulerOptions *options)
{
    *server = (TestServer){0};
    atomic_store(&server->gate_open, true);
    SchedulerCallbacks callbacks = {.context = server, .run = test_run, .drop = test_drop};
    Error error;
    assert_int_equal(scheduler_open(options, &callbacks, &server->scheduler, &error), STATUS_OK);
}

static void test_job_fill(TestJob *job, uint64_t flow, uint32_t token_count)
{
    *job = (TestJob){.job = {.flow = flow, .token_count = token_count, .work = token_count * (uint64_t)20000000}};
    job->job.batch_key = &test_model_a;
    job->job.cancelled = &job->cancelled;
}

static void wait_for(atomic_uint *counter, uint32_t value)
{
    for (int i = 0; i < 100000 && atomic_load(counter) != value; i++) sleep_ns(NS_PER_MS / 10);
    assert_int_equal(atomic_load(counter), value);
}

/* Submits its jobs in groups of 1 to 8, cancels some; refused groups are left behind. */
static void *submit_all(void *argument)
{
    TestSubmitter *submitter = argument;
    TestServer *server = submitter->server;
    for (uint32_t begin = 0; begin < JOB_COUNT;) {
        SchedulerJob *group[8];
        uint32_t count = 1 + (uint32_t)rand_r(&submitter->seed) % 8;
        if (count > JOB_COUNT - begin) count = JOB_COUNT - begin;
        for (uint32_t i = 0; i < count; i++) {
            TestJob *job = &submitter->jobs[begin + i];
            int kind = rand_r(&submitter->seed) % 16;
            test_job_fill(job, (uint64_t)rand_r(&submitter->seed) % 5,
                          1 + (uint32_t)rand_r(&submitter->seed) % 300);
            if (kind == 0) job->job.batch_key = NULL;
            if (kind == 1) job->job.batch_key = &test_model_b;
            if (kind == 2) job->job.deadline_ns = clock_now_ns(&clock_monotonic) + NS_PER_MS / 10;
            if (kind == 3) atomic_store(&job->cancelled, true);
            group[i] = &job->job;
        }
        Error error;
        Status status = scheduler_submit(server->scheduler, group, count, &error);
        if (status == STATUS_OK) {
            submitter->accepted += count;
            atomic_store(&submitter->jobs[begin].cancelled, rand_r(&submitter->seed) % 8 == 0);
        } else {
            assert_true(status == STATUS_RESOURCE_EXHAUSTED || status == STATUS_UNAVAILABLE);
            submitter->refused += count;
            if (status == STATUS_RESOURCE_EXHAUSTED) sleep_ns(NS_PER_MS / 20);
        }
        begin += count;
    }
    return NULL;
}

static void check_each_at_most_once(const TestSubmitter *submitter)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < JOB_COUNT; i++) {
        TestJob *job = &submitter->jobs[i];
        uint32_t times = atomic_load(&job->runs) + atomic_load(&job->drops);
        assert_in_range(times, 0, 1);
        seen += times;
    }
    assert_int_equal(seen, submitter->accepted);
}

static void run_submitters(TestServer *server, uint64_t stop_after_ns)
{
    TestSubmitter submitters[SUBMITTER_COUNT];
    pthread_t threads[SUBMITTER_COUNT];
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    for (unsigned i = 0; i < SUBMITTER_COUNT; i++) {
        submitters[i] = (TestSubmitter){.server = server, .seed = seed + i};
        submitters[i].jobs = calloc(JOB_COUNT, sizeof(TestJob));
        assert_non_null(submitters[i].jobs);
        assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &submitters[i]), 0);
    }
    if (stop_after_ns) {
        sleep_ns(stop_after_ns);
        scheduler_stop(server->scheduler);
        TestJob late;
        test_job_fill(&late, 1, 1);
        Status status = scheduler_submit(server->scheduler, &(SchedulerJob *){&late.job}, 1, NULL);
        assert_int_equal(status, STATUS_UNAVAILABLE);
    }
    uint32_t accepted = 0;
    for (unsigned i = 0; i < SUBMITTER_COUNT; i++) {
        pthread_join(threads[i], NULL);
        accepted += submitters[i].accepted;
        assert_int_equal(submitters[i].accepted + submitters[i].refused, JOB_COUNT);
    }
    wait_for(&server->done, accepted);
    scheduler_close(server->scheduler);
    for (unsigned i = 0; i < SUBMITTER_COUNT; i++) {
        check_each_at_most_once(&submitters[i]);
        free(submitters[i].jobs);
    }
    printf("%u of %u jobs accepted, %u run; %u units by helpers\n", accepted, SUBMITTER_COUNT * JOB_COUNT,
           atomic_load(&server->run_count), atomic_load(&server->helped_units));
}

static void scheduler_answers_each_accepted_job_exactly_once(void **state)
{
    (void)state;
    TestServer server;
    SchedulerOptions options = test_options();
    test_server_open(&server, &options);
    run_submitters(&server, 0);
}

static void scheduler_stop_while_submitting_loses_no_job(void **state)
{
    (void)state;
    TestServer server;
    SchedulerOptions options = test_options();
    test_server_open(&server, &options);
    run_submitters(&server, 2 * NS_PER_MS);
}

static void scheduler_close_drops_the_queued_as_unavailable(void **state)
{
    (void)state;
    TestServer server;
    SchedulerOptions options = test_options();
    test_server_open(&server, &options);
    atomic_store(&server.gate_open, false);
    enum { COUNT = 100 };
    TestJob jobs[COUNT];
    SchedulerJob *group[COUNT];
    for (int i = 0; i < COUNT; i++) {
        test_job_fill(&jobs[i], (uint64_t)i, 100);
        group[i] = &jobs[i].job;
    }
    assert_int_equal(scheduler_submit(server.scheduler, group, COUNT, NULL), STATUS_OK);
    for (int i = 0; i < 10000 && scheduler_gauge(server.scheduler).busy_workers < WORKER_COUNT; i++) {
        sleep_ns(NS_PER_MS / 10);
    }
    uint64_t queued = scheduler_gauge(server.scheduler).queued_jobs;
    assert_in_range(queued, 1, COUNT - WORKER_COUNT);
    atomic_store(&server.gate_open, true);
    scheduler_close(server.scheduler);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(atomic_load(&jobs[i].runs) + atomic_load(&jobs[i].drops), 1);
        if (atomic_load(&jobs[i].drops)) assert_int_equal(atomic_load(&jobs[i].reason), STATUS_UNAVAILABLE);
    }
}

/* A request on an idle server must reach a worker long before the hold-back time. */
static void scheduler_starts_a_lone_job_at_once(void **state)
{
    (void)state;
    TestServer server;
    SchedulerOptions options = test_options();
    options.wait_max_ns = 60 * NS_PER_S;
    test_server_open(&server, &options);
    for (uint32_t i = 0; i < 20; i++) {
        TestJob job;
        test_job_fill(&job, 1, 10);
        uint64_t begin_ns = clock_now_ns(&clock_monotonic);
        assert_int_equal(scheduler_submit(server.scheduler, &(SchedulerJob *){&job.job}, 1, NULL), STATUS_OK);
        wait_for(&server.run_count, i + 1);
        assert_true(clock_now_ns(&clock_monotonic) - begin_ns < 10 * NS_PER_S);
    }
    scheduler_close(server.scheduler);
}

/* A tokenized text is submitted from the worker that tokenized it. */
static void submit_follower(void *context, const SchedulerBatch *batch)
{
    TestServer *server = context;
    TestJob *job = (TestJob *)batch->jobs[0];
    TestJob *follower = job + 1;
    if (!job->job.batch_key) {
        test_job_fill(follower, job->job.flow, 50);
        assert_int_equal(scheduler_submit(server->scheduler, &(SchedulerJob *){&follower->job}, 1, NULL),
                         STATUS_OK);
    }
    test_run(context, batch);
}

static void scheduler_run_may_submit_a_further_job(void **state)
{
    (void)state;
    TestServer server = {0};
    atomic_store(&server.gate_open, true);
    SchedulerOptions options = test_options();
    SchedulerCallbacks callbacks = {.context = &server, .run = submit_follower, .drop = test_drop};
    assert_int_equal(scheduler_open(&options, &callbacks, &server.scheduler, NULL), STATUS_OK);
    TestJob jobs[2];
    test_job_fill(&jobs[0], 1, 0);
    jobs[0].job.batch_key = NULL;
    assert_int_equal(scheduler_submit(server.scheduler, &(SchedulerJob *){&jobs[0].job}, 1, NULL), STATUS_OK);
    wait_for(&server.run_count, 2);
    scheduler_close(server.scheduler);
    assert_int_equal(atomic_load(&jobs[1].runs), 1);
}

/* A long job and a short one that comes while it runs. */
typedef struct TestMixed {
    TestServer server; /* first: what test_run gets */
    TestJob jobs[2];
    uint32_t worker_count;
} TestMixed;

/* The first unit sends the short job. Another worker runs it before that unit ends, or the only one before the next. */
static void submit_short(void *context, uint32_t unit, uint32_t member)
{
    TestMixed *mixed = context;
    TestJob *job = &mixed->jobs[1];
    (void)member;
    if (unit == 0) {
        assert_int_equal(scheduler_submit(mixed->server.scheduler, &(SchedulerJob *){&job->job}, 1, NULL),
                         STATUS_OK);
        if (mixed->worker_count > 1) wait_for(&job->runs, 1);
    } else if (mixed->worker_count == 1) {
        assert_int_equal(atomic_load(&job->runs), 1);
    }
}

static void run_mixed(void *context, const SchedulerBatch *batch)
{
    TestMixed *mixed = context;
    if (batch->lane == SCHEDULER_NO_LANE) {
        test_run(context, batch);
        return;
    }
    batch->crew->run(batch->crew, UNIT_COUNT, submit_short, mixed);
    assert_int_equal(atomic_load(&mixed->jobs[1].runs), 1);
    atomic_fetch_add(&mixed->jobs[0].runs, 1);
    atomic_fetch_add(&mixed->server.done, 1);
}

static void scheduler_runs_a_short_job_within_a_long_one(void **state)
{
    (void)state;
    for (uint32_t worker_count = 1; worker_count <= 3; worker_count++) {
        TestMixed mixed = {.worker_count = worker_count};
        atomic_store(&mixed.server.gate_open, true);
        SchedulerOptions options = test_options();
        options.worker_count = worker_count;
        SchedulerCallbacks callbacks = {.context = &mixed, .run = run_mixed, .drop = test_drop};
        assert_int_equal(scheduler_open(&options, &callbacks, &mixed.server.scheduler, NULL), STATUS_OK);
        test_job_fill(&mixed.jobs[0], 1, 300);
        test_job_fill(&mixed.jobs[1], 1, 10);
        assert_int_equal(scheduler_submit(mixed.server.scheduler, &(SchedulerJob *){&mixed.jobs[0].job}, 1, NULL),
                         STATUS_OK);
        wait_for(&mixed.server.done, 2);
        scheduler_close(mixed.server.scheduler);
    }
}

/* Steps of some jobs, in lanes too, while others come and go; stopped in the midst of it or not. */
static void run_with_steps(bool stops)
{
    enum { STEPPING_COUNT = 24 };
    TestServer server;
    TestJob jobs[STEPPING_COUNT];
    SchedulerOptions options = test_options();
    test_server_open(&server, &options);
    assert_int_equal(scheduler_reserve(server.scheduler, STEPPING_COUNT, NULL), STATUS_OK);
    for (uint32_t i = 0; i < STEPPING_COUNT; i++) {
        test_job_fill(&jobs[i], i % 3, i % 4 ? 20 : 300);
        jobs[i].steps_left = 50;
        scheduler_step(server.scheduler, &jobs[i].job);
    }
    enum { OTHERS_COUNT = 2000 };
    TestJob *others = calloc(OTHERS_COUNT, sizeof *others);
    assert_non_null(others);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < OTHERS_COUNT; i++) {
        test_job_fill(&others[i], i % 5, 1 + i % 260);
        if (stops && i == OTHERS_COUNT / 2) scheduler_stop(server.scheduler);
        Status status = scheduler_submit(server.scheduler, &(SchedulerJob *){&others[i].job}, 1, NULL);
        accepted += status == STATUS_OK;
        if (status != STATUS_OK && !stops) sleep_ns(NS_PER_MS / 20);
    }
    wait_for(&server.done, accepted + STEPPING_COUNT);
    scheduler_release(server.scheduler, STEPPING_COUNT);
    for (uint32_t i = 0; i < STEPPING_COUNT; i++) {
        assert_int_equal(atomic_load(&jobs[i].runs) + atomic_load(&jobs[i].drops), 1);
        if (!stops) assert_int_equal(atomic_load(&jobs[i].runs), 1);
    }
    assert_int_equal(scheduler_gauge(server.scheduler).background_jobs, 0);
    for (int i = 0; i < 10000 && scheduler_gauge(server.scheduler).busy_workers > 0; i++) sleep_ns(NS_PER_MS / 10);
    if (!stops) assert_int_equal(scheduler_gauge(server.scheduler).steps, 51 * STEPPING_COUNT);
    scheduler_close(server.scheduler);
    free(others);
}

static void scheduler_runs_every_step_behind_others(void **state)
{
    (void)state;
    run_with_steps(false);
}

static void scheduler_stop_drops_what_has_steps_left(void **state)
{
    (void)state;
    run_with_steps(true);
}

static void scheduler_close_accepts_null(void **state)
{
    (void)state;
    scheduler_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scheduler_answers_each_accepted_job_exactly_once),
        cmocka_unit_test(scheduler_stop_while_submitting_loses_no_job),
        cmocka_unit_test(scheduler_close_drops_the_queued_as_unavailable),
        cmocka_unit_test(scheduler_starts_a_lone_job_at_once),
        cmocka_unit_test(scheduler_run_may_submit_a_further_job),
        cmocka_unit_test(scheduler_runs_a_short_job_within_a_long_one),
        cmocka_unit_test(scheduler_runs_every_step_behind_others),
        cmocka_unit_test(scheduler_stop_drops_what_has_steps_left),
        cmocka_unit_test(scheduler_close_accepts_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
