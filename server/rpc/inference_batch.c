/* What the scheduler's workers call: a batch through the pipeline, or one task. */
#include "rpc/inference_explain.h"

#include <assert.h>

PipelineWorkspace *inference_batch_workspace(const Model *model, const SchedulerBatch *batch)
{
    bool in_lane = batch->lane != SCHEDULER_NO_LANE;
    return in_lane ? model_lane_workspace(model, batch->lane) : model_workspace(model, batch->worker);
}

/* Writes the items of the batch to `items` and runs them. Returns the number of their tokens. */
static uint32_t inference_batch_compute(const Model *model, const SchedulerBatch *batch, PipelineItem **items)
{
    uint32_t token_count = 0;
    PipelineWorkspace *workspace = inference_batch_workspace(model, batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        items[i] = &((TaskJob *)batch->jobs[i])->item;
        token_count += batch->jobs[i]->token_count;
    }
    pipeline_run(model_pipeline(model), workspace, batch->crew, items, batch->count);
    return token_count;
}

void inference_batch_run(void *context, const SchedulerBatch *batch)
{
    Inference *inference = context;
    const Model *model = batch->jobs[0]->batch_key;
    uint32_t count = batch->count;
    if (!model) {
        assert(count == 1);
        InferenceCall *call = (InferenceCall *)batch->jobs[0];
        call->run(call);
        return;
    }
    if (batch->background) {
        inference_explain_run(batch);
        return;
    }
    assert(batch->worker < inference->options.worker_count && count <= inference->options.batch_items);
    PipelineItem *alone; /* a long job leaves the worker's row to batches between its units */
    PipelineItem **items = inference->items + (size_t)batch->worker * inference->options.batch_items;
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    uint32_t token_count =
        inference_batch_compute(model, batch, batch->lane == SCHEDULER_NO_LANE ? items : &alone);
    uint64_t finished_ns = clock_now_ns(&clock_monotonic);
    for (uint32_t i = 0; i < count; i++) { /* the model may be gone with the last of them */
        TaskJob *job = (TaskJob *)batch->jobs[i];
        job->started_ns = started_ns;
        job->finished_ns = finished_ns;
        job->batch_sequences = count;
        job->batch_tokens = token_count;
        inference_task_job_done(job);
    }
}

void inference_batch_drop(void *context, SchedulerJob *job, Status reason)
{
    (void)context;
    assert(reason != STATUS_OK);
    if (!job->batch_key) {
        inference_call_drop((InferenceCall *)job, reason);
        return;
    }
    TaskJob *own = (TaskJob *)job;
    own->item.status = reason;
    inference_task_job_done(own);
}
