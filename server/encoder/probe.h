/* What looks on while a sequence is run: the rows that each run of a layer reads, and the queries and keys of its
 * attention before one replaces the other. It changes nothing of what is computed. */
#pragma once

#include "attention/attention.h"

enum { PROBE_SPACE_ROWS = 4 };

/* What a callback may use until it returns. */
typedef struct ProbeRoom {
    float *scratch;    /* attention_scratch_size of the plan, aligned to 64 bytes */
    float *space;      /* [space_size] */
    size_t space_size; /* at least PROBE_SPACE_ROWS rows with a float for each token */
} ProbeRoom;

/* Queries of one run of a layer that are about to attend. */
typedef struct ProbedRows {
    uint32_t run;  /* of the layers, counted as they are run */
    uint32_t unit; /* of the sequence, less than encoder_probe_units: no two with one number run at once */
    const AttentionPlan *plan;
    /* Of all heads, normalized and rotated. One callback may set rows->mass, which lives until `leave`. */
    AttentionRows *rows;
    /* Window mode: the one row is a global token's, and its plan hides nothing. Elsewhere rows of global tokens are to
     * be passed over, since their own come in their place. */
    bool global;
    ProbeRoom room;
} ProbedRows;

/* Longformer: some of a sequence's global tokens, which see all of it. A head's scores are
 * plan->scale * folded * hidden^T: a query led back through the key's weights (global_rows.c). */
typedef struct ProbedGlobals {
    uint32_t run;
    uint32_t unit;             /* likewise */
    const AttentionPlan *plan; /* of one head as wide as the model */
    const uint32_t *positions; /* [count], ascending */
    uint32_t count;
    uint32_t head_count;
    float *folded;       /* [count][head_count][H]; read only */
    const float *hidden; /* [token_count][H] */
    uint32_t token_count;
    ProbeRoom room;
} ProbedGlobals;

/* Its functions are called for one sequence; those that are NULL are not. Between a run's `enter` and `leave` the
 * others may be called by all members of a crew at once, for different rows. */
typedef struct EncoderProbe EncoderProbe;

struct EncoderProbe {
    /* hidden[token_count][H]: what the run reads, before any norm. */
    void (*enter)(EncoderProbe *probe, uint32_t run, const float *hidden);
    void (*attend)(EncoderProbe *probe, const ProbedRows *rows);
    void (*attend_globals)(EncoderProbe *probe, const ProbedGlobals *globals);
    /* `rows` has keys and values of the sequence, which still stand, and no queries. */
    void (*leave)(EncoderProbe *probe, uint32_t run, const AttentionRows *rows);
};
