#include "scheduler/queue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char test_model_a;
static const char test_model_b;

static Queue test_open(uint32_t jobs_max)
{
    Queue queue;
    assert_int_equal(queue_open(&queue, jobs_max, 0, NULL), STATUS_OK);
    return queue;
}

static SchedulerJob test_job(uint64_t flow, uint64_t units)
{
    return (SchedulerJob){.batch_key = &test_model_a, .flow = flow, .token_count = 10, .work = units << 20};
}

static SchedulerJob *test_take(Queue *queue)
{
    QueueFlow *flow = queue_turn(queue);
    return flow ? queue_take(queue, flow) : NULL;
}

static void queue_keeps_the_order_within_a_flow(void **state)
{
    (void)state;
    Queue queue = test_open(100);
    SchedulerJob jobs[100];
    for (int i = 0; i < 100; i++) {
        jobs[i] = test_job(7, (uint64_t)(i * 37 % 11));
        queue_push(&queue, &jobs[i]);
    }
    for (int i = 0; i < 100; i++) assert_ptr_equal(test_take(&queue), &jobs[i]);
    assert_null(test_take(&queue));
    assert_int_equal(queue.token_count, 0);
    assert_int_equal(queue.charge, 0);
    queue_close(&queue);
}

/* One flow's jobs are ten times as long: it gets a tenth of the turns. */
static void queue_shares_by_work_not_by_jobs(void **state)
{
    (void)state;
    Queue queue = test_open(1000);
    SchedulerJob long_jobs[100];
    SchedulerJob short_jobs[900];
    for (int i = 0; i < 100; i++) {
        long_jobs[i] = test_job(1, 1000);
        queue_push(&queue, &long_jobs[i]);
    }
    for (int i = 0; i < 900; i++) {
        short_jobs[i] = test_job(2, 100);
        queue_push(&queue, &short_jobs[i]);
    }
    uint64_t done[3] = {0};
    for (int i = 0; i < 550; i++) {
        const SchedulerJob *job = test_take(&queue);
        done[job->flow] += queue_charge(job) / QUEUE_CHARGE_MIN;
        assert_in_range(done[1] + 1100 - done[2], 0, 2200);
    }
    queue_close(&queue);
}

/* Who always has one long job waiting must not start as a newcomer each time. */
static void queue_remembers_what_an_idle_flow_has_had(void **state)
{
    (void)state;
    Queue queue = test_open(1000);
    SchedulerJob short_jobs[900];
    for (int i = 0; i < 900; i++) {
        short_jobs[i] = test_job(2, 10);
        queue_push(&queue, &short_jobs[i]);
    }
    uint64_t done[3] = {0};
    SchedulerJob long_job;
    bool queued = false;
    while (queue.job_count > 100) {
        if (!queued) {
            long_job = test_job(1, 1000);
            queue_push(&queue, &long_job);
            queued = true;
        }
        const SchedulerJob *job = test_take(&queue);
        if (job == &long_job) queued = false;
        done[job->flow] += job->work >> 20;
    }
    assert_in_range(done[1], done[2] - 1100, done[2] + 1100);
    queue_close(&queue);
}

/* An endless row of new flows with one job each, all of which start at the front. */
static void queue_bounds_the_wait_against_endless_newcomers(void **state)
{
    (void)state;
    enum { CROWD = 50 };
    Queue queue = test_open(100);
    SchedulerJob mine[2] = {test_job(0, 1000), test_job(0, 1)};
    SchedulerJob crowd[CROWD];
    uint64_t next_flow = 1;
    queue_push(&queue, &mine[0]);
    queue_push(&queue, &mine[1]);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = test_job(next_flow++, 1000);
        queue_push(&queue, &crowd[i]);
    }
    uint64_t w = queue_charge(&mine[0]);
    uint64_t bound = (CROWD + 1 + QUEUE_IDLE_FLOWS_MAX) * (w + 3 * w);
    uint64_t taken = 0;
    for (;;) {
        SchedulerJob *job = test_take(&queue);
        if (job == &mine[1]) break;
        taken += queue_charge(job);
        assert_true(taken <= bound);
        if (job == &mine[0]) continue;
        *job = test_job(next_flow++, 1000);
        queue_push(&queue, job);
    }
    /* Far from the bound: few idle flows are remembered, so N is about the crowd. */
    assert_true(taken <= 4 * CROWD * w);
    queue_close(&queue);
}

static void queue_rotates_between_keys(void **state)
{
    (void)state;
    Queue queue = test_open(100);
    SchedulerJob jobs[40];
    for (int i = 0; i < 40; i++) {
        jobs[i] = test_job((uint64_t)i % 2, 100);
        jobs[i].batch_key = i % 2 ? &test_model_b : &test_model_a;
        queue_push(&queue, &jobs[i]);
    }
    for (int i = 0; i < 40; i++) assert_ptr_equal(test_take(&queue), &jobs[i]);
    queue_close(&queue);
}

