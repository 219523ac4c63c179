/* Metrics as Prometheus reads them (text exposition format 0.0.4). Whoever has numbers keeps them, in atomics or behind
 * a lock; this writes them down when somebody asks. Durations are histograms, whose buckets are the same everywhere. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds of a histogram: 1 ms to 30 s, in steps of about 2.5; what takes longer is in a bucket of its own. */
enum { METRICS_BOUND_COUNT = 14 };

/* Zeroed: empty. Any thread. */
typedef struct MetricsHistogram {
    atomic_uint_fast64_t counts[METRICS_BOUND_COUNT + 1];
    atomic_uint_fast64_t sum_ns;
} MetricsHistogram;

void metrics_histogram_add(MetricsHistogram *histogram, uint64_t duration_ns);

/* A page of metrics as it grows; zeroed: empty. One thread's. */
typedef struct MetricsPage {
    char *text; /* not terminated */
    size_t size;
    size_t capacity;
    bool failed; /* out of memory: what follows is left out */
} MetricsPage;

void metrics_page_free(MetricsPage *page);

typedef enum MetricsType { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM } MetricsType;

typedef struct MetricsLabel {
    const char *name;
    const char *value; /* any text; escaped as it is written */
} MetricsLabel;

/* Begins the metric `name`, whose samples follow. */
void metrics_begin(MetricsPage *page, const char *name, MetricsType type, const char *help);
/* One sample of the metric begun last; `labels` ([label_count]) set it apart from the others. */
void metrics_add(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                 uint64_t value);
/* The same in seconds. */
void metrics_add_duration(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                          uint64_t duration_ns);
/* The same for a metric of METRICS_HISTOGRAM, which has at most METRICS_LABEL_COUNT_MAX labels. */
enum { METRICS_LABEL_COUNT_MAX = 3 };
void metrics_add_histogram(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                           const MetricsHistogram *histogram);
