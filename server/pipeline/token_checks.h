/* Parts of the checks by tokens, for the files of pipeline/ only. */
#pragma once

#include "pipeline/chunks.h"
#include "sanitizer/sanitizer.h"

/* A token or a short cycle of tokens over and over. */
typedef struct Flood {
    TokenRange tokens; /* from the first that repeats to the last */
    uint32_t count;    /* of those that repeat */
    uint32_t period;   /* of the cycle; 0: one token, with others in between */
} Flood;

/* Whether more than half of at least FLOOD_TOKENS_MIN tokens are one token, or a cycle of up to FLOOD_PERIOD_MAX.
 * Unknown tokens are different ones: in a script that the model does not know, all are. */
bool flood_find(const uint32_t *ids, uint32_t count, uint32_t unknown_id, Flood *out_flood);
/* The first run of FLOOD_CYCLES_MIN cycles and more of `period` from `at` on: ids[i] == ids[i - period] behind its
 * first cycle. false: there is none. */
bool flood_next_run(const uint32_t *ids, uint32_t count, uint32_t unknown_id, uint32_t period, uint32_t at,
                    TokenRange *out_run);

enum {
    FLOOD_TOKENS_MIN = 64,
    FLOOD_PERIOD_MAX = 8,
    FLOOD_CYCLES_MIN = 4, /* of a run: "ha ha ha" is none */
};
