/* Latencies in bounded memory: buckets that are linear within each power of two, so that a quantile is at most
 * 1/128 too high, from 1 ns to an hour. */
#pragma once

#include <stdint.h>

enum {
    HISTOGRAM_LINEAR_BITS = 7,
    HISTOGRAM_VALUE_BITS = 42, /* 73 minutes; what is longer counts as that */
    HISTOGRAM_BUCKET_COUNT = (HISTOGRAM_VALUE_BITS - HISTOGRAM_LINEAR_BITS + 1) << HISTOGRAM_LINEAR_BITS,
};

/* A value; zeroed is empty. One thread. */
typedef struct Histogram {
    uint64_t counts[HISTOGRAM_BUCKET_COUNT];
    uint64_t count;
    double sum_ns;
    uint64_t min_ns, max_ns;
} Histogram;

void histogram_record(Histogram *histogram, uint64_t value_ns);
/* The smallest recorded bound that at least `quantile` (0 to 1) of the values do not exceed; 0 when empty. */
uint64_t histogram_quantile_ns(const Histogram *histogram, double quantile);
double histogram_mean_ns(const Histogram *histogram); /* 0 when empty */
