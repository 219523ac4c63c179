/* The second stage of a call: the steps of its explanations, behind its answer. For rpc/inference*.c only. */
#pragma once

#include "rpc/inference_task.h"

/* Every job has run well, and some explanation has steps: runs them, then calls inference_task_finish. The call is
 * theirs. A worker's thread. */
void inference_explain_start(TaskCall *call);
