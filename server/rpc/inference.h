/* The Inference service: its methods, and what its jobs do on the workers. Knows requests, pipelines and the
 * scheduler; knows neither gRPC nor the loop. */
#pragma once

#include "pipeline/pipeline.h"
#include "rpc/call.h"
#include "scheduler/scheduler.h"

typedef struct Inference Inference;

typedef struct InferenceOptions {
    const char *model_name;        /* what clients call the model; copied */
    uint32_t input_count_max;      /* texts of one request */
    uint64_t reply_bytes_max;      /* a request whose reply would be larger is refused before it is computed */
    uint64_t request_memory_bytes; /* of all requests together: see admission.h */
} InferenceOptions;

/* Methods can be called from now on and answer UNAVAILABLE until inference_serve. On success the caller owns
 * *out_inference (inference_close). Fails with NO_MEMORY. */
CHECKED Status inference_open(const InferenceOptions *options, Inference **out_inference, Error *out_error);
/* After the last message was answered and the scheduler closed. NULL is a no-op. */
void inference_close(Inference *inference);

enum { INFERENCE_METHOD_COUNT = 13 };
/* Fills in every method of headlight.v1.Inference; those that this version lacks answer UNIMPLEMENTED. */
void inference_methods(Inference *inference, RpcMethod out_methods[INFERENCE_METHOD_COUNT]);

/* Gives each of `worker_count` workers a workspace for batches of `token_capacity` tokens and `item_capacity`
 * texts, and runs each once, so that the first request finds its memory mapped. `pipeline` must outlive
 * `inference`. Before the scheduler opens; any one thread; once. Fails with NO_MEMORY, INTERNAL (the model's
 * answer is not finite). */
CHECKED Status inference_workers_open(Inference *inference, const Pipeline *pipeline, uint32_t worker_count,
                                      uint32_t token_capacity, uint32_t item_capacity, Error *out_error);
/* What the scheduler is to call; after inference_workers_open. */
SchedulerCallbacks inference_callbacks(Inference *inference);

/* Requests are answered from now on. `scheduler` was opened with inference_callbacks. Loop thread. */
void inference_serve(Inference *inference, Scheduler *scheduler);
/* The digest that ListModels reports, 64 hexadecimal digits; empty until then. Loop thread. */
void inference_set_weights_sha256(Inference *inference, const char *hex);
