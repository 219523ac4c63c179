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

/* Since the start. Any thread. */
typedef struct InferenceCounters {
    atomic_uint_fast64_t texts[SANITIZE_REJECT + 1]; /* sanitized, by policy */
    atomic_uint_fast64_t texts_changed;
    atomic_uint_fast64_t requests_refused;
    atomic_uint_fast64_t findings[RULE_COUNT];
} InferenceCounters;

struct Inference {
    InferenceOptions options;
    InferenceCounters counters;
    Admission admission;
    Registry *registry;
    PipelineItem **items; /* [worker_count][batch_items_max]; each row its worker's, but for long jobs */
    Scheduler *scheduler;
};

/* Of a method that answers by a stream of replies (inference_explain_stream.c). */
typedef struct InferenceStream InferenceStream;

/* What every method's call has; first member of its owner, which lies in the message's arena. */
typedef struct InferenceCall {
    SchedulerJob job; /* first: the part that a worker does, if any; batch_key NULL */
    void (*run)(struct InferenceCall *call);
    Inference *inference;
    RpcMessage *message;
    Arena *arena;             /* the loop's, then a worker's; read-only while there are jobs */
    Model *model;             /* held; NULL until it is found */
    const Pipeline *pipeline; /* the model's */
    InferenceStream *stream;  /* NULL: there is one reply */
    AdmissionHold hold;
} InferenceCall;

/* A zeroed owner of `size` bytes around a call. NULL: the message is gone. Loop thread. */
void *inference_call_open(Inference *inference, RpcMessage *message, size_t size);
/* Holds the model called `name` (empty: the default) until the call ends. Loop thread. Fails as registry_find. */
CHECKED Status inference_call_find_model(InferenceCall *call, TextView name, CodecFault *out_fault);
/* Has a worker do `run`; where it is dropped instead, the call ends. Fails as scheduler_submit. */
CHECKED Status inference_call_defer(InferenceCall *call, void (*run)(InferenceCall *call), uint64_t work,
                                    Error *out_error);
/* `bytes` more for the call's arena, admitted before they are taken. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status inference_call_admit(InferenceCall *call, uint64_t bytes, Error *out_error);
/* The arena is out, which the bound before it should have kept from happening, or the machine's memory is. */
CHECKED Status inference_call_no_memory(CodecFault *out_fault);
/* Each ends the call: what it holds is given back, the call is gone. Of a stream, the loop does so, now or later. Any
 * thread. */
void inference_call_reply(InferenceCall *call, CodecReply reply);
void inference_call_fail(InferenceCall *call, const CodecFault *fault);
void inference_call_drop(InferenceCall *call, Status reason); /* its job was dropped */
/* The same for a stream, at once; a fault of OK ends it well. Loop thread. */
void inference_call_end(InferenceCall *call, const CodecFault *fault);
/* The call answers by a stream, from before its first job. False: its memory is out. Loop thread. */
CHECKED bool inference_stream_open(InferenceCall *call);
/* inference_call_fail of a stream. */
void inference_stream_fail(InferenceCall *call, const CodecFault *fault);

/* What the usage of an input and ListModels call the model's attention. */
TextView inference_attention(const Pipeline *pipeline);
/* What holds for a request for `model`. */
SanitizeOptions inference_sanitize_options(const Inference *inference, TextView model, const CodecSanitize *asked);
/* Says in `fault` that it is of the text at `index` or of its pair, whichever is to blame; `read` is what was read of
 * them. Returns its status. */
CHECKED Status inference_input_fault(const CodecInputs *inputs, uint32_t index, const CodecText *read,
                                     CodecFault *fault);
/* Ends `message`, which is no call's, with `fault`. Any thread. */
void inference_refuse(RpcMessage *message, const CodecFault *fault);

void inference_embed_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_classify_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_rerank_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_tag_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_fill_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_answer_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_explain_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_explain_progress(void *context, RpcMessage *message);
void inference_sanitize_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_tokens_tokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
void inference_tokens_detokenize(void *context, RpcMessage *message, const uint8_t *wire, size_t size);

void inference_batch_run(void *context, const SchedulerBatch *batch);
/* The activations that `batch`, of `model`, runs in: its lane's, or its worker's. */
PipelineWorkspace *inference_batch_workspace(const Model *model, const SchedulerBatch *batch);
void inference_batch_drop(void *context, SchedulerJob *job, Status reason);
