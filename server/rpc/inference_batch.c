/* What the scheduler's workers call: a batch through the pipeline, or one task. */
#include "rpc/inference_task.h"

#include <assert.h>

void inference_batch_run(void *context, uint32_t worker, SchedulerJob *const *jobs, uint32_t count)
{
    Inference *inference = context;
    const Model *model = jobs[0]->batch_key;
    if (!model) {
        assert(count == 1);
        InferenceCall *call = (InferenceCall *)jobs[0];
        call->run(call);
        return;
    }
    assert(worker < inference->options.worker_count && count <= inference->options.batch_items);
    PipelineItem **items = inference->items + (size_t)worker * inference->options.batch_items;
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        items[i] = &((TaskJob *)jobs[i])->item;
        token_count += jobs[i]->token_count;
    }
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    pipeline_run(model_pipeline(model), model_workspace(model, worker), items, count);
    uint64_t finished_ns = clock_now_ns(&clock_monotonic);
    for (uint32_t i = 0; i < count; i++) { /* the model may be gone with the last of them */
        TaskJob *job = (TaskJob *)jobs[i];
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
