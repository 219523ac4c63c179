#include "bench_report.h"

#include "base/clock.h"
#include "failure.h"

#include <inttypes.h>

typedef struct BenchQuantile {
    const char *name; /* in text */
    const char *key;  /* in JSON */
    double quantile;
} BenchQuantile;

static const BenchQuantile bench_quantiles[] = {
    {"p50", "p50", 0.5},  {"p90", "p90", 0.9},       {"p95", "p95", 0.95},
    {"p99", "p99", 0.99}, {"p99.9", "p99_9", 0.999},
};
enum { BENCH_QUANTILE_COUNT = sizeof bench_quantiles / sizeof *bench_quantiles };

static double bench_report_ms(uint64_t ns)
{
    return (double)ns / (double)NS_PER_MS;
}

static double bench_report_rate(const BenchResult *result, uint64_t count)
{
    return result->window_ns ? (double)count * (double)NS_PER_S / (double)result->window_ns : 0;
}

static void bench_report_latency_text(const char *title, const Histogram *histogram)
{
    printf("%-12s min %.3f  mean %.3f", title, bench_report_ms(histogram->min_ns),
           histogram_mean_ns(histogram) / (double)NS_PER_MS);
    for (size_t index = 0; index < BENCH_QUANTILE_COUNT; index++) {
        uint64_t value_ns = histogram_quantile_ns(histogram, bench_quantiles[index].quantile);
        printf("  %s %.3f", bench_quantiles[index].name, bench_report_ms(value_ns));
    }
    printf("  max %.3f ms\n", bench_report_ms(histogram->max_ns));
}

static void bench_report_text(const BenchReport *report)
{
    const BenchPlan *plan = report->plan;
    const BenchResult *result = report->result;
    if (plan->rate > 0) {
        printf("load         open loop, %g requests/s", plan->rate);
    } else {
        printf("load         closed loop, %" PRIu64 " at once", plan->concurrency);
    }
    printf(", %" PRIu64 " texts each, %" PRIu64 " connections to %s\n", plan->batch, report->connection_count,
           report->address);
    printf("requests     %" PRIu64 " answered, %" PRIu64 " failed in %.2f s\n", result->answered_count,
           result->failed_count, (double)result->elapsed_ns / (double)NS_PER_S);
    printf("throughput   %.1f requests/s, %.1f texts/s, %.0f tokens/s\n",
           bench_report_rate(result, result->window_request_count),
           bench_report_rate(result, result->window_text_count),
           bench_report_rate(result, result->window_token_count));
    bench_report_latency_text("latency", &result->latency);
    if (plan->rate > 0) bench_report_latency_text("sent late by", &result->lateness);
    for (int code = 1; code < BENCH_CODE_COUNT; code++) {
        if (!result->code_counts[code]) continue;
        printf("failed       %" PRIu64 " %s\n", result->code_counts[code], failure_code_name(code));
    }
    if (!result->failed_count) return;
    fputs("last failure ", stdout);
    output_plain_text(stdout, text_view(result->last_error.message));
    putchar('\n');
}

static void bench_report_latency_json(const char *key, const Histogram *histogram)
{
    printf(",\"%s\":{\"min\":%.6f,\"mean\":%.6f", key, bench_report_ms(histogram->min_ns),
           histogram_mean_ns(histogram) / (double)NS_PER_MS);
    for (size_t index = 0; index < BENCH_QUANTILE_COUNT; index++) {
        uint64_t value_ns = histogram_quantile_ns(histogram, bench_quantiles[index].quantile);
        printf(",\"%s\":%.6f", bench_quantiles[index].key, bench_report_ms(value_ns));
    }
    printf(",\"max\":%.6f}", bench_report_ms(histogram->max_ns));
}

static void bench_report_json(const BenchReport *report)
{
    const BenchPlan *plan = report->plan;
    const BenchResult *result = report->result;
    printf("{\"mode\":\"%s\",\"concurrency\":%" PRIu64 ",\"rate\":%.9g,\"batch\":%" PRIu64
           ",\"connections\":%" PRIu64 ",\"seed\":%" PRIu64,
           plan->rate > 0 ? "open" : "closed", plan->concurrency, plan->rate, plan->batch,
           report->connection_count, plan->seed);
    printf(",\"requests\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"seconds\":%.6f", result->answered_count,
           result->failed_count, (double)result->elapsed_ns / (double)NS_PER_S);
    printf(",\"requests_per_second\":%.3f,\"texts_per_second\":%.3f,\"tokens_per_second\":%.3f",
           bench_report_rate(result, result->window_request_count),
           bench_report_rate(result, result->window_text_count),
           bench_report_rate(result, result->window_token_count));
    bench_report_latency_json("latency_ms", &result->latency);
    if (plan->rate > 0) bench_report_latency_json("sent_late_ms", &result->lateness);
    fputs(",\"errors\":{", stdout);
    const char *separator = "";
    for (int code = 1; code < BENCH_CODE_COUNT; code++) {
        if (!result->code_counts[code]) continue;
        printf("%s\"%s\":%" PRIu64, separator, failure_code_name(code), result->code_counts[code]);
        separator = ",";
    }
    puts("}}");
}

void bench_report_print(const BenchReport *report, OutputFormat format)
{
    if (format == OUTPUT_TEXT) {
        bench_report_text(report);
    } else {
        bench_report_json(report);
    }
}

void bench_report_progress(FILE *stream, const BenchResult *result, uint64_t elapsed_ns)
{
    double seconds = (double)elapsed_ns / (double)NS_PER_S;
    if (elapsed_ns == 0) {
        fputs("warming up", stream);
        return;
    }
    fprintf(stream, "%.0f s: %" PRIu64 " answered, %.0f/s, %" PRIu64 " failed, p50 %.2f ms, p99 %.2f ms", seconds,
            result->answered_count, (double)result->answered_count / seconds, result->failed_count,
            bench_report_ms(histogram_quantile_ns(&result->latency, 0.5)),
            bench_report_ms(histogram_quantile_ns(&result->latency, 0.99)));
}
