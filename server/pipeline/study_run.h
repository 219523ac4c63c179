/* A study whose copies are run in steps. For pipeline/explain*.c only. */
#pragma once

#include "pipeline/copies.h"

/* One thread's; zeroed but for `study` and `copies`. */
typedef struct StudyRun {
    Study *study; /* text.whole need not be known before the first step */
    Copies *copies;
    StudyRound round;
    uint32_t run_count; /* of the round's copies */
    bool begun;
} StudyRun;

/* Runs the next batch of copies, if there are any left. Fails with INTERNAL (an answer that is not finite). */
CHECKED Status study_run_step(StudyRun *run, const ExplainStep *step, bool *out_done, Error *out_error);
