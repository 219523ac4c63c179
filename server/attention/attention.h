/* Attention of one sequence over itself, a tile of queries by a tile of keys at a time: no matrix of all scores exists,
 * and tiles that the plan hides are skipped, so that their cost is that of the pairs that see each other. */
#pragma once

#include "attention/plan.h"
#include "kernels/kernels.h"

/* Bits do not depend on how a sequence's queries are cut at multiples of this: whole tiles of queries, so many that the
 * keys they see are laid out once for most texts. */
enum { ATTENTION_QUERY_BLOCK = 288 };

/* The weights of queries, added up while attention has them: for whoever wants the mean of many rows. */
typedef struct AttentionMass {
    const float *shares; /* [token_count]: what the weights of each query count */
    float *sums;         /* [head_count][token_count]: gain them */
} AttentionMass;

/* Some of a sequence's queries, and all of its keys and values. A row of queries holds head_count heads of head_size
 * floats; a row of keys, and one of values, key_value_head_count of them. */
typedef struct AttentionRows {
    float *queries;       /* the row of first_query */
    size_t query_stride;  /* floats from a row to the next */
    uint32_t first_query; /* a multiple of ATTENTION_QUERY_BLOCK; any position of a single query */
    uint32_t query_count; /* a multiple as well, or all that are left, or 1 */
    const float *keys;    /* the row of the sequence's first token */
    const float *values;  /* likewise */
    const float *panels;  /* of both, by attention_panels_pack, which are read instead of them; NULL: none */
    size_t key_stride;    /* of keys and of values */
    uint32_t token_count;
    uint32_t first_head; /* the first to compute; the pointers above are those of head 0 all the same */
    uint32_t head_count; /* how many; 0: all from first_head on */
    const uint32_t *global_positions; /* ascending: keys that each query sees beyond its window */
    uint32_t global_count;            /* 0 with disentangled biases */
    const AttentionMass *mass;        /* NULL: none */
    float *tiles;                     /* where there is one: attention_tiles_size floats, aligned to 64 bytes */
} AttentionRows;

/* Floats of scratch that attention_forward needs; it does not grow with the sequence. A multiple of 16. */
size_t attention_scratch_size(const Kernels *kernels, const AttentionPlan *plan);

/* Floats of a text's panels. */
size_t attention_panels_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count);
/* Lays keys and values of `count` tokens from `first` on out in a text's `panels`, as attention reads them: once,
 * where it would do so for each block of queries that sees them. Both begin with those of `first` in `rows`, of which
 * the stride and the token count are read as well. `first` is a multiple of ATTENTION_QUERY_BLOCK / 2; so is `count`,
 * or all that are left. Any thread, for different tokens at once. */
void attention_panels_pack(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                           uint32_t first, uint32_t count, float *panels);
/* out_value[head_size] = the value of a token, of the key-value head `index`; rows or panels, as they are. */
void attention_read_value(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                          uint32_t index, uint32_t token, float *out_value);

/* Floats in which weights wait for the sums of their rows. A multiple of 16. */
size_t attention_tiles_size(uint32_t token_count, uint32_t global_count);

/* Replaces each query by softmax(scale * query * keys^T + bias) * values over the keys that the plan shows, head by
 * head. `scratch` is aligned to 64 bytes. Tiles are counted from the sequence's own first token, so the bits depend on
 * the sequence alone. Any thread; nothing is allocated. */
void attention_forward(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows,
                       float *scratch);

/* Floating-point operations of attention_forward for all queries of a text. */
uint64_t attention_work(const AttentionPlan *plan, uint32_t token_count, uint32_t global_count);

/* Floats that the position keys of a disentangled bias take once packed. Of the plan, heads and buckets are read. */
size_t attention_positions_size(const Kernels *kernels, const AttentionPlan *plan);
/* Packs rows[row_count][head_count * head_size], the projection of the table of positions, for AttentionBias. */
void attention_positions_pack(const Kernels *kernels, const AttentionPlan *plan, const float *rows,
                              float *storage);
