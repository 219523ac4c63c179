/* A progress bar on standard error, when that is a terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A value. One thread. */
typedef struct Progress {
    bool visible;
    uint64_t total_bytes; /* 0: unknown */
    uint64_t done_bytes;
    uint64_t skipped_bytes; /* of them, what was there already: no part of the rate */
    uint64_t start_ns;
    uint64_t next_ns; /* when the line is drawn again */
    const char *name; /* what is on its way; borrowed */
} Progress;

void progress_begin(Progress *progress, bool quiet, uint64_t total_bytes);
/* Says that `bytes` need not be moved. They are set as done like all others. */
void progress_skip(Progress *progress, uint64_t bytes);
/* Sets how many bytes are done in all, and draws at most ten times a second. */
void progress_set(Progress *progress, uint64_t done_bytes);
/* Removes the bar, so that something else can be printed. */
void progress_clear(const Progress *progress);
