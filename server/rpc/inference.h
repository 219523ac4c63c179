/* The Inference service: its methods, and what its jobs do on the workers. Knows requests, pipelines and the
 * scheduler; knows neither gRPC nor the loop. */
#pragma once

#include "registry/registry.h"
#include "rpc/call.h"
#include "rpc/sanitize_policies.h"
#include "scheduler/scheduler.h"

typedef struct Inference Inference;

typedef struct InferenceOptions {
    Registry *registry;            /* of the loop; outlives the service */
    uint32_t input_count_max;      /* texts of one request */
    uint64_t reply_bytes_max;      /* a request whose reply would be larger is refused before it is computed */
    uint64_t request_memory_bytes; /* of all requests together: see admission.h */
    SanitizePolicies sanitize;
    uint32_t worker_count;
    uint32_t batch_items; /* the most of one batch */
} InferenceOptions;

/* On success the caller owns *out_inference (inference_close). Fails with NO_MEMORY. */
CHECKED Status inference_open(const InferenceOptions *options, Inference **out_inference, Error *out_error);
/* After the last message was answered and the scheduler closed. NULL is a no-op. */
void inference_close(Inference *inference);

enum { INFERENCE_METHOD_COUNT = 13 };
/* Fills in every method of headlight.v1.Inference. */
void inference_methods(Inference *inference, RpcMethod out_methods[INFERENCE_METHOD_COUNT]);

/* What the requests take right now, of request_memory_bytes. Any thread. */
uint64_t inference_memory_bytes(const Inference *inference);

/* What was sanitized since the start. */
typedef struct InferenceSanitized {
    uint64_t texts[SANITIZE_REJECT + 1]; /* by policy; OFF: 0 */
    uint64_t texts_changed;
    uint64_t requests_refused;
    uint64_t findings[RULE_COUNT];
} InferenceSanitized;

InferenceSanitized inference_sanitized(const Inference *inference); /* any thread */

/* What the scheduler is to call. */
SchedulerCallbacks inference_callbacks(Inference *inference);
/* `scheduler` was opened with inference_callbacks. Loop thread; before the first message. */
void inference_serve(Inference *inference, Scheduler *scheduler);
