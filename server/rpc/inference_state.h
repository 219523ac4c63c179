/* What the files of the Inference service share; for rpc/inference*.c only. */
#pragma once

#include "base/limits.h"
#include "rpc/admission.h"
#include "rpc/codec_reply.h"
#include "rpc/codec_request.h"
#include "rpc/inference.h"

enum {
    /* Texts up to this much together are tokenized on the loop, in about a millisecond; more goes to a worker. */
    INFERENCE_LOOP_TEXT_BYTES_MAX = 32 * 1024,
    INFERENCE_LOOP_ID_COUNT_MAX = 8 * 1024, /* of Detokenize, likewise */
};

typedef struct InferenceWorker {
    PipelineWorkspace *workspace;
    PipelineItem **items; /* [item_capacity] */
} InferenceWorker;

struct Inference {
    char model_name[MODEL_NAME_BYTES_MAX + 1];
    InferenceOptions options;
    Admission admission;
    InferenceWorker *workers; /* [worker_count]; each used by its worker alone once the scheduler runs */
    uint32_t worker_count;
    const Pipeline *pipeline; /* written before the scheduler opens */
    /* The loop's: */
    Scheduler *scheduler; /* NULL until inference_serve */
    char weights_sha256[65];
};

/* A piece of work that is no batch, on a worker: run and drop are each other's alternative. First member of its
 * owner. */
typedef struct InferenceTask {
    SchedulerJob job; /* first; batch_key NULL */
    void (*run)(struct InferenceTask *task);
    void (*drop)(struct InferenceTask *task, Status reason);
} InferenceTask;

/* One text of an Embed request. */
typedef struct InferenceEmbedJob {
    SchedulerJob job; /* first; batch_key is the pipeline */
    struct InferenceEmbedCall *call;
    Prepared prepared;
    PipelineItem item; /* item.status is the job's, also when it was dropped */
    uint64_t started_ns;
    uint64_t finished_ns;
    uint32_t batch_sequences;
    uint32_t batch_tokens;
} InferenceEmbedJob;

/* Refuses `message` unless the service serves and `model` is empty or its model's name. Loop thread. False: the
 * message is gone. */
CHECKED bool inference_admit(Inference *inference, RpcMessage *message);
CHECKED Status inference_check_model(const Inference *inference, TextView model, CodecFault *out_fault);
/* Says in `fault` that it is of inputs[index], `input`, and whether of its text or its pair; returns its status. */
CHECKED Status inference_input_fault(uint32_t index, const CodecText *input, CodecFault *fault);
/* Ends `message` with `fault`. Any thread. */
void inference_refuse(RpcMessage *message, const CodecFault *fault);
/* Ends `message` because its job was dropped. Any thread. */
void inference_dropped(RpcMessage *message, Status reason);
void inference_reply(RpcMessage *message, CodecReply reply);

/* Hands `task` (run and drop set) to a worker, on behalf of `message`. Loop thread. */
CHECKED Status inference_task_submit(Inference *inference, RpcMessage *message, InferenceTask *task, uint64_t work,
                                     Error *out_error);

void inference_embed_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
/* The job was run or dropped. A worker's thread. */
void inference_embed_job_done(InferenceEmbedJob *job);
void inference_tokens_tokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_tokens_detokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size);

void inference_batch_run(void *context, uint32_t worker, SchedulerJob *const *jobs, uint32_t count);
void inference_batch_drop(void *context, SchedulerJob *job, Status reason);
