#include "scheduler/lanes.h"

#include <assert.h>

uint32_t lanes_count(uint32_t worker_count)
{
    return (worker_count + LANES_WORKERS_EACH - 1) / LANES_WORKERS_EACH;
}

uint32_t lanes_take(Lanes *lanes)
{
    assert(lanes->used_count < lanes->count);
    uint32_t lane = 0;
    while (lanes->lane[lane].used) lane++;
    lanes->lane[lane] = (Lane){.used = true};
    lanes->used_count++;
    return lane;
}

void lanes_release(Lanes *lanes, uint32_t lane)
{
    assert(lanes->lane[lane].used && lanes->lane[lane].unit_count == 0);
    lanes->lane[lane].used = false;
    lanes->used_count--;
}

void lanes_share(Lanes *lanes, uint32_t lane, uint32_t unit_count)
{
    Lane *own = &lanes->lane[lane];
    assert(own->used && own->unit_count == 0 && unit_count > 0);
    own->unit_count = unit_count;
    own->unit_next = 0;
}

bool lanes_is_sharing(const Lanes *lanes, uint32_t lane)
{
    return lanes->lane[lane].unit_count > 0;
}

bool lanes_take_unit(Lanes *lanes, uint32_t lane, uint32_t *out_unit)
{
    Lane *own = &lanes->lane[lane];
    if (own->unit_next == own->unit_count) return false;
    *out_unit = own->unit_next++;
    own->running++;
    return true;
}

bool lanes_end_unit(Lanes *lanes, uint32_t lane)
{
    Lane *own = &lanes->lane[lane];
    assert(own->running > 0);
    own->running--;
    if (own->running > 0 || own->unit_next < own->unit_count) return false;
    own->unit_count = own->unit_next = 0;
    return true;
}

uint32_t lanes_needing_help(const Lanes *lanes)
{
    uint32_t best = SCHEDULER_NO_LANE;
    for (uint32_t i = 0; lanes->used_count > 0 && i < lanes->count; i++) {
        const Lane *lane = &lanes->lane[i];
        if (!lane->used || lane->unit_next == lane->unit_count) continue;
        if (best == SCHEDULER_NO_LANE || lane->running < lanes->lane[best].running) best = i;
    }
    return best;
}
