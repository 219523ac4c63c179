/* The waiting jobs of one class: bounded, first in first out within a flow, fair by work between flows. No thread, no
 * lock, no clock.
 *
 * Start-time fair queueing (Goyal, Vin, Cheng 1996) over flows. All quantities are charges (queue_charge of a
 * job's work): v(f)   virtual time of flow f: grows by the charge of each job of f that is taken V      the
 * queue's virtual time; a flow that becomes active starts at max(v(f), V) S      slack: the charge by which a
 * batch may run ahead of flows waiting with another batch_key; with one key in the queue it plays no part w the
 * largest charge of a job N      flows in the table (active ones, and idle ones not yet forgotten) <= jobs_max +
 * QUEUE_IDLE_FLOWS_MAX A job is taken from the flow with the least v; of flows with the batch's key, from the
 * least of them, as long as it is within S of the least of all. V follows the least active v, and besides grows by
 * charge / N with each job taken: never faster than the fluid ideal, where n <= N active flows each get 1/n, and
 * never so slow that an endless row of new flows, each starting at V, could stand in front of a waiting one
 * forever.
 *
 * Invariants after each call, for every active flow f (tests/simulation checks them):
 *   1  v(f) <= max(V, least v) + S + w
 *   2  V    <= least v + S + w     (while no debt had to be forgotten, see QUEUE_IDLE_FLOWS_MAX)
 * It follows that
 *   fairness:   of two flows that are both waiting all through an interval, the work taken differs by <= 4 (S + w)
 *   starvation: between a job's arrival and its turn at most N (A + 4 S + 3 w) of work is taken, where A is the
 * work before it in its own flow: whatever others send, from however many new flows. */
#pragma once

#include "scheduler/scheduler.h"

/* Flows that have nothing waiting are remembered until V passes their v, else who sends one long job at a time
 * would always start at V, as a newcomer, and get nearly everything. At most this many of them: beyond, the one
 * idle for longest is forgiven. */
#define QUEUE_IDLE_FLOWS_MAX 1024u
/* A job's charge is at least 2^10 units of 2^10 operations: 10 us of a core, what a job costs whose work is 0. The
 * unit keeps v below 2^64 for 500 years of 1 TFLOP/s. */
#define QUEUE_CHARGE_UNIT 1024u
#define QUEUE_CHARGE_MIN 1024u

typedef struct QueueGroup QueueGroup;
typedef struct QueueFlow QueueFlow;

/* One sender. In `active` while it has waiting jobs, then in `idle`, else in `free`. */
struct QueueFlow {
    uint64_t id;
    uint64_t virtual_time;
    uint64_t turn;       /* breaks ties of virtual_time: first come, first served */
    SchedulerJob *first; /* the only one that may be taken */
    SchedulerJob *last;
    QueueFlow *bucket_next;
    QueueFlow *list_previous; /* of `active` or `idle` */
    QueueFlow *list_next;     /* of `active`, `idle` or `free` */
    QueueFlow *heap_child;    /* of the group of the first job's key */
    QueueFlow *heap_sibling;
};

typedef struct QueueFlowList {
    QueueFlow *first;
    QueueFlow *last;
} QueueFlowList;

/* The active flows whose first job has this key: a pairing heap by (virtual_time, turn). Groups are few: one a
 * model. */
struct QueueGroup {
    const void *batch_key;
    QueueFlow *heap;
    QueueGroup *next;
};

/* Whoever owns the queue guards it: one thread at a time. */
typedef struct Queue {
    QueueFlow *flows;    /* [flow_count_max] */
    QueueGroup *groups;  /* [jobs_max] */
    QueueFlow **buckets; /* [bucket_mask + 1] */
    uint64_t bucket_mask;
    QueueFlowList active;
    QueueFlowList idle; /* longest idle first */
    QueueFlow *free_flows;
    QueueGroup *used_groups;
    QueueGroup *free_groups;
    uint32_t jobs_max;
    bool keyless;        /* no batch has several jobs: the keys are left out of account */
    uint32_t flow_count; /* active and idle: N */
    uint32_t job_count;
    uint64_t token_count;
    uint64_t charge; /* of all waiting jobs */
    uint64_t slack;  /* S */
    uint64_t virtual_time;
    uint64_t undistributed; /* charge taken that has not moved V yet, < N */
    uint64_t turn_next;
    uint64_t deadline_least_ns; /* no waiting job has an earlier deadline; UINT64_MAX: none has any */
    uint64_t forgiven;          /* flows forgotten with v > V */
} Queue;

static inline uint64_t queue_charge(const SchedulerJob *job)
{
    return job->work / QUEUE_CHARGE_UNIT + QUEUE_CHARGE_MIN;
}

/* Allocates everything; nothing does afterwards. `slack_work` is S as work. On failure `queue` needs no closing.
 * Fails with NO_MEMORY. */
CHECKED Status queue_open(Queue *queue, uint32_t jobs_max, uint64_t slack_work, Error *out_error);
/* A larger S, from now on: the bounds above hold with the largest. */
void queue_raise_slack(Queue *queue, uint64_t slack_work);
void queue_close(Queue *queue); /* a zeroed queue is a no-op; waiting jobs are left to their owners */

/* Appends `job` to its flow. There must be room: job_count < jobs_max. */
void queue_push(Queue *queue, SchedulerJob *job);

/* Of a keyless queue: as queue_push, but in front of the jobs of its flow that have a higher `place`. */
void queue_push_placed(Queue *queue, SchedulerJob *job);

/* The flow whose first job is next; NULL when the queue is empty. */
QueueFlow *queue_turn(const Queue *queue);
/* The flow whose first job is next among those with `batch_key`; NULL when there is none, or when it would run
 * more than S ahead of a flow with another key. */
QueueFlow *queue_turn_of_key(const Queue *queue, const void *batch_key);

/* Removes the first job of `flow`, which must be what queue_turn or queue_turn_of_key has just returned, and
 * charges the flow for it. */
SchedulerJob *queue_take(Queue *queue, QueueFlow *flow);
/* The same for a job that will not run: nobody is charged. */
SchedulerJob *queue_discard(Queue *queue, QueueFlow *flow);

/* Removes every waiting job that `is_dead(job, now_ns)` names; puts them in front of the list *out_dead.
 * Linear in the number of waiting jobs. */
void queue_purge(Queue *queue, bool (*is_dead)(SchedulerJob *job, uint64_t now_ns), uint64_t now_ns,
                 SchedulerJob **out_dead);

/* When the longest waiting job was submitted; 0: none waits. Linear in the number of active flows. */
uint64_t queue_oldest_ns(const Queue *queue);
