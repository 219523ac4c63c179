#include "scheduler/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char test_model;

static SchedulerOptions test_options(uint32_t worker_count)
{
    return (SchedulerOptions){
        .worker_count = worker_count,
        .queue_jobs_max = 1000,
        .queue_tokens_max = 100000,
        .batch_tokens_max = 8192,
        .batch_jobs_max = 100,
        .batch_work_max = (uint64_t)1 << 40,
        .wait_max_ns = 2 * NS_PER_MS,
        .clock = &clock_monotonic,
    };
}

/* A load at which holding back pays: 8 workers, batches of 8 ms, a request each 0.1 ms. */
static PolicyRates test_busy_rates(uint64_t now_ns)
{
    return (PolicyRates){.arrived_ns = now_ns - 10 * NS_PER_US, .gap_ns = 1e5, .few_duration_ns = 8e6};
}

static PolicyView test_view(const SchedulerOptions *options, const PolicyRates *rates)
{
    return (PolicyView){
        .options = options,
        .rates = rates,
        .now_ns = NS_PER_S,
        .busy_count = options->worker_count - 1,
        .queued_tokens = 10,
        .oldest_ns = NS_PER_S - 10 * NS_PER_US,
    };
}

static void policy_holds_back_the_last_idle_worker_under_load(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(8);
    PolicyRates rates = test_busy_rates(NS_PER_S);
    PolicyView view = test_view(&options, &rates);
    /* 8 ms over 8 workers: one comes free each ms; half of that is less than wait_max_ns. */
    assert_int_equal(policy_wait_until_ns(&view), view.oldest_ns + NS_PER_MS / 2);
    options.wait_max_ns = NS_PER_MS / 4;
    assert_int_equal(policy_wait_until_ns(&view), view.oldest_ns + NS_PER_MS / 4);
}

static void policy_never_holds_back_without_reason(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(8);
    PolicyRates rates = test_busy_rates(NS_PER_S);
    PolicyView view = test_view(&options, &rates);
    assert_int_not_equal(policy_wait_until_ns(&view), 0);
    PolicyView idle = view;
    idle.busy_count = 0;
    assert_int_equal(policy_wait_until_ns(&idle), 0);
    PolicyView second_idle = view;
    second_idle.busy_count = 6;
    assert_int_equal(policy_wait_until_ns(&second_idle), 0);
    PolicyView enough = view;
    enough.queued_tokens = POLICY_TOKENS_FEW;
    assert_int_equal(policy_wait_until_ns(&enough), 0);
    PolicyView task = view;
    task.queued_tokens = 0;
    assert_int_equal(policy_wait_until_ns(&task), 0);
    PolicyView draining = view;
    draining.draining = true;
    assert_int_equal(policy_wait_until_ns(&draining), 0);
    PolicyView waited = view;
    waited.oldest_ns = view.now_ns - NS_PER_MS;
    assert_int_equal(policy_wait_until_ns(&waited), 0);
    PolicyRates rare = rates;
    rare.gap_ns = 2e6;
    PolicyView seldom = view;
    seldom.rates = &rare;
    assert_int_equal(policy_wait_until_ns(&seldom), 0);
    PolicyRates over = rates;
    over.arrived_ns = NS_PER_S - 5 * NS_PER_MS;
    PolicyView silent = view;
    silent.rates = &over;
    assert_int_equal(policy_wait_until_ns(&silent), 0);
    options.wait_max_ns = 0;
    assert_int_equal(policy_wait_until_ns(&view), 0);
}

static void policy_never_holds_back_with_few_workers(void **state)
{
    (void)state;
    for (uint32_t worker_count = 1; worker_count < POLICY_WAIT_WORKERS_MIN; worker_count++) {
        SchedulerOptions options = test_options(worker_count);
        PolicyRates rates = test_busy_rates(NS_PER_S);
        PolicyView view = test_view(&options, &rates);
        assert_int_equal(policy_wait_until_ns(&view), 0);
    }
}

static void policy_share_of_a_batch_is_even_between_few_and_enough(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(4);
    PolicyView view = {.options = &options, .queued_tokens = 1};
    assert_int_equal(policy_batch_tokens(&view), POLICY_TOKENS_FEW);
    view.queued_tokens = 401;
    assert_int_equal(policy_batch_tokens(&view), 101);
    view.queued_tokens = 1000000;
    assert_int_equal(policy_batch_tokens(&view), POLICY_TOKENS_ENOUGH);
}

