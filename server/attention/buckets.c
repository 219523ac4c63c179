/* Buckets of distances: exact near zero, logarithmic farther away. */
#include "attention/buckets.h"

#include "attention/bias.h"
#include "base/limits.h"

#include <math.h>
#include <stdlib.h>

/* DeBERTa's signed bucket of a distance: itself up to half the buckets, then logarithmic so that `maximum` - 1 has the
 * last one. Without buckets, or where half of them reach as far as `maximum`, the distance. */
static int64_t buckets_signed(uint32_t bucket_count, uint32_t maximum, int64_t distance)
{
    int64_t middle = bucket_count / 2;
    int64_t size = distance < 0 ? -distance : distance;
    if (bucket_count == 0 || size <= middle || maximum - 1 <= middle) return distance;
    float whole = logf((float)((double)(maximum - 1) / (double)middle));
    float part = logf((float)size / (float)middle);
    int64_t bucket = (int64_t)(ceilf(part / whole * (float)(middle - 1)) + (float)middle);
    return distance < 0 ? -bucket : bucket;
}

/* The row of a key `distance` = query - key before its query. */
static uint32_t buckets_row(uint32_t bucket_count, uint32_t maximum, int64_t distance)
{
    int64_t span = bucket_count ? bucket_count : maximum;
    int64_t row = buckets_signed(bucket_count, maximum, distance) + span;
    return (uint32_t)(row < 0 ? 0 : row > 2 * span - 1 ? 2 * span - 1 : row);
}

/* The distance from which on, to both sides, the row no longer changes. */
static uint32_t buckets_reach(uint32_t bucket_count, uint32_t maximum)
{
    const int64_t far = MODEL_POSITION_COUNT_MAX;
    uint32_t first = buckets_row(bucket_count, maximum, -far);
    uint32_t last = buckets_row(bucket_count, maximum, far);
    int64_t reach = 0;
    while (buckets_row(bucket_count, maximum, -reach) != first ||
           buckets_row(bucket_count, maximum, reach) != last)
        reach++;
    return (uint32_t)reach;
}

/* Writes the rows and their range. False when rows do not follow each other, on which the range relies. */
static bool buckets_fill(AttentionBuckets *buckets, uint32_t bucket_count, uint32_t maximum)
{
    size_t count = 2 * (size_t)buckets->reach + 1;
    for (size_t i = 0; i < count; i++) {
        buckets->rows[i] = buckets_row(bucket_count, maximum, (int64_t)buckets->reach - (int64_t)i);
        if (i > 0 && buckets->rows[i] > buckets->rows[i - 1]) return false;
        size_t first = i < BLOCK_DISTANCES ? 0 : i - (BLOCK_DISTANCES - 1);
        uint32_t range = buckets->rows[first] - buckets->rows[i] + 1;
        if (range > buckets->range) buckets->range = range;
    }
    return true;
}

CHECKED Status attention_buckets_open(uint32_t bucket_count, uint32_t maximum, uint32_t position_count,
                                      AttentionBuckets **out_buckets, Error *out_error)
{
    bool logarithmic = bucket_count && position_count > bucket_count / 2 + 1;
    if (bucket_count == 1 || maximum < 1 || (logarithmic && maximum - 1 <= bucket_count / 2))
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%u buckets of relative positions up to %u are not defined", bucket_count, maximum);
    uint32_t reach = buckets_reach(bucket_count, maximum);
    AttentionBuckets *buckets = malloc(sizeof *buckets + (2 * (size_t)reach + 1) * sizeof *buckets->rows);
    if (!buckets) return error_set(out_error, STATUS_NO_MEMORY, "No memory for buckets up to %u", reach);
    *buckets = (AttentionBuckets){.reach = reach, .row_count = 2 * (bucket_count ? bucket_count : maximum)};
    if (!buckets_fill(buckets, bucket_count, maximum)) {
        attention_buckets_close(buckets);
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%u buckets of relative positions up to %u are not in order", bucket_count, maximum);
    }
    *out_buckets = buckets;
    return STATUS_OK;
}

void attention_buckets_close(AttentionBuckets *buckets)
{
    free(buckets);
}

/* T5's bucket of a distance key - query: half of them on each side, half of each exact. */
static uint32_t buckets_relative(int32_t distance)
{
    enum { SIDE = ATTENTION_RELATIVE_BUCKETS / 2, EXACT = SIDE / 2 };
    uint32_t side = distance > 0 ? SIDE : 0;
    uint32_t size = (uint32_t)abs(distance);
    if (size < EXACT) return side + size;
    float whole = (float)log((double)ATTENTION_RELATIVE_REACH / EXACT);
    uint32_t bucket = EXACT + (uint32_t)(logf((float)size / EXACT) / whole * (SIDE - EXACT));
    return side + (bucket < SIDE ? bucket : SIDE - 1);
}

void attention_relative_expand(const float *embeddings, uint32_t head_count, float *table)
{
    for (uint32_t head = 0; head < head_count; head++)
        for (int32_t distance = -ATTENTION_RELATIVE_REACH; distance <= ATTENTION_RELATIVE_REACH; distance++)
            *table++ = embeddings[(size_t)buckets_relative(distance) * head_count + head];
}

void attention_alibi_slopes(uint32_t head_count, float *out_slopes)
{
    uint32_t power = 1;
    while (power * 2 <= head_count) power *= 2;
    for (uint32_t i = 0; i < head_count; i++)
        out_slopes[i] =
            (float)(i < power ? exp2(-8.0 / power * (i + 1)) : exp2(-4.0 / power * (2 * (i - power) + 1)));
}
