#include "progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { PROGRESS_WIDTH = 30 };
#define PROGRESS_EVERY_NS (100 * NS_PER_MS)

void progress_begin(Progress *progress, bool quiet, uint64_t total_bytes)
{
    *progress = (Progress){.visible = !quiet && isatty(STDERR_FILENO), .total_bytes = total_bytes, .name = ""};
    progress->start_ns = clock_now_ns(&clock_monotonic);
}

void progress_skip(Progress *progress, uint64_t bytes)
{
    progress->skipped_bytes += bytes;
}

static void progress_draw(const Progress *progress, uint64_t now_ns)
{
    double share = progress->total_bytes ? (double)progress->done_bytes / (double)progress->total_bytes : 0;
    if (share > 1) share = 1;
    int filled = (int)(share * PROGRESS_WIDTH);
    double seconds = (double)(now_ns - progress->start_ns) / (double)NS_PER_S;
    /* A part that turned out useless is moved after all: then there is less done than was skipped. */
    bool moved = seconds > 0 && progress->done_bytes > progress->skipped_bytes;
    double rate = moved ? (double)(progress->done_bytes - progress->skipped_bytes) / seconds / 1e6 : 0;
    fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f %%  %.1f of %.1f MB  %.1f MB/s  %s", filled,
            "##############################", PROGRESS_WIDTH - filled, "", share * 100,
            (double)progress->done_bytes / 1e6, (double)progress->total_bytes / 1e6, rate, progress->name);
    fflush(stderr);
}

void progress_set(Progress *progress, uint64_t done_bytes)
{
    progress->done_bytes = done_bytes;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    if (!progress->visible || now_ns < progress->next_ns) return;
    progress->next_ns = now_ns + PROGRESS_EVERY_NS;
    progress_draw(progress, now_ns);
}

void progress_clear(const Progress *progress)
{
    if (progress->visible) fputs("\r\033[K", stderr);
}
