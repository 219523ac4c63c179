/* One block for all that a method needs, laid out by the same code that counts it. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

/* Zeroed, it only counts. */
typedef struct ExplainMemory {
    char *block;
    uint64_t used_bytes;
} ExplainMemory;

/* Takes what `spec` says, itself first, and returns itself; NULL where `memory` only counts. */
typedef void *(ExplainLayOut)(const void *spec, ExplainMemory *memory);
/* Lays out in the arena what was counted, uninitialized but for what `lay_out` writes. NULL: fails with
 * RESOURCE_EXHAUSTED. */
void *explain_make(ExplainLayOut *lay_out, const void *spec, Arena *arena, Error *out_error);
/* What explain_make takes of the arena. */
uint64_t explain_made_bytes(ExplainLayOut *lay_out, const void *spec);
/* `count` items of `size` bytes, whole cache lines from the block's beginning on; NULL while they are but counted. */
void *explain_take(ExplainMemory *memory, uint64_t count, size_t size);
