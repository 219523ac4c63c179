/* Time as a dependency, so that the scheduler can be simulated. All times are nanoseconds of CLOCK_MONOTONIC or of
 * a virtual clock that starts at 1; 0 means "none". */
#pragma once

#include <stdint.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

typedef struct Clock {
    uint64_t (*now_ns)(const struct Clock *clock);
    uint64_t virtual_now_ns; /* of a virtual clock only; written by the simulation's one thread */
} Clock;

/* The process's monotonic clock. Any thread. */
extern const Clock clock_monotonic;
/* A clock that stands still until its owner moves `virtual_now_ns`. */
Clock clock_virtual(uint64_t start_ns);

static inline uint64_t clock_now_ns(const Clock *clock)
{
    return clock->now_ns(clock);
}
