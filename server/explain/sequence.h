/* The sequence whose attention is explained, and what is asked of it. */
#pragma once

#include "encoder/encoder.h"
#include "explain/explain.h"

/* A value; borrows all of it. */
typedef struct ExplainSequence {
    const Encoder *encoder;
    uint32_t token_count;
    const uint32_t *global_positions; /* ascending */
    uint32_t global_count;
    /* Whether the answer is read from a row; it is from at least one. */
    bool (*is_pooled)(const void *context, uint32_t row);
    const void *context;
} ExplainSequence;

/* Borrows both. */
typedef struct ExplainAsked {
    const ExplainSpec *spec;
    const ExplainSequence *sequence;
} ExplainAsked;

/* Whether the spec asks for a run of the layers. */
bool explain_asks_run(const ExplainSpec *spec, uint32_t run);
/* Whether `row` is a global token's. */
bool explain_is_global(const ExplainSequence *sequence, uint32_t row);
uint32_t explain_pooled_count(const ExplainSequence *sequence);
/* Whether rows see the same keys in both runs of the layers. */
bool explain_runs_alike(const ExplainSequence *sequence, uint32_t run, uint32_t other);
/* How many keys a row sees in one run of the layers. */
uint32_t explain_key_count(const ExplainSequence *sequence, uint32_t run, uint32_t row);
/* Which, ascending: out_keys[explain_key_count]. */
void explain_list_keys(const ExplainSequence *sequence, uint32_t run, uint32_t row, uint32_t *out_keys);

/* Rows that a probe is shown: some that follow each other, or some of a block of global tokens. */
typedef struct ExplainTile {
    const ExplainSequence *sequence;
    const ProbedRows *shown; /* NULL: global rows */
    const ProbedGlobals *globals;
    uint32_t first; /* the first row in the sequence; of global rows, in the block */
    uint32_t count;
} ExplainTile;

/* What may be worked in until the callback returns, aligned as the tile's attention needs it. */
const ProbeRoom *explain_tile_room(const ExplainTile *tile);
/* One head's weights of all of its rows, one behind the other: those of the keys that each sees, ascending. */
void explain_tile_weights(const ExplainTile *tile, uint32_t head, float *out_weights);
/* How many keys row `index` of it sees, and which: NULL where it sees all, else in `keys`, which has room for all. */
uint32_t explain_tile_keys(const ExplainTile *tile, uint32_t index, uint32_t *keys, const uint32_t **out_keys);
/* Makes `tile` the next run of up to `row_max` rows that are wanted of those that are shown, from tile->first on;
 * false: there is none. */
bool explain_next_tile(ExplainTile *tile, bool (*is_wanted)(const void *context, uint32_t row),
                       const void *context, uint32_t row_max);
