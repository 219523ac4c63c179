/* The door to ICU's bidirectional algorithm (UAX 9). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Buffers that are used again. One thread. */
typedef struct UnicodeBidi UnicodeBidi;

/* NULL: no memory. The caller closes it; NULL is a no-op. */
UnicodeBidi *unicode_bidi_open(void);
void unicode_bidi_close(UnicodeBidi *bidi);
/* The order in which `count` code points of one paragraph of the level 0 (left to right) or 1 are seen, from the left:
 * out_order[k] is the index of the k-th. What UAX 9 removes (X9) is part of the order and takes no place in it. Linear.
 * false: no memory. */
bool unicode_bidi_order(UnicodeBidi *bidi, const uint32_t *code_points, uint32_t count, unsigned level,
                        uint32_t *out_order);
