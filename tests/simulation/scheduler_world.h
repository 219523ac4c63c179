/* A simulated server: clients and workers around the scheduler's core, under a virtual clock. One seed, one
 * history. */
#pragma once

#include "scheduler/core.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WORLD_JOBS_MAX = 512,
    WORLD_WORKERS_MAX = 12,
    WORLD_FLOWS_MAX = 8, /* that stay; besides, a scenario may have flows of one request each */
    WORLD_KEYS_MAX = 3,
    WORLD_REQUEST_JOBS_MAX = 24,
};

typedef enum WorldJobState {
    JOB_NEW,
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_STEP_QUEUED, /* run, and now in the background */
    JOB_STEP_RUNNING,
    JOB_RUN,
    JOB_DROPPED,
    JOB_REFUSED
} WorldJobState;

typedef struct WorldJob {
    SchedulerJob job; /* first: the core gives its address back */
    atomic_bool cancelled;
    WorldJobState state;
    uint64_t cancel_ns;     /* 0: never */
    uint32_t steps_left;    /* behind it, in the background */
    bool has_place;         /* there */
    uint64_t first_step;    /* when its first step queued, counted; 0: none has */
    uint64_t sequence;      /* of its submission */
    uint64_t charge_before; /* A: waiting in its own flow at its submission */
    uint64_t taken_before;  /* world's charge_taken at its submission */
} WorldJob;

typedef enum WorldWorkerState {
    WORKER_AWAKE,
    WORKER_ASLEEP,
    WORKER_BUSY,    /* with a batch */
    WORKER_LEADING, /* a long job: with one of its units */
    WORKER_RESTING, /* a long job's leader, until helpers end their units */
    WORKER_HELPING, /* with a unit of another's long job */
} WorldWorkerState;

/* Jobs are of one of two classes, each with promises of its own. */
typedef enum WorldClass { CLASS_SHORT, CLASS_LONG, CLASS_COUNT } WorldClass;

typedef struct WorldWorker {
    WorldWorkerState state;
    uint64_t event_ns; /* when the batch, the unit or a part of it, or the sleep ends; 0: sleeps until woken */
    CoreBatch batch;
    SchedulerJob *jobs[WORLD_JOBS_MAX];
    bool woken;       /* of a resting one */
    bool between;     /* runs a batch of others before it goes on as `state` says */
    CoreBatch within; /* that batch */
    SchedulerJob *within_jobs[WORLD_JOBS_MAX];
    uint32_t phases_left; /* of a leader's job */
    uint32_t unit_count;  /* of the phase */
    uint32_t units_ended;
    uint64_t unit_ns;
    CoreHelp help;
    bool gives_way;   /* the leader of a step */
    uint64_t step_ns; /* that its step has taken until now */
    bool paused;      /* a helper has looked at the queue within its unit */
} WorldWorker;

/* What the seed decides beforehand. */
typedef struct Scenario {
    SchedulerOptions options;
    uint32_t flow_count;
    uint32_t key_count;
    uint32_t job_count;
    uint32_t request_jobs_max;
    uint32_t token_max[WORLD_FLOWS_MAX];
    uint64_t gap_ns; /* between requests, on average */
    uint64_t batch_fixed_ns;
    uint64_t charge_ns;
    uint32_t task_percent;
    uint32_t cancel_percent;
    uint32_t deadline_percent;
    uint32_t raise_percent;    /* of the jobs: batch_work_max is raised before them */
    uint32_t newcomer_percent; /* requests from a flow of their own */
    uint32_t step_percent;     /* of requests, whose jobs have steps */
    uint32_t drain_after;      /* jobs; 0: never */
    uint32_t stop_after;       /* jobs; 0: never */
} Scenario;

/* The work done for two flows while both wait: the fairness promise bounds how much its difference moves. */
typedef struct WorldPair {
    bool waiting;
    int64_t least; /* of done(a) - done(b), since both wait */
    int64_t most;
} WorldPair;

