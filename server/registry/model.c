#include "registry/model.h"

#include "base/limits.h"
#include "base/log.h"
#include "sanitizer/sanitizer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct Model {
    BackgroundItem close_item; /* posted once the last user is gone */
    BackgroundItem hash_item;
    char name[MODEL_NAME_BYTES_MAX + 1];
    Pipeline *pipeline;
    PipelineWorkspace **workspaces; /* [worker_count + lane_count]: of the workers, then of the lanes */
    EncoderHelper **helpers;        /* [worker_count]; NULL: no text is long */
    uint32_t worker_count;
    uint32_t lane_count;   /* 0: no text is long */
    uint32_t batch_tokens; /* of a worker's workspace */
    uint32_t batch_items;
    uint64_t memory_bytes;
    atomic_uint_fast64_t *memory;
    Background *janitor;
    atomic_uint_fast32_t users;
    atomic_bool retired;
    atomic_bool hashed; /* weights_sha256 is there */
    char weights_sha256[SHA256_HEX_BYTES];
};

static void model_close(Model *model);
static Status model_open_workspaces(Model *model, Error *out_error);

static uint32_t at_most(uint32_t value, uint32_t maximum)
{
    return value < maximum ? value : maximum;
}

/* Its table of code points is made at its first use, which takes a while: not on the loop, for the first request. */
static Status model_warm_sanitizer(Error *out_error)
{
    const SanitizeOptions options = {.policy = SANITIZE_REPORT};
    Sanitized sanitized;
    Arena arena;
    arena_init(&arena, MIB);
    Status status = sanitizer_run(text_view("caf\xC3\xA9"), &options, &arena, &sanitized, out_error);
    arena_free(&arena);
    return status;
}

Status model_open(const ModelOptions *options, Model **out_model, Error *out_error)
{
    assert(options->worker_count >= 1 && options->batch_items >= 1);
    const PipelineOptions pipeline_options = {
        .directory = options->directory,
        .token_count_max = options->token_count_max,
        .attention_window = options->attention_window,
        .kernels = options->kernels,
    };
    Model *model = calloc(1, sizeof *model);
    if (!model) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for a model", options->directory);
    snprintf(model->name, sizeof model->name, "%s", options->name);
    model->worker_count = options->worker_count;
    model->batch_items = options->batch_items;
    model->janitor = options->janitor;
    atomic_init(&model->users, 1);
    Status status = pipeline_open(&pipeline_options, &model->pipeline, out_error);
    if (status) goto fail;
    if (options->copied) status = checkpoint_detach(pipeline_checkpoint(model->pipeline), out_error);
    if (status) goto fail;
    uint32_t longest = pipeline_token_count_max(model->pipeline);
    model->batch_tokens = options->batch_tokens > longest ? options->batch_tokens : longest;
    if (longest > LONG_TOKENS) model->lane_count = options->lane_count;
    if (longest <= LONG_TOKENS || model->lane_count > 0)
        model->batch_tokens = at_most(model->batch_tokens, LONG_TOKENS);
    status = model_open_workspaces(model, out_error);
    if (!status) status = model_warm_sanitizer(out_error);
    if (status) goto fail;
    model->memory_bytes = encoder_bytes(pipeline_encoder(model->pipeline)) +
                          checkpoint_kept_bytes(pipeline_checkpoint(model->pipeline)) + options->tokenizer_bytes +
                          model_workspace_bytes(model);
    model->memory = options->memory;
    if (model->memory) atomic_fetch_add(model->memory, model->memory_bytes);
    *out_model = model;
    return STATUS_OK;
fail:
    model_close(model);
    return status;
}

static void model_close(Model *model)
{
    for (uint32_t i = model_workspace_count(model); model->workspaces && i-- > 0;)
        pipeline_workspace_close(model->workspaces[i]);
    for (uint32_t i = 0; model->helpers && i < model->worker_count; i++) encoder_helper_close(model->helpers[i]);
    free(model->workspaces);
    free(model->helpers);
    pipeline_close(model->pipeline);
    if (model->memory) atomic_fetch_sub(model->memory, model->memory_bytes);
    free(model);
}

static void model_run_close(BackgroundItem *item)
{
    model_close((Model *)((char *)item - offsetof(Model, close_item)));
}

Model *model_retain(Model *model)
{
    atomic_fetch_add_explicit(&model->users, 1, memory_order_relaxed);
    return model;
}

void model_release(Model *model)
{
    /* Release what this user read and wrote; acquire that of the others before it is freed. */
    if (!model || atomic_fetch_sub_explicit(&model->users, 1, memory_order_acq_rel) != 1) return;
    if (!model->janitor) {
        model_close(model);
        return;
    }
    model->close_item.run = model_run_close;
    background_post(model->janitor, &model->close_item);
}

void model_retire(Model *model)
{
    atomic_store(&model->retired, true);
}

static void model_run_hash(BackgroundItem *item)
{
    Model *model = (Model *)((char *)item - offsetof(Model, hash_item));
    Error error;
    Status status =
        checkpoint_hash(pipeline_checkpoint(model->pipeline), &model->retired, model->weights_sha256, &error);
    if (status) {
        LogLevel level = error.status == STATUS_CANCELLED ? LOG_DEBUG : LOG_WARNING;
        log_event(level, "hash_failed", "%s", error.message);
    } else {
        atomic_store(&model->hashed, true);
        log_event(LOG_INFO, "weights_hashed", "'%s': sha256 %s", model->name, model->weights_sha256);
    }
    model_release(model);
}