static void policy_batch_grows_to_its_target_but_past_few_tokens(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(4);
    PolicyBatch batch = {.job_count = 1, .token_count = 100, .target = 128};
    SchedulerJob job = {.batch_key = &test_model, .token_count = 28};
    assert_true(policy_batch_accepts(&batch, &options, &job));
    job.token_count = 29;
    assert_false(policy_batch_accepts(&batch, &options, &job));
    batch.token_count = POLICY_TOKENS_FEW - 1;
    job.token_count = 200;
    assert_true(policy_batch_accepts(&batch, &options, &job));
    job.token_count = POLICY_TOKENS_ENOUGH;
    assert_false(policy_batch_accepts(&batch, &options, &job));
}

static void policy_batch_respects_each_limit(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    PolicyBatch batch = {.job_count = 1, .token_count = 10, .work = 100, .target = 512};
    SchedulerJob job = {.batch_key = &test_model, .token_count = 10, .work = 100};
    options.batch_work_max = 200;
    assert_true(policy_batch_accepts(&batch, &options, &job));
    options.batch_work_max = 199;
    assert_false(policy_batch_accepts(&batch, &options, &job));
    options.batch_work_max = 50; /* the first job alone passes it */
    assert_false(policy_batch_accepts(&batch, &options, &job));
    options = test_options(1);
    options.batch_jobs_max = 1;
    assert_false(policy_batch_accepts(&batch, &options, &job));
    options = test_options(1);
    options.batch_tokens_max = 19;
    assert_false(policy_batch_accepts(&batch, &options, &job));
    options = test_options(1);
    job.batch_key = NULL;
    assert_false(policy_batch_accepts(&batch, &options, &job));
}

static void policy_first_job_always_joins(void **state)
{
    (void)state;
    SchedulerOptions options = test_options(1);
    options.batch_work_max = 0;
    SchedulerJob job = {.work = SCHEDULER_JOB_WORK_LIMIT, .token_count = 8192};
    assert_true(policy_batch_accepts(&(PolicyBatch){.target = 64}, &options, &job));
}

static void policy_retry_follows_the_measured_speed_within_bounds(void **state)
{
    (void)state;
    PolicyRates rates = {0};
    assert_int_equal(policy_retry_after_ns(&rates, 1, 1e9), 100 * NS_PER_MS);
    for (int i = 0; i < 100; i++) policy_rates_batch(&rates, 100, 1000, 2000);
    assert_in_range(policy_retry_after_ns(&rates, 1, 1e7), 20 * NS_PER_MS - 10, 20 * NS_PER_MS + 10);
    assert_in_range(policy_retry_after_ns(&rates, 4, 1e7), 5 * NS_PER_MS - 10, 5 * NS_PER_MS + 10);
    assert_int_equal(policy_retry_after_ns(&rates, 1, 1), NS_PER_MS);
    assert_int_equal(policy_retry_after_ns(&rates, 1, 1e18), 10 * NS_PER_S);
}

static void policy_rates_follow_what_arrives(void **state)
{
    (void)state;
    PolicyRates rates = {0};
    for (uint64_t i = 1; i <= 50; i++) policy_rates_arrival(&rates, i * NS_PER_MS);
    assert_in_range((uint64_t)rates.gap_ns, NS_PER_MS - 10, NS_PER_MS + 10);
    for (uint64_t i = 1; i <= 50; i++) policy_rates_arrival(&rates, 50 * NS_PER_MS + i * NS_PER_US);
    assert_in_range((uint64_t)rates.gap_ns, NS_PER_US, 10 * NS_PER_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_holds_back_the_last_idle_worker_under_load),
        cmocka_unit_test(policy_never_holds_back_without_reason),
        cmocka_unit_test(policy_never_holds_back_with_few_workers),
        cmocka_unit_test(policy_share_of_a_batch_is_even_between_few_and_enough),
        cmocka_unit_test(policy_batch_grows_to_its_target_but_past_few_tokens),
        cmocka_unit_test(policy_batch_respects_each_limit),
        cmocka_unit_test(policy_first_job_always_joins),
        cmocka_unit_test(policy_retry_follows_the_measured_speed_within_bounds),
        cmocka_unit_test(policy_rates_follow_what_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
