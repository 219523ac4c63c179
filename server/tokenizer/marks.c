/* Stable sorting by class: a hostile text is one run, so that long ones are counted. */
#include "tokenizer/marks.h"

#include <stdlib.h>

enum { MARKS_CAPACITY_MIN = 32, MARKS_INSERTION_MAX = 24 };

void marks_close(MarkRun *run)
{
    free(run->marks);
    free(run->sorted);
    *run = (MarkRun){0};
}

bool marks_push(MarkRun *run, Mark mark)
{
    if (run->count == run->capacity) {
        uint32_t capacity = run->capacity + run->capacity / 2 + MARKS_CAPACITY_MIN;
        Mark *marks = realloc(run->marks, capacity * sizeof *marks);
        if (marks) run->marks = marks;
        Mark *sorted = marks ? realloc(run->sorted, capacity * sizeof *sorted) : NULL;
        if (!sorted) return false;
        run->sorted = sorted;
        run->capacity = capacity;
    }
    run->marks[run->count++] = mark;
    return true;
}

static bool marks_in_order(const MarkRun *run)
{
    for (uint32_t i = 1; i < run->count; i++) {
        if (run->marks[i].combining_class < run->marks[i - 1].combining_class) return false;
    }
    return true;
}

static void marks_insert_each(const MarkRun *run)
{
    Mark *sorted = run->sorted;
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1].combining_class > run->marks[i].combining_class; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = run->marks[i];
    }
}

static void marks_count_each(const MarkRun *run)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < run->count; i++) starts[run->marks[i].combining_class + 1]++;
    for (int i = 0; i < 256; i++) starts[i + 1] += starts[i];
    for (uint32_t i = 0; i < run->count; i++) run->sorted[starts[run->marks[i].combining_class]++] = run->marks[i];
}

const Mark *marks_sort(MarkRun *run)
{
    if (marks_in_order(run)) return run->marks;
    if (run->count <= MARKS_INSERTION_MAX)
        marks_insert_each(run);
    else
        marks_count_each(run);
    return run->sorted;
}
