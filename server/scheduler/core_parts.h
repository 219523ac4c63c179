/* What the files of the scheduler's core share; for scheduler/core*.c only. */
#pragma once

#include "scheduler/core.h"

bool core_is_long(const Core *core, const SchedulerJob *job);
/* Whether `job` is not to be run any more; its drop_reason is set then. */
bool core_job_is_dead(SchedulerJob *job, uint64_t now_ns);
/* Takes the first job of `flow`, whose drop_reason is set, out of the queue. */
void core_drop(Core *core, Queue *queue, QueueFlow *flow, SchedulerJob **out_dropped);
void core_batch_add(CoreBatch *batch, SchedulerJob *job);
/* UNAVAILABLE. */
CHECKED Status core_refuse_late(Error *out_error);

/* ---- core_backlog.c ---- */

/* Takes the step whose turn it is; one that needs a lane waits for it, and the others behind it. */
void core_form_step(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped);
/* For a worker that has nothing else to do, no unit to help with either: a step, or when to come back for it; 0: there
 * is nothing to come back for. */
uint64_t core_form_idle_step(Core *core, CoreBatch *batch, uint64_t now_ns, SchedulerJob **out_dropped);
void core_finish_step(Core *core, const CoreBatch *batch, uint64_t now_ns);
/* Before whatever changes who waits, or which steps run. */
void core_account(Core *core, uint64_t now_ns);
