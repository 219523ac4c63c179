/* Where long jobs run: a few lanes, each with one job and what is left of the units that it shares at the moment. No
 * thread, no lock, no clock. */
#pragma once

#include "scheduler/scheduler.h"

/* One lane for so many workers, or a part of them: most workers never lead a long job. */
#define LANES_WORKERS_EACH 8u
#define LANES_MAX ((SCHEDULER_WORKER_COUNT_LIMIT + LANES_WORKERS_EACH - 1) / LANES_WORKERS_EACH)

typedef struct Lane {
    bool used;
    uint32_t unit_count; /* of what is being shared; 0: nothing */
    uint32_t unit_next;  /* the first that nobody has taken */
    uint32_t running;    /* taken and not ended */
    uint64_t helped_ns;  /* what others than the leader have worked on the job */
} Lane;

/* Whoever owns the lanes guards them: one thread at a time. */
typedef struct Lanes {
    Lane lane[LANES_MAX];
    uint32_t count;
    uint32_t used_count;
} Lanes;

uint32_t lanes_count(uint32_t worker_count);

/* Takes a free lane for a job; there must be one. */
uint32_t lanes_take(Lanes *lanes);
void lanes_release(Lanes *lanes, uint32_t lane);

/* The job in `lane` has so many units to do, until lanes_end_unit says that they are done. */
void lanes_share(Lanes *lanes, uint32_t lane, uint32_t unit_count);
bool lanes_is_sharing(const Lanes *lanes, uint32_t lane);
/* Takes the next unit of `lane`; false: there is none left to take. */
bool lanes_take_unit(Lanes *lanes, uint32_t lane, uint32_t *out_unit);
/* A unit that was taken has ended; true when with it all that were shared have. */
bool lanes_end_unit(Lanes *lanes, uint32_t lane);
/* The lane that a further worker should help: the one with the fewest at work of those with units left to take;
 * SCHEDULER_NO_LANE: there is none. */
uint32_t lanes_needing_help(const Lanes *lanes);