static void queue_key_runs_ahead_no_further_than_the_slack(void **state)
{
    (void)state;
    Queue queue;
    assert_int_equal(queue_open(&queue, 100, (uint64_t)300 << 20, NULL), STATUS_OK);
    SchedulerJob jobs[21];
    for (int i = 0; i < 20; i++) {
        jobs[i] = test_job(1, 99); /* 100 units with the least charge */
        queue_push(&queue, &jobs[i]);
    }
    jobs[20] = test_job(2, 99);
    jobs[20].batch_key = &test_model_b;
    queue_push(&queue, &jobs[20]);
    QueueFlow *flow = queue_turn(&queue);
    int count = 0;
    for (; flow; flow = queue_turn_of_key(&queue, &test_model_a), count++) queue_take(&queue, flow);
    assert_int_equal(count, 4); /* at 0, 100, 200 and 300 */
    assert_ptr_equal(test_take(&queue), &jobs[20]);
    queue_close(&queue);
}

static bool test_is_odd(SchedulerJob *job, uint64_t now_ns)
{
    (void)now_ns;
    return job->deadline_ns % 2 == 1;
}

static void queue_purge_removes_the_dead_and_keeps_the_order(void **state)
{
    (void)state;
    Queue queue = test_open(200);
    SchedulerJob jobs[200];
    for (uint64_t i = 0; i < 200; i++) {
        jobs[i] = test_job(i % 7, 5);
        jobs[i].deadline_ns = 1000 + i;
        if (i % 3 == 0) jobs[i].batch_key = &test_model_b;
        queue_push(&queue, &jobs[i]);
    }
    assert_int_equal(queue.deadline_least_ns, 1000);
    SchedulerJob *dead = NULL;
    queue_purge(&queue, test_is_odd, 1, &dead);
    int dead_count = 0;
    for (const SchedulerJob *job = dead; job; job = job->next, dead_count++) {
        assert_int_equal(job->deadline_ns % 2, 1);
    }
    assert_int_equal(dead_count, 100);
    assert_int_equal(queue.job_count, 100);
    uint64_t last[7] = {0};
    for (SchedulerJob *job; (job = test_take(&queue));) {
        assert_int_equal(job->deadline_ns % 2, 0);
        assert_true(job->deadline_ns > last[job->flow]);
        last[job->flow] = job->deadline_ns;
    }
    assert_int_equal(queue.job_count, 0);
    queue_close(&queue);
}

/* More flows come and go than there are slots. */
static void queue_survives_any_number_of_flows(void **state)
{
    (void)state;
    Queue queue = test_open(2);
    SchedulerJob jobs[2];
    for (uint64_t i = 0; i < 20000; i++) {
        jobs[0] = test_job(2 * i, i % 977);
        jobs[1] = test_job(2 * i + 1, 1 << 20);
        queue_push(&queue, &jobs[0]);
        queue_push(&queue, &jobs[1]);
        assert_non_null(test_take(&queue));
        assert_non_null(test_take(&queue));
        assert_true(queue.flow_count <= 2 + QUEUE_IDLE_FLOWS_MAX);
    }
    queue_close(&queue);
}

/* Jobs that come back, whatever their keys, stand where they stood. */
static void queue_puts_a_job_back_in_its_place(void **state)
{
    (void)state;
    Queue queue = test_open(100);
    queue.keyless = true;
    SchedulerJob jobs[6];
    for (uint64_t i = 0; i < 6; i++) {
        jobs[i] = test_job(7, 10);
        jobs[i].batch_key = i % 2 ? &test_model_a : &test_model_b;
        jobs[i].place = i + 1;
        queue_push_placed(&queue, &jobs[i]);
    }
    assert_ptr_equal(test_take(&queue), &jobs[0]);
    assert_ptr_equal(test_take(&queue), &jobs[1]);
    assert_ptr_equal(test_take(&queue), &jobs[2]);
    queue_push_placed(&queue, &jobs[1]);
    queue_push_placed(&queue, &jobs[2]);
    queue_push_placed(&queue, &jobs[0]);
    for (int i = 0; i < 6; i++) assert_ptr_equal(test_take(&queue), &jobs[i]);
    assert_null(test_take(&queue));
    assert_int_equal(queue.charge, 0);
    queue_close(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_puts_a_job_back_in_its_place),
        cmocka_unit_test(queue_keeps_the_order_within_a_flow),
        cmocka_unit_test(queue_shares_by_work_not_by_jobs),
        cmocka_unit_test(queue_remembers_what_an_idle_flow_has_had),
        cmocka_unit_test(queue_bounds_the_wait_against_endless_newcomers),
        cmocka_unit_test(queue_rotates_between_keys),
        cmocka_unit_test(queue_key_runs_ahead_no_further_than_the_slack),
        cmocka_unit_test(queue_purge_removes_the_dead_and_keeps_the_order),
        cmocka_unit_test(queue_survives_any_number_of_flows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
