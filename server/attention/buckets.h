/* Functions of the distance between a query and a key that models learn a table over. They compute in float, step by
 * step as the models' definitions do, since a rounding decides on which side of a border a distance falls. */
#pragma once

#include "base/status.h"

#include <stdint.h>

enum {
    ATTENTION_RELATIVE_BUCKETS = 32, /* MPNet's, whatever its configuration says */
    ATTENTION_RELATIVE_REACH = 128,
};

/* DeBERTa's rows of positions by distance. Immutable once open: any thread. */
typedef struct AttentionBuckets {
    uint32_t reach;     /* distances beyond count as this */
    uint32_t row_count; /* of the table of positions: twice its span */
    uint32_t range;     /* from the least to the greatest row that attention meets at once, at most */
    uint32_t rows[];    /* [2 * reach + 1], of the distance key - query from -reach on; never ascending */
} AttentionBuckets;

/* `bucket_count` is position_buckets (0: a row for each distance), `maximum` max_relative_positions, `position_count`
 * what a text may have; all at most MODEL_POSITION_COUNT_MAX. On success the caller owns *out_buckets
 * (attention_buckets_close). Fails with UNSUPPORTED when the buckets of such distances are not defined, and NO_MEMORY.
 */
CHECKED Status attention_buckets_open(uint32_t bucket_count, uint32_t maximum, uint32_t position_count,
                                      AttentionBuckets **out_buckets, Error *out_error);
void attention_buckets_close(AttentionBuckets *buckets); /* NULL is a no-op */

/* MPNet's bias by distance: expands embeddings[ATTENTION_RELATIVE_BUCKETS][head_count] to
 * table[head_count][2 * ATTENTION_RELATIVE_REACH + 1], for AttentionBias. */
void attention_relative_expand(const float *embeddings, uint32_t head_count, float *table);

/* ALiBi's slopes: powers of 2^(-8 / n) for n heads when n is a power of two; else those of the power below, then every
 * second one of the power above. */
void attention_alibi_slopes(uint32_t head_count, float *out_slopes);
