#include "rpc/core_log.h"

#include "base/clock.h"
#include "base/log.h"

#include <grpc/support/log.h>
#include <stdatomic.h>
#include <string.h>

enum { CORE_LOG_LINES_A_SECOND = 5 };

/* The second that is counted, and its lines: both in one word, so that any thread may log without a lock. */
static atomic_uint_fast64_t core_log_window;
static atomic_bool core_log_accept_failed;
static atomic_bool core_log_hushed;

/* How many lines to skip were skipped until now is not worth knowing; that some were is. */
static bool core_log_admit(bool *out_last)
{
    uint64_t second = clock_now_ns(&clock_monotonic) / NS_PER_S;
    uint64_t window = atomic_load(&core_log_window);
    uint64_t next;
    do {
        uint64_t lines = window >> 8 == second ? window & 0xFF : 0;
        if (lines >= CORE_LOG_LINES_A_SECOND) return false;
        next = second << 8 | (lines + 1);
    } while (!atomic_compare_exchange_weak(&core_log_window, &window, next));
    *out_last = (next & 0xFF) == CORE_LOG_LINES_A_SECOND;
    return true;
}

static void core_log_write(gpr_log_func_args *line)
{
    bool last = false;
    if (strncmp(line->message, "Failed accept4:", strlen("Failed accept4:")) == 0) {
        atomic_store(&core_log_accept_failed, true);
    }
    if (!core_log_admit(&last)) return;
    const char *slash = strrchr(line->file, '/');
    bool grave = line->severity == GPR_LOG_SEVERITY_ERROR && !atomic_load(&core_log_hushed);
    LogLevel level = grave ? LOG_WARNING : LOG_DEBUG;
    log_event(level, "grpc", "%s:%d: %s%s", slash ? slash + 1 : line->file, line->line, line->message,
              last ? " (more in this second are not shown)" : "");
}

bool core_log_listener_lost(void)
{
    return atomic_load(&core_log_accept_failed);
}

void core_log_hush(bool hushed)
{
    atomic_store(&core_log_hushed, hushed);
}

void core_log_install(void)
{
    gpr_set_log_function(core_log_write);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}
