#include "rpc/inference_explain.h"

#include <assert.h>
#include <stdio.h>

static bool job_has_steps(const TaskJob *job)
{
    return job->explain && pipeline_explain_has_steps(job->explain);
}

/* What is more would time out, and stand in the way of others. */
static Status work_check(const TaskCall *call, CodecFault *out_fault)
{
    uint64_t work = 0;
    for (uint32_t i = 0; i < call->job_count; i++) {
        uint64_t own = call->jobs[i].step_work;
        if (own > SCHEDULER_JOB_WORK_LIMIT - work) {
            snprintf(out_fault->field, sizeof out_fault->field, "options.explanation");
            return error_set(
                &out_fault->error, STATUS_RESOURCE_EXHAUSTED,
                "the explanation would run for hours: ask for fewer samples or steps, for methods that "
                "read what the answer is computed by, or for shorter texts");
        }
        work += own;
    }
    return STATUS_OK;
}

Status inference_explain_reserve(TaskCall *call, CodecFault *out_fault)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < call->job_count; i++) count += job_has_steps(&call->jobs[i]);
    if (count == 0) return STATUS_OK;
    Status status = work_check(call, out_fault);
    if (!status) status = scheduler_reserve(call->base.inference->scheduler, count, &out_fault->error);
    if (!status) call->place_count = count;
    return status;
}

void inference_explain_release(TaskCall *call)
{
    if (call->place_count) scheduler_release(call->base.inference->scheduler, call->place_count);
    call->place_count = 0;
}

/* What a step is charged with: a batch of copies takes as much as the sequence, or some short ones. */
static uint64_t job_step_work(const TaskJob *job)
{
    uint64_t count = job->item.prepared->encoding.count;
    uint64_t work = job->item.prepared->work;
    return count < EXPLAIN_STEP_TOKENS ? work * (EXPLAIN_STEP_TOKENS / count) : work;
}

void inference_explain_start(TaskCall *call)
{
    call->explaining = true;
    atomic_store_explicit(&call->pending, call->place_count + 1,
                          memory_order_relaxed); /* one is this function's */
    for (uint32_t i = 0; i < call->job_count; i++) {
        TaskJob *job = &call->jobs[i];
        if (!job_has_steps(job)) continue;
        job->job.work = job_step_work(job);
        scheduler_step(call->base.inference->scheduler, &job->job);
    }
    inference_task_job_done(&call->jobs[0]);
}

void inference_explain_run(const SchedulerBatch *batch)
{
    TaskJob *job = (TaskJob *)batch->jobs[0];
    PipelineWorkspace *workspace = inference_batch_workspace(batch->jobs[0]->batch_key, batch);
    bool done;
    Error error;
    assert(batch->count == 1 && job->explain);
    Status status = pipeline_explain_step(job->explain, &job->item, workspace, batch->crew, &done, &error);
    job->item.status = status;
    if (!status && !done) {
        scheduler_step(job->call->base.inference->scheduler, &job->job);
        return;
    }
    job->finished_ns = clock_now_ns(&clock_monotonic);
    inference_task_job_done(job);
}
