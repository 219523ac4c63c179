#include "sanitizer/confusables.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static const Confusable ROWS[] = {
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

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

enum { SOURCE_MAX = 0x1FFFF };

static uint16_t indices[SOURCE_MAX + 1]; /* by source: of its row */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool filled; /* saves the call for each letter */

static void confusables_fill(void)
{
    for (uint32_t i = 1; i < ROW_COUNT; i++) {
        assert(ROWS[i].source <= SOURCE_MAX);
        indices[ROWS[i].source] = (uint16_t)i;
    }
    atomic_store_explicit(&filled, true, memory_order_release);
}

static void confusables_fill_once(void)
{
    int failed = pthread_once(&once, confusables_fill);
    assert(!failed);
}

const Confusable *confusables_row_of(uint32_t code_point)
{
    if (!atomic_load_explicit(&filled, memory_order_acquire)) confusables_fill_once();
    return &ROWS[indices[code_point <= SOURCE_MAX ? code_point : 0]];
}

const Confusable *confusables_find(uint32_t code_point)
{
    const Confusable *row = confusables_row_of(code_point);
    return row == ROWS ? NULL : row;
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
    return &ROWS[1 + index];
}
