/* Tokens that repeat. */
#include "pipeline/token_checks.h"

#include <stdlib.h>

bool flood_next_run(const uint32_t *ids, uint32_t count, uint32_t unknown_id, uint32_t period, uint32_t at,
                    TokenRange *out_run)
{
    while (at + period < count) {
        uint32_t end = at + period;
        while (end < count && ids[end] == ids[end - period] && ids[end] != unknown_id) end++;
        *out_run = (TokenRange){at, end};
        if (end - at >= FLOOD_CYCLES_MIN * period) return true;
        /* The next run begins within the last period of this one at the earliest. */
        at = end - period + 1;
    }
    return false;
}

/* All runs of one period together. A run of a period is one of its multiples as well, so the least one wins. */
static Flood flood_of_period(const uint32_t *ids, uint32_t count, uint32_t unknown_id, uint32_t period)
{
    Flood flood = {.period = period};
    TokenRange run = {0, 0};
    while (flood_next_run(ids, count, unknown_id, period, run.end, &run)) {
        if (flood.count == 0) flood.tokens.begin = run.begin;
        flood.tokens.end = run.end;
        flood.count += run.end - run.begin;
    }
    return flood;
}

/* A token that is more than half of all is the only one that is left when different ones are struck out in pairs
 * (Boyer and Moore 1981). */
static Flood flood_of_majority(const uint32_t *ids, uint32_t count, uint32_t unknown_id)
{
    Flood flood = {0};
    uint32_t candidate = 0, lead = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lead == 0) candidate = ids[i];
        lead = ids[i] == candidate ? lead + 1 : lead - 1;
    }
    for (uint32_t i = 0; i < count && candidate != unknown_id; i++) {
        if (ids[i] != candidate) continue;
        if (flood.count++ == 0) flood.tokens.begin = i;
        flood.tokens.end = i + 1;
    }
    return flood;
}

bool flood_find(const uint32_t *ids, uint32_t count, uint32_t unknown_id, Flood *out_flood)
{
    if (count < FLOOD_TOKENS_MIN) return false;
    for (uint32_t period = 1; period <= FLOOD_PERIOD_MAX; period++) {
        *out_flood = flood_of_period(ids, count, unknown_id, period);
        if (out_flood->count > count / 2) return true;
    }
    *out_flood = flood_of_majority(ids, count, unknown_id);
    return out_flood->count > count / 2;
}
