/* Jobs that are worked off in steps behind those that somebody waits for, and what they may cost these. No thread, no
 * lock, no clock.
 *
 * A step that has begun is not interrupted, but in a lane, between its units. So whoever comes meanwhile may wait for
 * its end, and again for each step that begins while he waits. That is what is bounded:
 *   A(s, t)  the workers' time between s and t in which steps run while others wait
 *   debt     grows with A, falls with time by p W a second, but not below 0; p: the share, W: the workers
 *   rule 1   a step begins while there is no debt only
 *   rule 2   while others wait, at most ceil(p W) steps run or as many as did already; else at most W - 1, or 1
 * Debt begins to grow as others begin to wait, and the steps then under way, at most R = max(1, W - 1), are all that
 * adds to it until it is gone. Hence A(s, t) <= p W (t - s) + R d, d being the longest step, as tests/simulation
 * checks. Where others always wait, a step begins once the debt is gone: steps then get p of the workers' time. */
#pragma once

#include "scheduler/queue.h"

/* Whoever owns it guards it: one thread at a time. */
typedef struct Backlog {
    Queue queue; /* of the steps that wait */
    uint32_t percent;
    uint32_t worker_count;
    uint32_t place_count; /* reserved */
    uint64_t place_next;
    uint32_t running;      /* steps */
    uint32_t in_lane;      /* of these */
    uint32_t waiting;      /* of these, to go on behind others */
    uint64_t debt;         /* in hundredths of a nanosecond */
    uint64_t accounted_ns; /* when debt was right */
    uint64_t steps;
    uint64_t steps_ns;
    uint64_t ahead_ns; /* A, since the start */
} Backlog;

/* Fails with INVALID_ARGUMENT (an option out of its range), NO_MEMORY. On failure it needs no closing. */
CHECKED Status backlog_open(Backlog *backlog, const SchedulerOptions *options, Error *out_error);
void backlog_close(Backlog *backlog); /* a zeroed one is a no-op */

/* Nobody has a place, and nothing is owed: there is nothing to account for. */
static inline bool backlog_rests(const Backlog *backlog)
{
    return backlog->place_count == 0 && backlog->running == 0 && backlog->debt == 0;
}

/* Others than steps wait, or have none to wait for. */
typedef enum BacklogOthers { OTHERS_NONE, OTHERS_IN_QUEUE, OTHERS_FOR_A_LANE } BacklogOthers;

/* Brings debt up to `now_ns`; `others` is what has been so since the last time. Before whatever changes it, or the
 * number of steps that run. */
void backlog_account(Backlog *backlog, BacklogOthers others, uint64_t now_ns);
/* Whether a step begins rather than a job of others that wait. */
bool backlog_is_due(const Backlog *backlog);
/* How many more may run on workers that have nothing else to do, debt left aside. */
uint32_t backlog_wanted(const Backlog *backlog);
/* When there is no debt any more, others being served. */
uint64_t backlog_ready_ns(const Backlog *backlog);

/* A step begins on a worker. */
void backlog_enter(Backlog *backlog, bool in_lane);
/* It has ended. */
void backlog_leave(Backlog *backlog, bool in_lane);
/* One in a lane lets others go first; until backlog_go_on. */
void backlog_give_way(Backlog *backlog);
void backlog_go_on(Backlog *backlog);
