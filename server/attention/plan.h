/* Who attends to whom in one layer. Every pattern we serve is one of these plans; dense is the one without
 * restrictions. */
#pragma once

#include <stdint.h>

/* Each of a sequence's queries sees all of its keys. */
typedef struct AttentionPlan {
    uint32_t head_count;
    uint32_t head_size;
    float scale; /* what scores are multiplied by: 1 / sqrt(head_size) */
} AttentionPlan;
