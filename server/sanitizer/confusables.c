#include "sanitizer/confusables.h"

#include <assert.h>
#include <stddef.h>

static const Confusable ROWS[] = {
#define CONFUSABLE(source, latin, greek, cyrillic, armenian, loose) \
    {source, {latin, greek, cyrillic, armenian}, loose},
#include "sanitizer/confusables.def"
#undef CONFUSABLE
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

const Confusable *confusables_find(uint32_t code_point)
{
    uint32_t low = 0, high = ROW_COUNT;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ROWS[middle].source < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ROW_COUNT && ROWS[low].source == code_point ? &ROWS[low] : NULL;
}

bool confusables_is_close(uint32_t code_point, WordScript own)
{
    const Confusable *row = confusables_find(code_point);
    for (int script = SCRIPT_LATIN; row && script <= SCRIPT_CYRILLIC; script++) {
        if (script != (int)own && row->targets[script] && !(row->loose >> script & 1)) return true;
    }
    return false;
}

uint32_t confusables_count(void)
{
    return ROW_COUNT;
}

const Confusable *confusables_row(uint32_t index)
{
    assert(index < ROW_COUNT);
    return &ROWS[index];
}
