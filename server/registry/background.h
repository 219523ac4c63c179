/* One thread that does what it is given, in that order. */
#pragma once

#include "base/status.h"

typedef struct Background Background;

/* Embedded in its owner's memory; the thread's from background_post until `run` is called, which may free it. */
typedef struct BackgroundItem {
    struct BackgroundItem *next;
    void (*run)(struct BackgroundItem *item);
} BackgroundItem;

/* Starts the thread, called `name` (up to 15 bytes), with all signals blocked; `idle`: at the lowest priority. The
 * caller owns *out_background (background_close). Fails with NO_MEMORY, RESOURCE_EXHAUSTED (no thread). */
CHECKED Status background_open(const char *name, bool idle, Background **out_background, Error *out_error);
/* Any thread, also from `run`; cannot fail. */
void background_post(Background *background, BackgroundItem *item);
/* Waits until what was posted before has run. Not from `run`. */
void background_flush(Background *background);
/* Runs what was posted and what that posts, then ends the thread. NULL is a no-op. Not from `run`. */
void background_close(Background *background);