void model_hash(Model *model, Background *hasher)
{
    model_retain(model);
    model->hash_item.run = model_run_hash;
    background_post(hasher, &model->hash_item);
}

const char *model_weights_sha256(const Model *model)
{
    return atomic_load(&model->hashed) ? model->weights_sha256 : "";
}

const char *model_name(const Model *model)
{
    return model->name;
}

const Pipeline *model_pipeline(const Model *model)
{
    return model->pipeline;
}

PipelineWorkspace *model_workspace(const Model *model, uint32_t worker)
{
    assert(worker < model->worker_count);
    return model->workspaces[worker];
}

PipelineWorkspace *model_lane_workspace(const Model *model, uint32_t lane)
{
    assert(lane < model->lane_count);
    return model->workspaces[model->worker_count + lane];
}

uint64_t model_batch_work(const Model *model)
{
    uint32_t longest = pipeline_token_count_max(model->pipeline);
    const Encoder *encoder = pipeline_encoder(model->pipeline);
    uint64_t work = encoder_work(encoder, longest, 0);
    uint64_t token_work = work / longest + (work % longest != 0);
    if (encoder_takes_globals(encoder)) {
        /* A token's share of what global tokens add is largest where all are. */
        uint32_t globals = longest < GLOBAL_TOKEN_COUNT_MAX ? longest : GLOBAL_TOKEN_COUNT_MAX;
        token_work += (encoder_work(encoder, globals, globals) - encoder_work(encoder, globals, 0)) / globals + 1;
    }
    uint32_t tokens = longest > model->batch_tokens ? longest : model->batch_tokens;
    return token_work > UINT64_MAX / tokens ? UINT64_MAX : token_work * tokens;
}

uint64_t model_memory_bytes(const Model *model)
{
    return model->memory_bytes;
}

uint32_t model_workspace_count(const Model *model)
{
    return model->worker_count + model->lane_count;
}

uint64_t model_workspace_bytes(const Model *model)
{
    const Pipeline *pipeline = model->pipeline;
    uint64_t bytes =
        model->worker_count * pipeline_workspace_bytes(pipeline, model->batch_tokens, model->batch_items);
    if (model->lane_count == 0) return bytes;
    return bytes + model->worker_count * encoder_helper_bytes(pipeline_encoder(pipeline)) +
           model->lane_count * pipeline_workspace_bytes(pipeline, pipeline_token_count_max(pipeline), 1);
}

/* One short text: maps the workspace's first pages and proves that the weights give numbers. */
static Status model_warm(const Model *model, PipelineWorkspace *workspace, Error *out_error)
{
    const Pipeline *pipeline = model->pipeline;
    Arena arena;
    arena_init(&arena, REQUEST_ARENA_BASE_BYTES + pipeline_vector_size(pipeline) * sizeof(float));
    const PrepareOptions prepare = {.length_policy = LENGTH_TRUNCATE_RIGHT};
    const EmbedOptions options = {.normalize = NORMALIZE_AS_CHECKPOINT};
    Prepared prepared = {0};
    PipelineItem item = {.prepared = &prepared, .embed = &options};
    PipelineItem *const items[] = {&item};
    Status status = pipeline_prepare(pipeline, text_view("The first text is ours."), NULL, &prepare, &arena,
                                     &prepared, out_error);
    if (status) goto done;
    item.output = arena_allocate_zeroed(&arena, pipeline_vector_size(pipeline), sizeof *item.output);
    if (!item.output) {
        status = error_set(out_error, STATUS_NO_MEMORY, "warm-up: out of memory");
        goto done;
    }
    pipeline_run(pipeline, workspace, NULL, items, 1);
    if (item.status) {
        status = error_set(out_error, STATUS_INTERNAL,
                           "the model's answer to a plain sentence is not finite: its weights are damaged");
    }
done:
    arena_free(&arena);
    return status;
}

static Status model_open_workspace(Model *model, uint32_t index, Error *out_error)
{
    bool lane = index >= model->worker_count;
    PipelineWorkspace **workspace = &model->workspaces[index];
    uint32_t tokens = lane ? pipeline_token_count_max(model->pipeline) : model->batch_tokens;
    Status status =
        pipeline_workspace_open(model->pipeline, tokens, lane ? 1 : model->batch_items, workspace, out_error);
    if (!status && lane) pipeline_workspace_set_helpers(*workspace, model->helpers);
    return status ? status : model_warm(model, *workspace, out_error);
}

static CHECKED Status model_open_helpers(Model *model, Error *out_error)
{
    model->helpers = calloc(model->worker_count, sizeof(EncoderHelper *));
    if (!model->helpers) return error_set(out_error, STATUS_NO_MEMORY, "workspaces: out of memory");
    for (uint32_t i = 0; i < model->worker_count; i++) {
        Status status = encoder_helper_open(pipeline_encoder(model->pipeline), &model->helpers[i], out_error);
        if (status) return status;
    }
    return STATUS_OK;
}

static Status model_open_workspaces(Model *model, Error *out_error)
{
    if (model->lane_count > 0) {
        Status status = model_open_helpers(model, out_error);
        if (status) return status;
    }
    uint32_t count = model_workspace_count(model);
    model->workspaces = calloc(count, sizeof(PipelineWorkspace *));
    if (!model->workspaces) return error_set(out_error, STATUS_NO_MEMORY, "workspaces: out of memory");
    for (uint32_t i = 0; i < count; i++) {
        Status status = model_open_workspace(model, i, out_error);
        if (status) return status;
    }
    return STATUS_OK;
}
