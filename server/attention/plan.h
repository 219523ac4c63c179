/* Who attends to whom in one layer, and what is added to the scores. Every pattern we serve is one of these plans; the
 * simplest sees all keys and adds nothing. */
#pragma once

#include "attention/buckets.h"

#include <stdint.h>

#define ATTENTION_UNLIMITED UINT32_MAX

typedef enum AttentionBiasKind {
    ATTENTION_BIAS_NONE,
    ATTENTION_BIAS_ALIBI,        /* -slope * |key - query| (Press et al. 2021) */
    ATTENTION_BIAS_RELATIVE,     /* an entry of a table by the distance (T5, MPNet) */
    ATTENTION_BIAS_DISENTANGLED, /* query * position key + key * position query (He et al. 2021, DeBERTa) */
} AttentionBiasKind;

/* What is added to the score of `query` and `key`, both positions within the sequence. All is borrowed. ALiBi and
 * relative biases are added after the scale, disentangled ones before it. */
typedef struct AttentionBias {
    AttentionBiasKind kind;
    const float *slopes; /* ALiBi: [head_count] */
    /* Relative: [head_count][2 * reach + 1], of the distance key - query from -reach on; beyond, as at reach. */
    const float *table;
    uint32_t reach; /* at most ATTENTION_REACH_MAX */
    /* Disentangled: the position row of each distance, and the layer's projections of those rows. */
    const AttentionBuckets *buckets;
    const float *position_keys;    /* by attention_positions_pack; NULL: no such term */
    const float *position_queries; /* [buckets->row_count][head_count * head_size]; NULL: no such term */
} AttentionBias;

typedef struct AttentionPlan {
    uint32_t head_count;
    uint32_t key_value_head_count; /* divides head_count: as many heads in a row share a key and a value */
    uint32_t head_size;
    uint32_t window_reach; /* a query sees the keys at most this far from it, on both sides */
    /* BigBird: texts of more than (5 + 2 * block_repeats) * block_size tokens are cut into blocks. The first and the
     * last see all keys; the others see those two, themselves and the ones beside them, the first block as if it stood
     * there 1 + block_repeats times. 0: no blocks. */
    uint32_t block_size;
    uint32_t block_repeats;
    float scale; /* > 0: what scores are multiplied by */
    AttentionBias bias;
} AttentionPlan;
