#include "histogram.h"

#include <math.h>

/* Values below 2^7 have a bucket each; above, each power of two has 2^7. */
static unsigned histogram_bucket(uint64_t value)
{
    if (value >> HISTOGRAM_VALUE_BITS) value = ((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1;
    if (value < 1u << HISTOGRAM_LINEAR_BITS) return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_LINEAR_BITS;
    return (shift << HISTOGRAM_LINEAR_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t histogram_bucket_end(unsigned bucket)
{
    if (bucket < 1u << HISTOGRAM_LINEAR_BITS) return bucket;
    unsigned shift = (bucket >> HISTOGRAM_LINEAR_BITS) - 1;
    uint64_t mantissa = bucket - ((uint64_t)shift << HISTOGRAM_LINEAR_BITS);
    return ((mantissa + 1) << shift) - 1;
}

void histogram_record(Histogram *histogram, uint64_t value_ns)
{
    histogram->counts[histogram_bucket(value_ns)]++;
    if (histogram->count == 0 || value_ns < histogram->min_ns) histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns) histogram->max_ns = value_ns;
    histogram->sum_ns += (double)value_ns;
    histogram->count++;
}

uint64_t histogram_quantile_ns(const Histogram *histogram, double quantile)
{
    if (histogram->count == 0) return 0;
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count);
    if (wanted < 1) wanted = 1;
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKET_COUNT; bucket++) {
        seen += histogram->counts[bucket];
        if (seen < wanted) continue;
        uint64_t end = histogram_bucket_end(bucket);
        return end < histogram->max_ns ? end : histogram->max_ns;
    }
    return histogram->max_ns;
}

double histogram_mean_ns(const Histogram *histogram)
{
    return histogram->count ? histogram->sum_ns / (double)histogram->count : 0;
}
