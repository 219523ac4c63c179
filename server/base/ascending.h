/* Looking into ascending lists of numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How many entries of list[count] are below `value`: the place of the first that is not. */
static inline uint32_t ascending_place(const uint32_t *list, uint32_t count, uint32_t value)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool ascending_has(const uint32_t *list, uint32_t count, uint32_t value)
{
    uint32_t place = ascending_place(list, count, value);
    return place < count && list[place] == value;
}
