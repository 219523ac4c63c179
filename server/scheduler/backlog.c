#include "scheduler/backlog.h"

#include <assert.h>

enum { PERCENT = 100 };

Status backlog_open(Backlog *backlog, const SchedulerOptions *options, Error *out_error)
{
    uint32_t jobs_max = options->background_jobs_max;
    *backlog = (Backlog){
        .percent = options->background_percent,
        .worker_count = options->worker_count,
        .place_next = 1,
    };
    if (jobs_max > SCHEDULER_QUEUE_JOBS_LIMIT) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u jobs in the background: must be 0 to %u",
                         jobs_max, SCHEDULER_QUEUE_JOBS_LIMIT);
    }
    if (jobs_max && (backlog->percent < 1 || backlog->percent > SCHEDULER_BACKGROUND_PERCENT_LIMIT)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u %% for the background: must be 1 to %u",
                         backlog->percent, SCHEDULER_BACKGROUND_PERCENT_LIMIT);
    }
    Status status = queue_open(&backlog->queue, jobs_max ? jobs_max : 1, 0, out_error);
    backlog->queue.keyless = true;
    return status;
}

void backlog_close(Backlog *backlog)
{
    queue_close(&backlog->queue);
}

/* Hundredths of a nanosecond that fall away in each. */
static uint64_t backlog_rate(const Backlog *backlog)
{
    return (uint64_t)backlog->percent * backlog->worker_count;
}

void backlog_account(Backlog *backlog, BacklogOthers others, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - backlog->accounted_ns;
    backlog->accounted_ns = now_ns;
    if (backlog->running == 0 && backlog->debt == 0) return;
    uint32_t ahead = 0;
    if (others == OTHERS_IN_QUEUE) ahead = backlog->running - backlog->waiting;
    if (others == OTHERS_FOR_A_LANE) ahead = backlog->in_lane - backlog->waiting;
    backlog->ahead_ns += ahead * passed_ns;
    uint64_t grown = ahead * (uint64_t)PERCENT;
    uint64_t rate = backlog_rate(backlog);
    if (grown >= rate) {
        backlog->debt += (grown - rate) * passed_ns;
    } else if (backlog->debt / (rate - grown) <= passed_ns) {
        backlog->debt = 0;
    } else {
        backlog->debt -= (rate - grown) * passed_ns;
    }
}

bool backlog_is_due(const Backlog *backlog)
{
    uint64_t running_max = (backlog_rate(backlog) + PERCENT - 1) / PERCENT;
    return backlog->queue.job_count > 0 && backlog->debt == 0 && backlog->running < running_max;
}

uint32_t backlog_wanted(const Backlog *backlog)
{
    uint32_t running_max = backlog->worker_count > 1 ? backlog->worker_count - 1 : 1;
    if (backlog->running >= running_max) return 0;
    uint32_t count = running_max - backlog->running;
    return count < backlog->queue.job_count ? count : backlog->queue.job_count;
}

uint64_t backlog_ready_ns(const Backlog *backlog)
{
    if (backlog->debt == 0) return backlog->accounted_ns;
    return backlog->accounted_ns + backlog->debt / backlog_rate(backlog) + 1;
}

void backlog_enter(Backlog *backlog, bool in_lane)
{
    backlog->running++;
    backlog->in_lane += in_lane;
}

void backlog_leave(Backlog *backlog, bool in_lane)
{
    assert(backlog->running > 0 && backlog->in_lane >= in_lane);
    backlog->running--;
    backlog->in_lane -= in_lane;
}

void backlog_give_way(Backlog *backlog)
{
    backlog->waiting++;
    assert(backlog->waiting <= backlog->in_lane);
}

void backlog_go_on(Backlog *backlog)
{
    assert(backlog->waiting > 0);
    backlog->waiting--;
}
