/* The explanations of a call's answer: what they take is known, and refused or admitted, before anything is
 * computed. For rpc/inference*.c only. Each does nothing where none is asked for. */
#pragma once

#include "rpc/codec_explain.h"
#include "rpc/inference_task.h"

/* What does not depend on the texts. Fails as pipeline_check_explain. */
CHECKED Status inference_explanations_check(const TaskCall *call, CodecFault *out_fault);
/* Adds what they take to *size. Fails with INVALID_ARGUMENT (a row that a text has not), RESOURCE_EXHAUSTED (more than
 * the request or the server allows; the error says how much it would be and what would be less). */
CHECKED Status inference_explanations_size(TaskCall *call, TaskSize *size, CodecFault *out_fault);
/* Room for them, which `size` counted, and the items' probes. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status inference_explanations_open(TaskCall *call, CodecFault *out_fault);
/* Every job has run well: says what is explained, and finishes the explanations that need no steps. Whether others do.
 * A failed one leaves its item's status. */
bool inference_explanations_begin(TaskCall *call);
/* Once all are done. */
CodecExplanations inference_explanations_of(const TaskCall *call, const TaskText *text);
