/* The second stage of a call: the steps of its explanations, in the scheduler's background, behind what computes its
 * answer. For rpc/inference*.c only. */
#pragma once

#include "rpc/inference_task.h"

/* Places in the background for the explanations that have steps, before the call's jobs are queued. Fails as
 * scheduler_reserve, and with RESOURCE_EXHAUSTED where the steps would run for hours. */
CHECKED Status inference_explain_reserve(TaskCall *call, CodecFault *out_fault);
/* Gives them back: no step is queued. */
void inference_explain_release(TaskCall *call);
/* Every job has run well, and some explanation has steps: runs them; with the last one the call answers. It is
 * theirs. A worker's thread. */
void inference_explain_start(TaskCall *call);
/* A step of what the scheduler's background is at. A worker's thread. */
void inference_explain_run(const SchedulerBatch *batch);
