#include "scheduler/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_COUNT = 400, WORKERS_MAX = 4 };

typedef struct Bench {
    Clock clock;
    Core core;
    SchedulerJob jobs[JOB_COUNT];
    SchedulerJob *batch_jobs[WORKERS_MAX][JOB_COUNT];
    CoreBatch batches[WORKERS_MAX];
} Bench;

static const char test_model;

static SchedulerOptions test_options(uint32_t worker_count)
{
    return (SchedulerOptions){
        .worker_count = worker_count,
        .queue_jobs_max = JOB_COUNT,
        .queue_tokens_max = 100000,
        .batch_tokens_max = 8192,
        .batch_jobs_max = JOB_COUNT,
        .batch_work_max = (uint64_t)1 << 50,
        .wait_max_ns = NS_PER_MS,
        .background_jobs_max = 8,
        .background_percent = 10,
    };
}

static Bench *bench_open(const SchedulerOptions *options)
{
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->clock = clock_virtual(NS_PER_S);
    SchedulerOptions own = *options;
    own.clock = &bench->clock;
    assert_int_equal(core_open(&bench->core, &own, NULL), STATUS_OK);
    for (int i = 0; i < WORKERS_MAX; i++) bench->batches[i].jobs = bench->batch_jobs[i];
    for (int i = 0; i < JOB_COUNT; i++) {
        bench->jobs[i] = (SchedulerJob){.batch_key = &test_model, .token_count = 100, .work = 2000000000};
    }
    return bench;
}

static void bench_close(Bench *bench)
{
    core_close(&bench->core);
    free(bench);
}

static Status bench_submit(Bench *bench, uint32_t begin, uint32_t count, SchedulerJob **out_dropped,
                           Error *out_error)
{
    SchedulerJob *request[JOB_COUNT];
    for (uint32_t i = 0; i < count; i++) request[i] = &bench->jobs[begin + i];
    return core_submit(&bench->core, request, count, out_dropped, out_error);
}

/* The number of jobs in the batch that worker `worker` got; 0: none. */
static uint32_t bench_begin(Bench *bench, int worker)
{
    uint64_t wait_until_ns;
    SchedulerJob *dropped = NULL;
    bool formed = core_begin(&bench->core, &bench->batches[worker], &wait_until_ns, &dropped);
    assert_null(dropped);
    return formed ? bench->batches[worker].sum.job_count : 0;
}

static void core_gives_a_large_request_to_all_idle_workers(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    Bench *bench = bench_open(&options);
    assert_int_equal(bench_submit(bench, 0, 200, NULL, NULL), STATUS_OK);
    assert_int_equal(core_wanted_workers(&bench->core), 2);
    uint64_t done[2] = {0};
    uint32_t left = 200;
    assert_true(left -= bench_begin(bench, 0));
    assert_true(left -= bench_begin(bench, 1));
    while (bench->core.busy_count > 0) {
        for (int worker = 0; worker < 2; worker++) {
            if (bench->batches[worker].sum.job_count == 0) continue;
            done[worker] += bench->batches[worker].sum.token_count;
            core_finish(&bench->core, &bench->batches[worker]);
            if (bench_begin(bench, worker) == 0) bench->batches[worker].sum.job_count = 0;
        }
    }
    assert_int_equal(done[0] + done[1], 20000);
    assert_in_range(done[0], 10000 - POLICY_TOKENS_ENOUGH, 10000 + POLICY_TOKENS_ENOUGH);
    bench_close(bench);
}

