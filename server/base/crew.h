/* Threads that share one job's work, seen from the job: units that do not depend on each other. */
#pragma once

#include <stdint.h>

/* The `member` of a unit that the caller itself runs. */
#define CREW_LEADER UINT32_MAX

/* Runs unit `unit`. `member` is CREW_LEADER, or the index of the worker that helps: no two units of a member run at the
 * same time, so what is a member's own needs no lock. Long units call crew_pause from time to time. */
typedef void (*CrewUnit)(void *context, uint32_t unit, uint32_t member);

typedef struct Crew {
    /* Runs each unit < unit_count once and returns when all have ended, what they wrote being seen. */
    void (*run)(const struct Crew *crew, uint32_t unit_count, CrewUnit unit, void *context);
    /* Within a unit of a member that helps: it may run other jobs, none of this crew, before it goes on. */
    void (*pause)(const struct Crew *crew, uint32_t member);
} Crew;

/* All in order on the caller's thread where `crew` is NULL, or has nothing to share. */
static inline void crew_run(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context)
{
    if (crew && unit_count > 1) {
        crew->run(crew, unit_count, unit, context);
        return;
    }
    for (uint32_t i = 0; i < unit_count; i++) unit(context, i, CREW_LEADER);
}

static inline void crew_pause(const Crew *crew, uint32_t member)
{
    if (crew && member != CREW_LEADER) crew->pause(crew, member);
}
