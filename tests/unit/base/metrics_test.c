#include "base/metrics.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_page(const MetricsPage *page, const char *expected)
{
    assert_false(page->failed);
    assert_int_equal(page->size, strlen(expected));
    assert_memory_equal(page->text, expected, page->size);
}

static void metrics_writes_what_prometheus_reads(void **state)
{
    (void)state;
    MetricsPage page = {0};
    const MetricsLabel labels[] = {{"model", "a\\b\"c\nd"}, {"code", "X"}};
    metrics_begin(&page, "texts_total", METRICS_COUNTER, "Texts so far");
    metrics_add(&page, "texts_total", NULL, 0, UINT64_MAX);
    metrics_add(&page, "texts_total", labels, 2, 7);
    metrics_begin(&page, "busy_seconds", METRICS_GAUGE, "Time");
    metrics_add_duration(&page, "busy_seconds", labels + 1, 1, 1500 * NS_PER_MS);
    metrics_add_duration(&page, "busy_seconds", NULL, 0, 1);
    metrics_add_duration(&page, "busy_seconds", NULL, 0, 10 * NS_PER_S);
    metrics_add_duration(&page, "busy_seconds", NULL, 0, 0);
    assert_page(&page, "# HELP texts_total Texts so far\n"
                       "# TYPE texts_total counter\n"
                       "texts_total 18446744073709551615\n"
                       "texts_total{model=\"a\\\\b\\\"c\\nd\",code=\"X\"} 7\n"
                       "# HELP busy_seconds Time\n"
                       "# TYPE busy_seconds gauge\n"
                       "busy_seconds{code=\"X\"} 1.5\n"
                       "busy_seconds 0.000000001\n"
                       "busy_seconds 10\n"
                       "busy_seconds 0\n");
    metrics_page_free(&page);
}

/* A bound belongs to its bucket. */
static void metrics_histogram_counts_up_to_each_bound(void **state)
{
    (void)state;
    MetricsPage page = {0};
    MetricsHistogram histogram = {0};
    const MetricsLabel label = {"method", "Embed"};
    metrics_histogram_add(&histogram, 0);
    metrics_histogram_add(&histogram, 1 * NS_PER_MS);
    metrics_histogram_add(&histogram, 1 * NS_PER_MS + 1);
    metrics_histogram_add(&histogram, 30 * NS_PER_S);
    metrics_histogram_add(&histogram, 31 * NS_PER_S);
    metrics_add_histogram(&page, "d", &label, 1, &histogram);
    assert_page(&page, "d_bucket{method=\"Embed\",le=\"0.001\"} 2\n"
                       "d_bucket{method=\"Embed\",le=\"0.0025\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.005\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.01\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.025\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.05\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.1\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.25\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"0.5\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"1\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"2.5\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"5\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"10\"} 3\n"
                       "d_bucket{method=\"Embed\",le=\"30\"} 4\n"
                       "d_bucket{method=\"Embed\",le=\"+Inf\"} 5\n"
                       "d_sum{method=\"Embed\"} 61.002000001\n"
                       "d_count{method=\"Embed\"} 5\n");
    metrics_page_free(&page);
}

static void metrics_page_grows(void **state)
{
    (void)state;
    MetricsPage page = {0};
    enum { COUNT = 3000 };
    for (int i = 0; i < COUNT; i++) metrics_add(&page, "m", NULL, 0, 1000);
    assert_int_equal(page.size, COUNT * strlen("m 1000\n"));
    assert_memory_equal(page.text + page.size - 7, "m 1000\n", 7);
    metrics_page_free(&page);
    assert_null(page.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_writes_what_prometheus_reads),
        cmocka_unit_test(metrics_histogram_counts_up_to_each_bound),
        cmocka_unit_test(metrics_page_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