typedef struct World {
    uint64_t seed;
    uint64_t random_state;
    Scenario scenario;
    Clock clock;
    Core core;
    WorldJob jobs[WORLD_JOBS_MAX];
    uint32_t submitted_count; /* jobs offered to the core so far */
    uint64_t next_request_ns; /* 0: no more */
    uint64_t newcomer_next;
    WorldWorker workers[WORLD_WORKERS_MAX];
    uint64_t charge_taken[CLASS_COUNT];
    uint64_t charge_most[CLASS_COUNT];     /* w */
    uint32_t flow_count_most[CLASS_COUNT]; /* N */
    uint64_t flow_done[CLASS_COUNT][WORLD_FLOWS_MAX];
    bool flow_restarted[CLASS_COUNT][WORLD_FLOWS_MAX]; /* emptied and filled again within one event */
    uint64_t flow_last_sequence[CLASS_COUNT][WORLD_FLOWS_MAX];
    WorldPair pairs[CLASS_COUNT][WORLD_FLOWS_MAX][WORLD_FLOWS_MAX];
    uint64_t run_jobs;
    uint64_t dropped_jobs;
    uint64_t refused_jobs;
    uint64_t run_batches;
    uint64_t held_batches; /* times a worker left a queue alone to wait for company */
    uint64_t helped_units;
    uint64_t batches_between; /* within a long job */
    bool stopped;
    uint32_t place_count;
    uint64_t stepping_count; /* jobs whose first step has queued */
    uint64_t steps;
    uint64_t step_most_ns;    /* d of scheduler/backlog.h */
    uint64_t ahead_ns;        /* A, since the start */
    int64_t ahead_least;      /* of A - p W t, in hundredths */
    uint64_t times_given_way; /* by a step in a lane */
    uint64_t dropped_at_stop; /* by the scheduler around the core */
    uint64_t steps_due;       /* that began while others waited */
} World;

static inline WorldClass world_class(const World *world, const SchedulerJob *job)
{
    uint32_t limit = world->scenario.options.long_tokens;
    return limit > 0 && job->token_count > limit ? CLASS_LONG : CLASS_SHORT;
}

static inline const Queue *world_queue(const World *world, WorldClass of)
{
    return of == CLASS_LONG ? &world->core.long_queue : &world->core.queue;
}

#define WORLD_CHECK(world, condition) \
    do { \
        if (!(condition)) world_fail(world, #condition, __FILE__, __LINE__); \
    } while (0)

/* Prints the seed and what did not hold, and ends the program. */
_Noreturn void world_fail(const World *world, const char *condition, const char *file, int line);

/* Uniform in [0, limit). */
uint64_t world_random(World *world, uint64_t limit);

/* Runs the whole history of `seed`, checking the invariants at each event. */
void world_run(World *world, uint64_t seed);

/* Whole numbers from `from` to `to`. */
uint32_t world_pick(World *world, uint32_t from, uint32_t to);
bool world_chance(World *world, uint32_t percent);

/* As pthread_cond_signal, so often: any sleeper, or nobody; all of them while a leader rests. */
void world_wake(World *world, uint32_t count);
/* As the scheduler does when a worker begins something. */
void world_wake_besides(World *world, bool began_step);
/* Counts a batch that has formed; returns how long it will take. */
uint64_t world_begin_batch(World *world, const CoreBatch *batch);
void world_end_batch(World *world, const CoreBatch *batch);
/* A batch that is not one between a long job's units has ended. */
void world_finish_batch(World *world, const CoreBatch *batch);
void world_take_dropped(World *world, SchedulerJob *dropped, Status forced);

/* ---- scheduler_long.c ---- */

/* The batch of `worker` is a long job: it shares its first units. */
void long_start(World *world, WorldWorker *worker);
/* Takes a unit of another's long job; false: there is none. */
bool long_help(World *world, WorldWorker *worker);
/* Begins a batch of others within the long job that `worker` has a part of; false: there is none. */
bool long_begin_between(World *world, WorldWorker *worker);
/* What `worker`, which leads or helps, did until now has ended. */
void long_event(World *world, WorldWorker *worker);
/* A leader that was woken looks what there is to do. */
void long_look(World *world, WorldWorker *worker);

/* ---- scheduler_steps.c ---- */

/* Draws what a request's jobs have in the background, and their places; false: there is no room, and it is refused. */
bool steps_draw(World *world, uint32_t begin, uint32_t count);
/* The job was run, or one of its steps was: it queues for the next, or is done. */
void steps_continue(World *world, WorldJob *job);
/* The job ends: its place is given back. */
void steps_release(World *world, WorldJob *job);
/* Before a step begins, as invariants_check_batch; returns how long it will take. */
uint64_t steps_begin(World *world, const CoreBatch *batch);
/* A leader has ended a unit of its step: true when it runs a batch of others now. */
bool steps_give_way(World *world, WorldWorker *worker);
/* Time passes, from the clock's now until `now_ns`. */
void steps_pass(World *world, uint64_t now_ns);
/* After each event, and when all is over. */
void steps_check_state(World *world, bool asleep, uint64_t wake_ns);
void steps_check_end(const World *world);

/* ---- scheduler_invariants.c ---- */

/* After each event, when every worker has done what it could. */
void invariants_check_state(World *world);
/* When a batch has formed, before its jobs change state. */
void invariants_check_batch(World *world, const CoreBatch *batch);
/* Of a submit's answer, before its jobs change state; `purge_allowed`: none was made within the last millisecond.
 */
void invariants_check_answer(World *world, uint32_t begin, uint32_t count, Status status, const Error *error,
                             bool purge_allowed);
/* When all is over. */
void invariants_check_end(World *world);
