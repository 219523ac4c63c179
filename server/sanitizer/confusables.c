#include "sanitizer/confusables.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

const Confusable confusables_rows[] = {
    {0}, /* of what looks like nothing else */
#define CONFUSABLE(source, latin, greek, cyrillic, armenian, loose) \
    {source, \
     {latin, greek, cyrillic, armenian}, \
     (latin ? 1 << SCRIPT_LATIN : 0) | (greek ? 1 << SCRIPT_GREEK : 0) | (cyrillic ? 1 << SCRIPT_CYRILLIC : 0) | \
         (armenian ? 1 << SCRIPT_ARMENIAN : 0), \
     loose},
#include "sanitizer/confusables.def"
#undef CONFUSABLE
};

enum { ROW_COUNT = sizeof confusables_rows / sizeof confusables_rows[0] };

uint16_t confusables_indices[CONFUSABLE_SOURCE_MAX + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void confusables_fill(void)
{
    for (uint32_t i = 1; i < ROW_COUNT; i++) {
        assert(confusables_rows[i].source <= CONFUSABLE_SOURCE_MAX);
        confusables_indices[confusables_rows[i].source] = (uint16_t)i;
    }
}

const Confusable *confusables_find(uint32_t code_point)
{
    int failed = pthread_once(&once, confusables_fill);
    assert(!failed);
    const Confusable *row = confusables_row_of(code_point);
    return row == confusables_rows ? NULL : row;
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
    return ROW_COUNT - 1;
}

const Confusable *confusables_row(uint32_t index)
{
    assert(index < confusables_count());
    return &confusables_rows[1 + index];
}
