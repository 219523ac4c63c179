/* The weights that attention gives to keys, themselves: made anew for the queries that somebody asks about, while
 * attention_forward keeps no more of them than a tile. */
#pragma once

#include "attention/attention.h"

/* How many keys the row `query` of `rows` sees, of which the token count and the global positions are read. */
uint32_t attention_key_count(const AttentionPlan *plan, const AttentionRows *rows, uint32_t query);
/* Which, ascending: out_keys[attention_key_count]. */
void attention_list_keys(const AttentionPlan *plan, const AttentionRows *rows, uint32_t query, uint32_t *out_keys);

/* Writes the weights of `count` queries of one head from `first` on, those of the keys that each sees in ascending
 * order, one query's behind the other's. A key that counts several times has all of its mass. `scratch` as
 * attention_forward; rows->values are not read. Any thread; nothing is allocated. */
void attention_weights(const Kernels *kernels, const AttentionPlan *plan, const AttentionRows *rows, uint32_t head,
                       uint32_t first, uint32_t count, float *out_weights, float *scratch);
/* Floating-point operations for one query and head that sees `key_count` keys. */
uint64_t attention_weights_work(const AttentionPlan *plan, uint32_t key_count);
