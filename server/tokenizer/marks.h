/* A run of combining marks on its way into the order of their classes. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct Mark {
    uint32_t code_point;
    uint8_t combining_class;
    bool first; /* of its decomposition */
    ByteRange origin;
} Mark;

/* Zeroed is empty. One thread. */
typedef struct MarkRun {
    Mark *marks;  /* [capacity] */
    Mark *sorted; /* [capacity] */
    uint32_t count;
    uint32_t capacity;
} MarkRun;

void marks_close(MarkRun *run);
CHECKED bool marks_push(MarkRun *run, Mark mark); /* false: out of memory */
/* The run by rising class, equal ones in the order they came; valid until the next push. */
const Mark *marks_sort(MarkRun *run);
