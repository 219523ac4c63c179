/* Steps in the background: their places, and when one begins rather than a job that somebody waits for. */
#include "scheduler/core_parts.h"

#include <assert.h>

/* Explanations take from a tenth of a second to minutes. */
static const uint64_t core_step_retry_ns = NS_PER_S;

void core_account(Core *core, uint64_t now_ns)
{
    if (backlog_rests(&core->backlog)) return;
    BacklogOthers others = OTHERS_NONE;
    if (core->long_queue.job_count > 0) others = OTHERS_FOR_A_LANE;
    if (core->queue.job_count > 0) others = OTHERS_IN_QUEUE;
    backlog_account(&core->backlog, others, now_ns);
}

Status core_reserve(Core *core, uint32_t count, Error *out_error)
{
    Backlog *backlog = &core->backlog;
    uint32_t places_max = core->options.background_jobs_max;
    assert(count >= 1);
    if (core->draining) return core_refuse_late(out_error);
    if (count > places_max) {
        return error_set(
            out_error, STATUS_INVALID_ARGUMENT,
            "a request of %u inputs and chunks to explain in steps never fits, as the server takes %u at a "
            "time: split it",
            count, places_max);
    }
    if (count <= places_max - backlog->place_count) {
        if (backlog_rests(backlog)) backlog->accounted_ns = clock_now_ns(core->options.clock);
        backlog->place_count += count;
        return STATUS_OK;
    }
    core->gauge.refused_jobs += count;
    error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
              "%u of %u texts are being explained in steps, and this request has %u: try again later",
              backlog->place_count, places_max, count);
    if (out_error) out_error->retry_after_ns = core_step_retry_ns;
    return STATUS_RESOURCE_EXHAUSTED;
}

void core_release(Core *core, uint32_t count)
{
    Backlog *backlog = &core->backlog;
    assert(count <= backlog->place_count);
    backlog->place_count -= count;
    assert(backlog->queue.job_count <= backlog->place_count);
}

void core_step(Core *core, SchedulerJob *job)
{
    Backlog *backlog = &core->backlog;
    assert(backlog->queue.job_count < backlog->place_count);
    if (job->place == 0) job->place = backlog->place_next++;
    job->submitted_ns = clock_now_ns(core->options.clock);
    queue_push_placed(&backlog->queue, job);
}

void core_form_step(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped)
{
    Queue *queue = &core->backlog.queue;
    QueueFlow *flow;
    while ((flow = queue_turn(queue))) {
        if (core_job_is_dead(flow->first, now_ns)) {
            core_drop(core, queue, flow, out_dropped);
            continue;
        }
        bool in_lane = core_is_long(core, flow->first);
        if (in_lane && core->lanes.used_count == core->lanes.count) return;
        core_batch_add(batch, queue_take(queue, flow));
        batch->is_step = true;
        if (in_lane) batch->lane = lanes_take(&core->lanes);
        backlog_enter(&core->backlog, in_lane);
        return;
    }
}

void core_finish_step(Core *core, const CoreBatch *batch, uint64_t now_ns)
{
    Backlog *backlog = &core->backlog;
    backlog_leave(backlog, batch->lane != SCHEDULER_NO_LANE);
    backlog->steps++;
    backlog->steps_ns += now_ns - batch->started_ns;
}

uint64_t core_form_idle_step(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped)
{
    if (core->backlog.queue.job_count == 0 || backlog_wanted(&core->backlog) == 0 ||
        lanes_needing_help(&core->lanes) != SCHEDULER_NO_LANE)
        return 0;
    uint64_t ready_ns = backlog_ready_ns(&core->backlog);
    if (ready_ns > now_ns) return ready_ns;
    core_form_step(core, batch, now_ns, out_dropped);
    return 0;
}

bool core_goes_behind(Core *core)
{
    core_account(core, clock_now_ns(core->options.clock));
    return core->backlog.debt > 0 && core->queue.job_count > 0;
}

bool core_gives_way(Core *core)
{
    if (!core_goes_behind(core)) return false;
    backlog_give_way(&core->backlog);
    return true;
}

void core_go_on(Core *core)
{
    core_account(core, clock_now_ns(core->options.clock));
    backlog_go_on(&core->backlog);
}
