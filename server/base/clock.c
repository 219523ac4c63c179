#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t clock_monotonic_now_ns(const Clock *clock)
{
    (void)clock;
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(!failed);
    (void)failed;
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t clock_virtual_now_ns(const Clock *clock)
{
    return clock->virtual_now_ns;
}

const Clock clock_monotonic = {.now_ns = clock_monotonic_now_ns};

Clock clock_virtual(uint64_t start_ns)
{
    assert(start_ns != 0); /* 0 means "none" wherever a time is stored */
    return (Clock){.now_ns = clock_virtual_now_ns, .virtual_now_ns = start_ns};
}
