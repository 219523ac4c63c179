/* Thousands of histories of a simulated server; `scheduler_simulation SEED` repeats one. */
#include "scheduler_world.h"

#include <time.h>

enum { SEEDS_FIXED = 2000, SEEDS_NEW = 1000 };

typedef struct Totals {
    uint64_t run_jobs;
    uint64_t dropped_jobs;
    uint64_t refused_jobs;
    uint64_t run_batches;
    uint64_t held_batches;
    uint64_t helped_units;
    uint64_t batches_between;
    uint64_t steps;
    uint64_t steps_due;
    uint64_t times_given_way;
} Totals;

static World simulation_world; /* too large for the stack */

static void simulate(uint64_t seed, Totals *totals)
{
    world_run(&simulation_world, seed);
    totals->run_jobs += simulation_world.run_jobs;
    totals->dropped_jobs += simulation_world.dropped_jobs;
    totals->refused_jobs += simulation_world.refused_jobs;
    totals->run_batches += simulation_world.run_batches;
    totals->held_batches += simulation_world.held_batches;
    totals->helped_units += simulation_world.helped_units;
    totals->batches_between += simulation_world.batches_between;
    totals->steps += simulation_world.steps;
    totals->steps_due += simulation_world.steps_due;
    totals->times_given_way += simulation_world.times_given_way;
}

int main(int argc, char **argv)
{
    Totals totals = {0};
    if (argc > 1) {
        simulate(strtoull(argv[1], NULL, 10), &totals);
    } else {
        uint64_t first_new = (uint64_t)time(NULL) * 1000000;
        printf("seeds 1 to %d, and %d from %llu\n", SEEDS_FIXED, SEEDS_NEW, (unsigned long long)first_new);
        fflush(stdout);
        for (uint64_t seed = 1; seed <= SEEDS_FIXED; seed++) simulate(seed, &totals);
        for (uint64_t i = 0; i < SEEDS_NEW; i++) simulate(first_new + i, &totals);
    }
    printf("%llu jobs run in %llu batches, %llu dropped, %llu refused; %llu times held back for company\n",
           (unsigned long long)totals.run_jobs, (unsigned long long)totals.run_batches,
           (unsigned long long)totals.dropped_jobs, (unsigned long long)totals.refused_jobs,
           (unsigned long long)totals.held_batches);
    printf("of long jobs %llu units by helpers; %llu batches between their units\n",
           (unsigned long long)totals.helped_units, (unsigned long long)totals.batches_between);
    printf("%llu steps in the background, %llu of them while others waited; %llu times one gave way\n",
           (unsigned long long)totals.steps, (unsigned long long)totals.steps_due,
           (unsigned long long)totals.times_given_way);
    return 0;
}
