#include "scheduler/backlog.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Backlog test_open(uint32_t worker_count, uint32_t percent)
{
    Backlog backlog;
    const SchedulerOptions options = {
        .worker_count = worker_count, .background_jobs_max = 10, .background_percent = percent};
    assert_int_equal(backlog_open(&backlog, &options, NULL), STATUS_OK);
    return backlog;
}

static void backlog_owes_what_others_waited(void **state)
{
    (void)state;
    Backlog backlog = test_open(1, 10);
    backlog_account(&backlog, OTHERS_NONE, 1000);
    backlog_enter(&backlog, false);
    backlog_account(&backlog, OTHERS_NONE, 2000); /* nobody waited: free of charge */
    assert_int_equal(backlog_ready_ns(&backlog), 2000);
    backlog_account(&backlog, OTHERS_IN_QUEUE, 3000);
    backlog_leave(&backlog, false);
    assert_int_equal(backlog.ahead_ns, 1000);
    /* 1000 ns at a tenth, of which a tenth fell away meanwhile. */
    assert_in_range(backlog_ready_ns(&backlog), 12000, 12001);
    backlog_account(&backlog, OTHERS_IN_QUEUE, 12001);
    assert_int_equal(backlog_ready_ns(&backlog), 12001);
    backlog_close(&backlog);
}

/* One worker, others always waiting: steps get their share, and no more. */
static void backlog_gets_its_share_of_a_busy_server(void **state)
{
    (void)state;
    Backlog backlog = test_open(1, 20);
    SchedulerJob job = {.work = 1000};
    uint64_t now_ns = 1;
    uint64_t steps_ns = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t duration_ns = 1000 + (uint64_t)(i * 37 % 1000);
        queue_push_placed(&backlog.queue, &job);
        backlog_account(&backlog, OTHERS_IN_QUEUE, now_ns);
        bool due = backlog_is_due(&backlog);
        queue_take(&backlog.queue, queue_turn(&backlog.queue));
        if (due) backlog_enter(&backlog, false);
        now_ns += duration_ns;
        backlog_account(&backlog, OTHERS_IN_QUEUE, now_ns);
        if (due) backlog_leave(&backlog, false);
        if (due) steps_ns += duration_ns;
    }
    assert_in_range(steps_ns * 1000 / now_ns, 180, 201);
    backlog_close(&backlog);
}

static void backlog_leaves_a_worker_to_others(void **state)
{
    (void)state;
    for (uint32_t worker_count = 1; worker_count <= 40; worker_count++) {
        Backlog backlog = test_open(worker_count, 10);
        SchedulerJob jobs[10];
        for (int i = 0; i < 10; i++) {
            jobs[i] = (SchedulerJob){.flow = (uint64_t)i};
            queue_push_placed(&backlog.queue, &jobs[i]);
        }
        uint32_t most = worker_count > 1 ? worker_count - 1 : 1;
        assert_int_equal(backlog_wanted(&backlog), most < 10 ? most : 10);
        uint32_t due_count = 0;
        for (; backlog_is_due(&backlog); due_count++) backlog_enter(&backlog, false);
        assert_int_equal(due_count, (worker_count + 9) / 10);
        backlog_close(&backlog);
    }
}

static void backlog_takes_a_way_given_off_the_account(void **state)
{
    (void)state;
    Backlog backlog = test_open(1, 10);
    backlog_enter(&backlog, true);
    backlog_give_way(&backlog);
    backlog_account(&backlog, OTHERS_IN_QUEUE, 1000);
    assert_int_equal(backlog.ahead_ns, 0);
    backlog_go_on(&backlog);
    backlog_account(&backlog, OTHERS_FOR_A_LANE, 1500);
    assert_int_equal(backlog.ahead_ns, 500);
    backlog_leave(&backlog, true);
    backlog_close(&backlog);
}

static void backlog_refuses_options_out_of_range(void **state)
{
    (void)state;
    Backlog backlog;
    SchedulerOptions options = {.worker_count = 1, .background_jobs_max = 1};
    assert_int_equal(backlog_open(&backlog, &options, NULL), STATUS_INVALID_ARGUMENT);
    options.background_percent = SCHEDULER_BACKGROUND_PERCENT_LIMIT + 1;
    assert_int_equal(backlog_open(&backlog, &options, NULL), STATUS_INVALID_ARGUMENT);
    options.background_percent = 1;
    options.background_jobs_max = SCHEDULER_QUEUE_JOBS_LIMIT + 1;
    assert_int_equal(backlog_open(&backlog, &options, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backlog_owes_what_others_waited),
        cmocka_unit_test(backlog_gets_its_share_of_a_busy_server),
        cmocka_unit_test(backlog_leaves_a_worker_to_others),
        cmocka_unit_test(backlog_takes_a_way_given_off_the_account),
        cmocka_unit_test(backlog_refuses_options_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
