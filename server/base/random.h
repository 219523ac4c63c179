/* Seeded random numbers: the same seed gives the same numbers on every machine. Not for secrets. */
#pragma once

#include <stdint.h>

/* A state is any number, the seed at first. Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number
 * Generators. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t value = *state += 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* One of 0 .. count - 1, count at least 1. Some are likelier than others by count / 2^64. */
static inline uint32_t random_below(uint64_t *state, uint32_t count)
{
    return (uint32_t)(random_next(state) % count);
}

/* Fisher and Yates's shuffle of the last `count` of `total` items to their end: a random choice of `count` of them. */
static inline void random_choose(uint64_t *state, uint32_t *items, uint32_t total, uint32_t count)
{
    for (uint32_t i = total; i > 1 && total - i < count; i--) {
        uint32_t other = random_below(state, i);
        uint32_t item = items[i - 1];
        items[i - 1] = items[other];
        items[other] = item;
    }
}
