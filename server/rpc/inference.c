#include "rpc/inference_state.h"

#include "base/limits.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A model is loaded within a second or two; who asks sooner is told to come back soon. */
#define INFERENCE_LOADING_RETRY_NS (200 * NS_PER_MS)

static void inference_list_models(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
static void inference_unimplemented(void *context, RpcMessage *message, const uint8_t *wire, size_t size);
static Status worker_open(Inference *inference, InferenceWorker *worker, uint32_t token_capacity,
                          uint32_t item_capacity, Error *out_error);

Status inference_open(const InferenceOptions *options, Inference **out_inference, Error *out_error)
{
    Inference *inference = calloc(1, sizeof *inference);
    if (!inference) return error_set(out_error, STATUS_NO_MEMORY, "inference: out of memory");
    inference->options = *options;
    snprintf(inference->model_name, sizeof inference->model_name, "%s", options->model_name);
    inference->options.model_name = inference->model_name;
    admission_init(&inference->admission, options->request_memory_bytes);
    *out_inference = inference;
    return STATUS_OK;
}

void inference_close(Inference *inference)
{
    if (!inference) return;
    for (uint32_t i = 0; i < inference->worker_count; i++) {
        pipeline_workspace_close(inference->workers[i].workspace);
        free(inference->workers[i].items);
    }
    free(inference->workers);
    free(inference);
}

/* Methods of the service that come with later versions. */
static const char *const missing_paths[] = {
    "/headlight.v1.Inference/Classify",  "/headlight.v1.Inference/Rerank",
    "/headlight.v1.Inference/TagTokens", "/headlight.v1.Inference/FillMask",
    "/headlight.v1.Inference/Answer",    "/headlight.v1.Inference/Sanitize",
    "/headlight.v1.Inference/Explain",   "/headlight.v1.Inference/ClassifyStream",
};

void inference_methods(Inference *inference, RpcMethod out_methods[INFERENCE_METHOD_COUNT])
{
    const RpcMethod methods[] = {
        {.path = "/headlight.v1.Inference/Embed", .handle = inference_embed_handle},
        {.path = "/headlight.v1.Inference/EmbedStream", .shape = RPC_BIDI, .handle = inference_embed_handle},
        {.path = "/headlight.v1.Inference/Tokenize", .handle = inference_tokens_tokenize},
        {.path = "/headlight.v1.Inference/Detokenize", .handle = inference_tokens_detokenize},
        {.path = "/headlight.v1.Inference/ListModels", .handle = inference_list_models},
    };
    enum {
        MISSING_COUNT = sizeof missing_paths / sizeof missing_paths[0],
        COUNT = sizeof methods / sizeof methods[0]
    };
    static_assert(COUNT + MISSING_COUNT == INFERENCE_METHOD_COUNT, "every method has a row");
    for (size_t i = 0; i < COUNT; i++) {
        out_methods[i] = methods[i];
        out_methods[i].context = inference;
    }
    for (size_t i = 0; i < MISSING_COUNT; i++) {
        const char *path = missing_paths[i];
        out_methods[COUNT + i] = (RpcMethod){
            .path = path,
            .shape = strstr(path, "Stream") ? RPC_BIDI : RPC_UNARY,
            .handle = inference_unimplemented,
            .context = (void *)path,
        };
    }
}

Status inference_workers_open(Inference *inference, const Pipeline *pipeline, uint32_t worker_count,
                              uint32_t token_capacity, uint32_t item_capacity, Error *out_error)
{
    assert(!inference->workers && worker_count >= 1 && item_capacity >= 1);
    inference->workers = calloc(worker_count, sizeof *inference->workers);
    if (!inference->workers) return error_set(out_error, STATUS_NO_MEMORY, "workers: out of memory");
    inference->worker_count = worker_count;
    inference->pipeline = pipeline;
    for (uint32_t i = 0; i < worker_count; i++) {
        Status status = worker_open(inference, &inference->workers[i], token_capacity, item_capacity, out_error);
        if (status) return status;
    }
    return STATUS_OK;
}

SchedulerCallbacks inference_callbacks(Inference *inference)
{
    assert(inference->workers);
    return (SchedulerCallbacks){.context = inference, .run = inference_batch_run, .drop = inference_batch_drop};
}

void inference_serve(Inference *inference, Scheduler *scheduler)
{
    inference->scheduler = scheduler;
}

void inference_set_weights_sha256(Inference *inference, const char *hex)
{
    snprintf(inference->weights_sha256, sizeof inference->weights_sha256, "%s", hex);
}

/* One short text: maps the workspace's first pages and proves that the weights give numbers. */
static Status worker_warm(const Inference *inference, InferenceWorker *worker, Error *out_error)
{
    Arena arena;
    arena_init(&arena, REQUEST_ARENA_BASE_BYTES + pipeline_vector_size(inference->pipeline) * sizeof(float));
    const PrepareOptions prepare = {.length_policy = LENGTH_TRUNCATE_RIGHT};
    const EmbedOptions options = {.normalize = NORMALIZE_AS_CHECKPOINT};
    Prepared prepared = {0};
    PipelineItem item = {.prepared = &prepared, .embed = &options};
    Status status = pipeline_prepare(inference->pipeline, text_view("The first text is ours."), NULL, &prepare,
                                     &arena, &prepared, out_error);
    if (status) goto done;
    item.output = arena_allocate_zeroed(&arena, pipeline_vector_size(inference->pipeline), sizeof *item.output);
    if (!item.output) {
        status = error_set(out_error, STATUS_NO_MEMORY, "warm-up: out of memory");
        goto done;
    }
    worker->items[0] = &item;
    pipeline_run(inference->pipeline, worker->workspace, worker->items, 1);
    if (item.status) {
        status = error_set(out_error, STATUS_INTERNAL,
                           "the model's answer to a plain sentence is not finite: its weights are damaged");
    }
done:
    arena_free(&arena);
    return status;
}

static Status worker_open(Inference *inference, InferenceWorker *worker, uint32_t token_capacity,
                          uint32_t item_capacity, Error *out_error)
{
    worker->items = calloc(item_capacity, sizeof *worker->items);
    if (!worker->items) return error_set(out_error, STATUS_NO_MEMORY, "workers: out of memory");
    Status status =
        pipeline_workspace_open(inference->pipeline, token_capacity, item_capacity, &worker->workspace, out_error);
    return status ? status : worker_warm(inference, worker, out_error);
}

bool inference_admit(Inference *inference, RpcMessage *message)
{
    if (inference->scheduler) return true;
    Error error;
    error_set(&error, STATUS_UNAVAILABLE, "the model is being loaded: try again in a moment");
    error.retry_after_ns = INFERENCE_LOADING_RETRY_NS;
    rpc_message_fail(message, &error, NULL);
    return false;
}

Status inference_check_model(const Inference *inference, TextView model, CodecFault *out_fault)
{
    if (model.size == 0 || text_equal(model, text_view(inference->model_name))) return STATUS_OK;
    snprintf(out_fault->field, sizeof out_fault->field, "model");
    return error_set(
        &out_fault->error, STATUS_NOT_FOUND,
        "no model is called '%.*s': the server has '%s', which is also the default when model is empty",
        (int)model.size, model.bytes, inference->model_name);
}

static bool text_is_well_formed(TextView text)
{
    size_t position;
    return text.size <= TEXT_BYTES_MAX && utf8_valid(text, &position);
}

/* What concerns both, such as their length in tokens, is said of the text. */
Status inference_input_fault(uint32_t index, const CodecText *input, CodecFault *fault)
{
    bool unwanted = fault->error.status == STATUS_UNSUPPORTED; /* the model takes no pairs */
    bool of_pair =
        input->has_pair && (unwanted || (text_is_well_formed(input->text) && !text_is_well_formed(input->pair)));
    snprintf(fault->field, sizeof fault->field, "inputs[%u].%s", index, of_pair ? "pair" : "text");
    return error_prefix(&fault->error, "inputs[%u]", index);
}

void inference_refuse(RpcMessage *message, const CodecFault *fault)
{
    rpc_message_fail(message, &fault->error, fault->field[0] ? fault->field : NULL);
}

void inference_dropped(RpcMessage *message, Status reason)
{
    Error error;
    switch (reason) {
    case STATUS_CANCELLED:
        error_set(&error, reason, "the client cancelled the request before it was computed");
        break;
    case STATUS_DEADLINE_EXCEEDED:
        error_set(&error, reason, "the request's deadline passed before it was computed");
        break;
    default:
        error_set(&error, reason, "the server is shutting down");
        break;
    }
    rpc_message_fail(message, &error, NULL);
}

void inference_reply(RpcMessage *message, CodecReply reply)
{
    rpc_message_reply(message, codec_reply_size(reply), codec_reply_pack, reply.message);
}

Status inference_task_submit(Inference *inference, RpcMessage *message, InferenceTask *task, uint64_t work,
                             Error *out_error)
{
    task->job = (SchedulerJob){
        .flow = rpc_message_flow(message),
        .work = work,
        .deadline_ns = rpc_message_deadline_ns(message),
        .cancelled = rpc_message_cancelled(message),
    };
    SchedulerJob *job = &task->job;
    return scheduler_submit(inference->scheduler, &job, 1, out_error);
}

static CodecModel model_describe(const Inference *inference)
{
    CodecModel model = {.name = text_view(inference->model_name)};
    if (!inference->scheduler) return model;
    const ModelConfig *config = checkpoint_config(pipeline_checkpoint(inference->pipeline));
    model.architecture = text_view(architecture_model_type(config->architecture));
    model.task = text_view("embed");
    model.attention = text_view("dense");
    model.precision = text_view("float32");
    model.weights_sha256 = text_view(inference->weights_sha256);
    model.token_count_max = pipeline_token_count_max(inference->pipeline);
    model.layer_count = config->layer_count;
    model.head_count = config->head_count;
    model.hidden_size = config->hidden_size;
    model.ready = true;
    return model;
}

/* Answers while the model loads as well: its name, and that it is not ready. */
static void inference_list_models(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    const Inference *inference = context;
    Arena *arena = rpc_message_arena(message);
    CodecFault fault;
    if (codec_request_list_models(arena, wire, size, &fault)) {
        inference_refuse(message, &fault);
        return;
    }
    CodecModel model = model_describe(inference);
    CodecReply reply;
    if (!codec_reply_list_models(arena, &model, &reply)) {
        error_set(&fault.error, STATUS_RESOURCE_EXHAUSTED, "the request's memory is used up");
        inference_refuse(message, &fault);
        return;
    }
    inference_reply(message, reply);
}

static void inference_unimplemented(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    (void)wire;
    (void)size;
    Error error;
    error_set(&error, STATUS_UNIMPLEMENTED,
              "this version has no %s: Embed, EmbedStream, Tokenize, Detokenize and ListModels are there",
              strrchr(context, '/') + 1);
    rpc_message_fail(message, &error, NULL);
}
