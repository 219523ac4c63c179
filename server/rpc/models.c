#include "rpc/models.h"

#include "base/limits.h"
#include "rpc/inference_state.h"

/* One call, from its message to the end of its change; in the message's arena. */
typedef struct ModelsCall {
    RegistryChange change; /* first */
    Registry *registry;
    RpcMessage *message;
} ModelsCall;

typedef Status ModelsRead(Arena *arena, const uint8_t *wire, size_t size, CodecModelsRequest *out_request,
                          CodecFault *out_fault);

CodecModel models_describe(const RegistryView *view)
{
    CodecModel model = {
        .name = text_view(view->name),
        .failure = text_view(view->failure),
        .loading = view->loading,
        .is_default = view->is_default,
    };
    if (!view->model) return model;
    const Pipeline *pipeline = model_pipeline(view->model);
    const ModelConfig *config = checkpoint_config(pipeline_checkpoint(pipeline));
    model.pipeline = pipeline;
    model.architecture = text_view(config->model_type);
    model.attention = inference_attention(pipeline);
    model.precision = text_view("float32");
    model.weights_sha256 = text_view(model_weights_sha256(view->model));
    model.memory_bytes = model_memory_bytes(view->model);
    model.token_count_max = pipeline_token_count_max(pipeline);
    model.layer_count = config->layer_count;
    model.head_count = config->head_count;
    model.hidden_size = config->hidden_size;
    return model;
}

static bool reply_build(const ModelsCall *call, CodecReply *out_reply)
{
    const RegistryChange *change = &call->change;
    Arena *arena = rpc_message_arena(call->message);
    if (change->action == REGISTRY_UNLOAD) return codec_models_unload(arena, out_reply);
    CodecModel model = {0};
    for (size_t i = 0; i < registry_count(call->registry); i++) {
        const RegistryView view = registry_view(call->registry, i);
        if (text_equal(text_view(view.name), change->name)) model = models_describe(&view);
    }
    arena->budget_bytes += codec_models_bytes(&model, 1);
    return change->action == REGISTRY_LOAD ? codec_models_load(arena, &model, out_reply)
                                           : codec_models_reload(arena, &model, change->changed, out_reply);
}

static void models_done(RegistryChange *change)
{
    ModelsCall *call = (ModelsCall *)change;
    CodecReply reply;
    if (!change->error.status && !reply_build(call, &reply)) {
        error_set(&change->error, STATUS_NO_MEMORY, "it is done, but there is no memory for the reply");
    }
    if (change->error.status) {
        rpc_message_fail(call->message, &change->error, NULL);
    } else {
        rpc_message_reply(call->message, codec_reply_size(reply), codec_reply_pack, reply.message);
    }
}

static void models_change(Registry *registry, RpcMessage *message, const uint8_t *wire, size_t size,
                          RegistryAction action, ModelsRead *read)
{
    CodecFault fault = {.field = ""};
    CodecModelsRequest request;
    Arena *arena = rpc_message_arena(message);
    ModelsCall *call = arena_allocate_zeroed(arena, 1, sizeof *call);
    Status status = call ? read(arena, wire, size, &request, &fault)
                         : error_set(&fault.error, STATUS_NO_MEMORY, "no memory for another request");
    if (!status) {
        *call = (ModelsCall){
            .change =
                {
                    .action = action,
                    .name = request.name,
                    .directory = request.directory,
                    .force = request.force,
                    .done = models_done,
                },
            .registry = registry,
            .message = message,
        };
        status = registry_change(registry, &call->change, &fault.error);
    }
    if (status) inference_refuse(message, &fault);
}

static void models_load(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    models_change(context, message, wire, size, REGISTRY_LOAD, codec_models_read_load);
}

static void models_unload(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    models_change(context, message, wire, size, REGISTRY_UNLOAD, codec_models_read_unload);
}

static void models_reload(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    models_change(context, message, wire, size, REGISTRY_RELOAD, codec_models_read_reload);
}

void models_methods(Registry *registry, RpcMethod out_methods[MODELS_METHOD_COUNT])
{
    out_methods[0] = (RpcMethod){.path = "/headlight.v1.Models/Load", .handle = models_load, .context = registry};
    out_methods[1] =
        (RpcMethod){.path = "/headlight.v1.Models/Unload", .handle = models_unload, .context = registry};
    out_methods[2] =
        (RpcMethod){.path = "/headlight.v1.Models/Reload", .handle = models_reload, .context = registry};
}
