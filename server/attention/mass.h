/* Adding up the weights of a block's queries. A row's sum is known when it has seen all keys; until then the tiles of
 * its weights wait, each as its own maximum left them. For the files of attention/ only. */
#pragma once

#include "attention/head.h"

/* A row of a tile that waits. */
typedef struct MassRow {
    float maximum;
    uint32_t key;    /* the first, of keys that follow each other or of the global ones */
    uint32_t keys;   /* 0: the row sees none of them */
    uint32_t offset; /* in its row of the tiles */
} MassRow;

/* One head's block of queries; a block of keys is a slot. Zeroed, nobody wants sums. */
typedef struct MassBlock {
    const AttentionMass *mass;
    float *tiles;
    uint32_t query; /* the first */
    uint32_t queries;
    uint32_t slot_count;
    uint32_t global_slots; /* those in front */
} MassBlock;

/* A block of keys is next. */
void mass_begin_slot(MassBlock *block, bool global);
/* Where the scores of a tile belong. */
float *mass_scores(const MassBlock *block, const ScoreBlock *tile);
/* Remembers a tile whose scores became weights. */
void mass_keep(const MassBlock *block, const AttentionHead *head, const ScoreBlock *tile, const float *scores);
/* All keys were seen: the head's maxima and sums are final. */
void mass_add(const MassBlock *block, const AttentionHead *head);
