/* Parts of the checks by tokens, for the files of pipeline/ only. */
#pragma once

#include "pipeline/chunks.h"
#include "sanitizer/sanitizer.h"

/* Puts `text` into the finding, cut on a border of UTF-8. */
void token_checks_detail(TextView text, Finding *finding);

/* A token or a short cycle of tokens over and over. */
typedef struct Flood {
    TokenRange tokens; /* from the first that repeats to the last */
    uint32_t count;    /* of those that repeat */
    uint32_t period;   /* of the cycle; 0: one token, with others in between */
} Flood;

/* Whether more than half of at least FLOOD_TOKENS_MIN tokens are one token, or a cycle of up to FLOOD_PERIOD_MAX.
 * Unknown tokens are different ones: in a script that the model does not know, all are. */
bool flood_find(const uint32_t *ids, uint32_t count, uint32_t unknown_id, Flood *out_flood);
/* The end of the run of period `period` that begins at `begin`: ids[i] == ids[i - period] from begin + period on. */
uint32_t flood_run_end(const uint32_t *ids, uint32_t count, uint32_t unknown_id, uint32_t begin, uint32_t period);

enum {
    FLOOD_TOKENS_MIN = 64,
    FLOOD_PERIOD_MAX = 8,
    FLOOD_CYCLES_MIN = 4, /* of a run: "ha ha ha" is none */
};
