/* Links headlight_scheduler. Every allocation of opening a scheduler fails in turn; running one allocates nothing.
 */
#include "scheduler/scheduler.h"
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void count_run(void *context, const SchedulerBatch *batch)
{
    atomic_fetch_add((atomic_uint *)context, batch->count);
}

static void count_drop(void *context, SchedulerJob *job, Status reason)
{
    (void)job;
    (void)reason;
    atomic_fetch_add((atomic_uint *)context, 1);
}

static Status open_and_use(void *context, Error *out_error)
{
    const SchedulerOptions *options = context;
    atomic_uint answered = 0;
    SchedulerCallbacks callbacks = {.context = &answered, .run = count_run, .drop = count_drop};
    Scheduler *scheduler = NULL;
    Status status = scheduler_open(options, &callbacks, &scheduler, out_error);
    if (status != STATUS_OK) {
        assert_null(scheduler);
        return status;
    }
    SchedulerJob jobs[10];
    SchedulerJob *request[10];
    for (int i = 0; i < 10; i++) {
        jobs[i] = (SchedulerJob){.batch_key = options, .flow = (uint64_t)i, .token_count = 10, .work = 1000};
        request[i] = &jobs[i];
    }
    status = scheduler_submit(scheduler, request, 10, out_error);
    scheduler_close(scheduler);
    assert_int_equal(atomic_load(&answered), status == STATUS_OK ? 10 : 0);
    return status;
}

static void scheduler_survives_every_failing_allocation(void **state)
{
    (void)state;
    SchedulerOptions options = {
        .worker_count = 2,
        .queue_jobs_max = 100,
        .queue_tokens_max = 10000,
        .batch_tokens_max = 1000,
        .batch_jobs_max = 32,
        .batch_work_max = (uint64_t)1 << 40,
        .clock = &clock_monotonic,
    };
    walk_faults("scheduler", open_and_use, &options, WALK_STRICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scheduler_survives_every_failing_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