static void core_splits_two_texts_between_two_workers(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    Bench *bench = bench_open(&options);
    assert_int_equal(bench_submit(bench, 0, 2, NULL, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_int_equal(bench_begin(bench, 1), 1);
    bench_close(bench);
}

static void core_keeps_a_few_short_texts_together(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    Bench *bench = bench_open(&options);
    for (int i = 0; i < 4; i++) bench->jobs[i].token_count = POLICY_TOKENS_FEW / 4;
    assert_int_equal(bench_submit(bench, 0, 4, NULL, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 4);
    bench_close(bench);
}

static void core_does_not_put_a_short_text_with_a_giant(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    Bench *bench = bench_open(&options);
    bench->jobs[0].token_count = 8;
    bench->jobs[1].token_count = 8000;
    assert_int_equal(bench_submit(bench, 0, 2, NULL, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_ptr_equal(bench->batch_jobs[0][0], &bench->jobs[0]);
    bench_close(bench);
}

static void core_full_queue_says_its_size_and_when_to_come_back(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.queue_jobs_max = 10;
    options.batch_jobs_max = 10;
    Bench *bench = bench_open(&options);
    SchedulerJob *dropped = NULL;
    Error error;
    assert_int_equal(bench_submit(bench, 0, 1, &dropped, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    bench->clock.virtual_now_ns += 10 * NS_PER_MS;
    core_finish(&bench->core, &bench->batches[0]);
    assert_int_equal(bench_submit(bench, 1, 8, &dropped, NULL), STATUS_OK);
    assert_int_equal(bench_submit(bench, 9, 4, &dropped, &error), STATUS_RESOURCE_EXHAUSTED);
    /* Two jobs too many, 10 ms each. */
    assert_in_range(error.retry_after_ns, 19 * NS_PER_MS, 21 * NS_PER_MS);
    assert_non_null(strstr(error.message, "8 of 10 inputs"));
    assert_non_null(strstr(error.message, "800 of 100000 tokens"));
    assert_int_equal(core_gauge(&bench->core).refused_jobs, 4);
    assert_int_equal(core_gauge(&bench->core).queued_jobs, 8);
    bench_close(bench);
}

static void core_refuses_for_good_what_never_fits(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.queue_tokens_max = 9000;
    Bench *bench = bench_open(&options);
    SchedulerJob *dropped = NULL;
    Error error;
    assert_int_equal(bench_submit(bench, 0, 91, &dropped, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "split it"));
    bench->jobs[0].token_count = 9001;
    assert_int_equal(bench_submit(bench, 0, 1, &dropped, &error), STATUS_INVALID_ARGUMENT);
    bench->jobs[1].work = SCHEDULER_JOB_WORK_LIMIT + 1;
    assert_int_equal(bench_submit(bench, 1, 1, &dropped, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(core_gauge(&bench->core).queued_jobs, 0);
    bench_close(bench);
}

/* A model that takes longer texts than all others may be loaded while serving. */
static void core_runs_a_job_beyond_a_batch_by_itself(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.batch_tokens_max = 50;
    options.queue_tokens_max = 50;
    Bench *bench = bench_open(&options);
    SchedulerJob *dropped = NULL;
    Error error;
    assert_int_equal(bench_submit(bench, 0, 1, &dropped, &error), STATUS_INVALID_ARGUMENT);
    core_raise_limits(&bench->core, 0, 100);
    assert_int_equal(bench_submit(bench, 0, 1, &dropped, &error), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    bench_close(bench);
}

static void core_batches_grow_with_the_work_that_is_raised(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.batch_work_max = 1;
    Bench *bench = bench_open(&options);
    SchedulerJob *dropped = NULL;
    assert_int_equal(bench_submit(bench, 0, 4, &dropped, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    core_finish(&bench->core, &bench->batches[0]);
    core_raise_limits(&bench->core, (uint64_t)1 << 50, 0);
    core_raise_limits(&bench->core, 1, 0);
    assert_int_equal(bench_begin(bench, 0), 2);
    bench_close(bench);
}

static void core_dead_jobs_hold_no_room(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.queue_jobs_max = 10;
    options.batch_jobs_max = 10;
    Bench *bench = bench_open(&options);
    SchedulerJob *dropped = NULL;
    atomic_bool cancelled = true;
    assert_int_equal(bench_submit(bench, 0, 1, &dropped, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    for (int i = 1; i <= 5; i++) bench->jobs[i].deadline_ns = bench->clock.virtual_now_ns + NS_PER_MS;
    for (int i = 6; i <= 10; i++) bench->jobs[i].cancelled = &cancelled;
    assert_int_equal(bench_submit(bench, 1, 10, &dropped, NULL), STATUS_OK);
    assert_null(dropped);
    bench->clock.virtual_now_ns += NS_PER_MS;
    assert_int_equal(bench_submit(bench, 11, 10, &dropped, NULL), STATUS_OK);
    int reasons[STATUS_COUNT] = {0};
    for (const SchedulerJob *job = dropped; job; job = job->next) reasons[job->drop_reason]++;
    assert_int_equal(reasons[STATUS_DEADLINE_EXCEEDED], 5);
    assert_int_equal(reasons[STATUS_CANCELLED], 5);
    bench_close(bench);
}

static void core_refuses_options_out_of_range(void **state)
{
    (void)state;
    Clock clock = clock_virtual(1);
    Core core;
    for (int wrong = 0; wrong < 8; wrong++) {
        SchedulerOptions options = test_options(1);
        options.clock = &clock;
        if (wrong == 0) options.worker_count = 0;
        if (wrong == 1) options.worker_count = SCHEDULER_WORKER_COUNT_LIMIT + 1;
        if (wrong == 2) options.queue_jobs_max = 0;
        if (wrong == 3) options.queue_jobs_max = SCHEDULER_QUEUE_JOBS_LIMIT + 1;
        if (wrong == 4) options.batch_jobs_max = 0;
        if (wrong == 5) options.batch_jobs_max = options.queue_jobs_max + 1;
        if (wrong == 6) options.batch_tokens_max = 0;
        if (wrong == 7) options.queue_tokens_max = options.batch_tokens_max - 1;
        assert_int_equal(core_open(&core, &options, NULL), STATUS_INVALID_ARGUMENT);
    }
}

static void core_keeps_a_worker_for_others_than_long_jobs(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    options.long_tokens = 1000;
    Bench *bench = bench_open(&options);
    for (int i = 0; i < 3; i++) bench->jobs[i].token_count = 5000;
    assert_int_equal(bench_submit(bench, 0, 4, NULL, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_int_equal(bench->batches[0].lane, 0);
    assert_int_equal(bench_begin(bench, 1), 1); /* passes the long jobs of its own flow */
    assert_int_equal(bench->batches[1].lane, SCHEDULER_NO_LANE);
    core_finish(&bench->core, &bench->batches[1]);
    assert_int_equal(bench_begin(bench, 1), 0);
    assert_int_equal(core_wanted_workers(&bench->core), 0);
    lanes_share(&bench->core.lanes, 0, 2);
    CoreHelp help;
    assert_true(core_help(&bench->core, &help));
    assert_false(core_help_end(&bench->core, &help));
    uint32_t unit;
    assert_true(lanes_take_unit(&bench->core.lanes, 0, &unit));
    assert_int_not_equal(unit, help.unit);
    assert_true(lanes_end_unit(&bench->core.lanes, 0));
    assert_false(core_help(&bench->core, &help));
    core_finish(&bench->core, &bench->batches[0]);
    assert_int_equal(bench_begin(bench, 1), 1);
    assert_int_equal(bench->batches[1].lane, 0);
    bench_close(bench);
}

static void core_refuses_more_long_jobs_than_their_tokens_leave_room_for(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.long_tokens = 40000;
    Bench *bench = bench_open(&options);
    Error error;
    for (int i = 0; i < 3; i++) bench->jobs[i].token_count = 40001;
    assert_int_equal(bench_submit(bench, 0, 2, NULL, &error), STATUS_OK);
    assert_int_equal(bench_submit(bench, 2, 1, NULL, &error), STATUS_RESOURCE_EXHAUSTED);
    bench_close(bench);
}

static void core_runs_steps_where_nobody_waits(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    Bench *bench = bench_open(&options);
    assert_int_equal(core_reserve(&bench->core, 3, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) core_step(&bench->core, &bench->jobs[i]);
    assert_int_equal(core_wanted_workers(&bench->core), 1);
    assert_int_equal(bench_begin(bench, 0), 1); /* alone, though all are of one model */
    assert_true(bench->batches[0].is_step);
    assert_int_equal(bench_begin(bench, 1), 0); /* left to others */
    assert_int_equal(bench_submit(bench, 3, 1, NULL, NULL), STATUS_OK);
    assert_int_equal(bench_begin(bench, 1), 1);
    assert_false(bench->batches[1].is_step);
    core_finish(&bench->core, &bench->batches[0]);
    SchedulerGauge gauge = core_gauge(&bench->core);
    assert_int_equal(gauge.steps, 1);
    assert_int_equal(gauge.run_jobs, 1);
    assert_int_equal(gauge.background_jobs, 3);
    core_finish(&bench->core, &bench->batches[1]);
    bench_close(bench);
}

static void core_has_others_wait_for_one_step_only(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    Bench *bench = bench_open(&options);
    uint64_t wait_until_ns;
    assert_int_equal(core_reserve(&bench->core, 1, NULL), STATUS_OK);
    core_step(&bench->core, &bench->jobs[0]);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_int_equal(bench_submit(bench, 1, 1, NULL, NULL), STATUS_OK);
    bench->clock.virtual_now_ns += 10 * NS_PER_MS;
    core_step(&bench->core, &bench->jobs[0]);
    core_finish(&bench->core, &bench->batches[0]);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_false(bench->batches[0].is_step);
    core_finish(&bench->core, &bench->batches[0]);
    SchedulerJob *dropped = NULL;
    uint64_t now_ns = bench->clock.virtual_now_ns;
    assert_false(core_begin(&bench->core, &bench->batches[0], &wait_until_ns, &dropped));
    assert_in_range(wait_until_ns - now_ns, 90 * NS_PER_MS, 90 * NS_PER_MS + 1);
    bench->clock.virtual_now_ns = wait_until_ns;
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_true(bench->batches[0].is_step);
    core_finish(&bench->core, &bench->batches[0]);
    assert_int_equal(core_gauge(&bench->core).steps_ahead_ns, 10 * NS_PER_MS);
    bench_close(bench);
}

static void core_bounds_the_places_in_the_background(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    Bench *bench = bench_open(&options);
    Error error;
    assert_int_equal(core_reserve(&bench->core, 9, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(core_reserve(&bench->core, 6, &error), STATUS_OK);
    assert_int_equal(core_reserve(&bench->core, 3, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_true(error.retry_after_ns > 0);
    assert_int_equal(core_reserve(&bench->core, 2, &error), STATUS_OK);
    core_release(&bench->core, 8);
    assert_int_equal(core_reserve(&bench->core, 8, &error), STATUS_OK);
    core_release(&bench->core, 8);
    bench->core.draining = true;
    assert_int_equal(core_reserve(&bench->core, 1, &error), STATUS_UNAVAILABLE);
    bench_close(bench);
}

static void core_drops_dead_steps(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    Bench *bench = bench_open(&options);
    atomic_bool cancelled = true;
    SchedulerJob *dropped = NULL;
    uint64_t wait_until_ns;
    assert_int_equal(core_reserve(&bench->core, 3, NULL), STATUS_OK);
    bench->jobs[0].cancelled = &cancelled;
    bench->jobs[1].deadline_ns = bench->clock.virtual_now_ns;
    for (int i = 0; i < 3; i++) core_step(&bench->core, &bench->jobs[i]);
    assert_true(core_begin(&bench->core, &bench->batches[0], &wait_until_ns, &dropped));
    assert_ptr_equal(bench->batch_jobs[0][0], &bench->jobs[2]);
    assert_ptr_equal(dropped, &bench->jobs[1]);
    assert_int_equal(dropped->drop_reason, STATUS_DEADLINE_EXCEEDED);
    assert_ptr_equal(dropped->next, &bench->jobs[0]);
    assert_int_equal(dropped->next->drop_reason, STATUS_CANCELLED);
    core_step(&bench->core, &bench->jobs[0]);
    dropped = NULL;
    core_clear(&bench->core, &dropped);
    assert_int_equal(dropped->drop_reason, STATUS_UNAVAILABLE);
    bench_close(bench);
}

static void core_runs_a_long_step_in_a_lane(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(2);
    options.long_tokens = 1000;
    Bench *bench = bench_open(&options);
    assert_int_equal(core_reserve(&bench->core, 1, NULL), STATUS_OK);
    bench->jobs[0].token_count = bench->jobs[1].token_count = 5000;
    core_step(&bench->core, &bench->jobs[0]);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_int_equal(bench->batches[0].lane, 0);
    assert_int_equal(bench_submit(bench, 1, 1, NULL, NULL), STATUS_OK); /* which waits for the lane */
    bench->clock.virtual_now_ns += NS_PER_MS;
    assert_false(core_gives_way(&bench->core)); /* nobody can run meanwhile */
    assert_int_equal(bench_submit(bench, 2, 1, NULL, NULL), STATUS_OK);
    assert_true(core_gives_way(&bench->core));
    assert_true(core_goes_behind(&bench->core));
    assert_int_equal(bench_begin(bench, 1), 1);
    assert_false(core_goes_behind(&bench->core));
    core_go_on(&bench->core);
    core_finish(&bench->core, &bench->batches[0]);
    assert_int_equal(bench_begin(bench, 0), 1);
    assert_ptr_equal(bench->batch_jobs[0][0], &bench->jobs[1]);
    bench_close(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_gives_a_large_request_to_all_idle_workers),
        cmocka_unit_test(core_splits_two_texts_between_two_workers),
        cmocka_unit_test(core_keeps_a_few_short_texts_together),
        cmocka_unit_test(core_does_not_put_a_short_text_with_a_giant),
        cmocka_unit_test(core_full_queue_says_its_size_and_when_to_come_back),
        cmocka_unit_test(core_refuses_for_good_what_never_fits),
        cmocka_unit_test(core_runs_a_job_beyond_a_batch_by_itself),
        cmocka_unit_test(core_batches_grow_with_the_work_that_is_raised),
        cmocka_unit_test(core_dead_jobs_hold_no_room),
        cmocka_unit_test(core_keeps_a_worker_for_others_than_long_jobs),
        cmocka_unit_test(core_refuses_more_long_jobs_than_their_tokens_leave_room_for),
        cmocka_unit_test(core_refuses_options_out_of_range),
        cmocka_unit_test(core_runs_steps_where_nobody_waits),
        cmocka_unit_test(core_has_others_wait_for_one_step_only),
        cmocka_unit_test(core_bounds_the_places_in_the_background),
        cmocka_unit_test(core_drops_dead_steps),
        cmocka_unit_test(core_runs_a_long_step_in_a_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
