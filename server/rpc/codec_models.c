#include "rpc/codec_models.h"

#include "headlight/v1/models.pb-c.h"
#include "rpc/codec_reply_parts.h"
#include "rpc/codec_request_fields.h"

Status codec_models_read_list(Arena *arena, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    const void *message =
        codec_field_message(&headlight__v1__list_models_request__descriptor, arena, wire, size, out_fault);
    return message ? STATUS_OK : out_fault->error.status;
}

typedef struct ModelReply {
    Headlight__V1__ModelInfo info; /* first: a list's items are their addresses */
    ProtobufCBinaryData tasks[TASK_COUNT];
} ModelReply;

uint64_t codec_models_bytes(const CodecModel *models, size_t count)
{
    uint64_t label_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (models[i].pipeline) label_count += pipeline_label_count(models[i].pipeline);
    }
    return codec_parts_bytes(count, sizeof(ModelReply), label_count, sizeof(ProtobufCBinaryData));
}

static bool model_labels_build(Arena *arena, const Pipeline *pipeline, Headlight__V1__ModelInfo *out_info)
{
    uint32_t count = pipeline_label_count(pipeline);
    out_info->labels = arena_allocate(arena, count * sizeof *out_info->labels);
    if (!out_info->labels) return false;
    for (uint32_t i = 0; i < count; i++) out_info->labels[i] = codec_data_of(pipeline_label(pipeline, i));
    out_info->n_labels = count;
    return true;
}

static bool model_build(Arena *arena, const CodecModel *model, ModelReply *out_model)
{
    Headlight__V1__ModelInfo *info = &out_model->info;
    headlight__v1__model_info__init(info);
    info->name = codec_data_of(model->name);
    info->architecture = codec_data_of(model->architecture);
    info->attention = codec_data_of(model->attention);
    info->precision = codec_data_of(model->precision);
    info->weights_sha256 = codec_data_of(model->weights_sha256);
    info->token_count_max = model->token_count_max;
    info->layer_count = model->layer_count;
    info->head_count = model->head_count;
    info->hidden_size = model->hidden_size;
    info->failure = codec_data_of(model->failure);
    info->memory_bytes = model->memory_bytes;
    info->loading = model->loading;
    info->is_default = model->is_default;
    info->ready = model->pipeline != NULL;
    if (!model->pipeline) return true;
    info->tasks = out_model->tasks;
    for (int task = 0; task < TASK_COUNT; task++) {
        if (!pipeline_has_task(model->pipeline, (Task)task)) continue;
        out_model->tasks[info->n_tasks++] = codec_data_of(text_view(task_name((Task)task)));
    }
    return model_labels_build(arena, model->pipeline, info);
}

bool codec_models_list(Arena *arena, const CodecModel *models, size_t count, CodecReply *out_reply)
{
    Headlight__V1__ListModelsResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(ModelReply), &storage);
    if (!response || !list) return false;
    headlight__v1__list_models_response__init(response);
    response->n_models = count;
    response->models = (Headlight__V1__ModelInfo **)list;
    for (size_t i = 0; i < count; i++) {
        if (!model_build(arena, &models[i], list[i])) return false;
    }
    out_reply->message = response;
    return true;
}

/* A path in C ends at its first NUL: one with more behind it is another path than the client wrote. */
static Status directory_read(Arena *arena, ProtobufCBinaryData data, const char **out_directory,
                             CodecFault *out_fault)
{
    TextView directory;
    Status status = codec_field_name(data, "directory", &directory, out_fault);
    if (status || directory.size == 0) return status;
    if (memchr(directory.bytes, '\0', directory.size)) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "directory", "directory has a NUL byte");
    }
    *out_directory = arena_copy_text(arena, directory);
    if (*out_directory) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_RESOURCE_EXHAUSTED, "directory", "the request's memory is used up");
}

Status codec_models_read_load(Arena *arena, const uint8_t *wire, size_t size, CodecModelsRequest *out_request,
                              CodecFault *out_fault)
{
    *out_request = (CodecModelsRequest){0};
    const Headlight__V1__LoadModelRequest *message =
        codec_field_message(&headlight__v1__load_model_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    Status status = codec_field_name(message->name, "name", &out_request->name, out_fault);
    return status ? status : directory_read(arena, message->directory, &out_request->directory, out_fault);
}

Status codec_models_read_unload(Arena *arena, const uint8_t *wire, size_t size, CodecModelsRequest *out_request,
                                CodecFault *out_fault)
{
    *out_request = (CodecModelsRequest){0};
    const Headlight__V1__UnloadModelRequest *message =
        codec_field_message(&headlight__v1__unload_model_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    return codec_field_name(message->name, "name", &out_request->name, out_fault);
}

Status codec_models_read_reload(Arena *arena, const uint8_t *wire, size_t size, CodecModelsRequest *out_request,
                                CodecFault *out_fault)
{
    *out_request = (CodecModelsRequest){0};
    const Headlight__V1__ReloadModelRequest *message =
        codec_field_message(&headlight__v1__reload_model_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    out_request->force = message->force;
    return codec_field_name(message->name, "name", &out_request->name, out_fault);
}

static Headlight__V1__ModelInfo *info_build(Arena *arena, const CodecModel *model)
{
    ModelReply *reply = arena_allocate_zeroed(arena, 1, sizeof *reply);
    if (!reply || !model_build(arena, model, reply)) return NULL;
    return &reply->info;
}

bool codec_models_load(Arena *arena, const CodecModel *model, CodecReply *out_reply)
{
    Headlight__V1__LoadModelResponse *response = arena_allocate(arena, sizeof *response);
    if (!response) return false;
    headlight__v1__load_model_response__init(response);
    response->model = info_build(arena, model);
    out_reply->message = response;
    return response->model != NULL;
}

bool codec_models_unload(Arena *arena, CodecReply *out_reply)
{
    Headlight__V1__UnloadModelResponse *response = arena_allocate(arena, sizeof *response);
    if (!response) return false;
    headlight__v1__unload_model_response__init(response);
    out_reply->message = response;
    return true;
}

bool codec_models_reload(Arena *arena, const CodecModel *model, bool reloaded, CodecReply *out_reply)
{
    Headlight__V1__ReloadModelResponse *response = arena_allocate(arena, sizeof *response);
    if (!response) return false;
    headlight__v1__reload_model_response__init(response);
    response->model = info_build(arena, model);
    response->reloaded = reloaded;
    out_reply->message = response;
    return response->model != NULL;
}
