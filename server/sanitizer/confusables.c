#include "sanitizer/confusables.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static const Confusable ROWS[] = {
#define CONFUSABLE(source, latin, greek, cyrillic, armenian, loose) \
    {source, {latin, greek, cyrillic, armenian}, loose},
#include "sanitizer/confusables.def"
#undef CONFUSABLE
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

enum { SOURCE_MAX = 0x1FFFF };

static uint16_t indices[SOURCE_MAX + 1]; /* by source: of its row, from 1 on */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool filled; /* saves the call for each letter */

static void confusables_fill(void)
{
    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        assert(ROWS[i].source <= SOURCE_MAX);
        indices[ROWS[i].source] = (uint16_t)(i + 1);
    }
    atomic_store_explicit(&filled, true, memory_order_release);
}

static void confusables_fill_once(void)
{
    int failed = pthread_once(&once, confusables_fill);
    assert(!failed);
}

const Confusable *confusables_find(uint32_t code_point)
{
    if (!atomic_load_explicit(&filled, memory_order_acquire)) confusables_fill_once();
    if (code_point > SOURCE_MAX || !indices[code_point]) return NULL;
    return &ROWS[indices[code_point] - 1];
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
