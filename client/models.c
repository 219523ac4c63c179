/* `headlight models`: what the server serves, and, where it lets us, a change of that. */
#include "call.h"
#include "output.h"

#include <headlight/v1/models.pb-c.h>
#include <inttypes.h>
#include <string.h>

static const char models_list_method[] = "/headlight.v1.Inference/ListModels";
static const char models_load_method[] = "/headlight.v1.Models/Load";
static const char models_unload_method[] = "/headlight.v1.Models/Unload";
static const char models_reload_method[] = "/headlight.v1.Models/Reload";

typedef struct ModelsSettings {
    Settings common;
    bool force;
} ModelsSettings;

static const Option models_options[] = {
    {"force", NULL, NULL, OPTION_FLAG, offsetof(ModelsSettings, force), NULL, 0, 0, NULL,
     "With reload: even if the model's files have not changed."},
};

static void models_print_list(const char *key, const ProtobufCBinaryData *texts, size_t count)
{
    printf(",\"%s\":[", key);
    for (size_t index = 0; index < count; index++) {
        if (index) putchar(',');
        output_json_text(stdout, codec_view(texts[index]));
    }
    putchar(']');
}

static void models_print_text(const char *key, ProtobufCBinaryData text)
{
    printf(",\"%s\":", key);
    output_json_text(stdout, codec_view(text));
}

static void models_print_json(const Headlight__V1__ModelInfo *model)
{
    fputs("{\"name\":", stdout);
    output_json_text(stdout, codec_view(model->name));
    models_print_text("architecture", model->architecture);
    models_print_list("tasks", model->tasks, model->n_tasks);
    printf(",\"token_count_max\":%" PRIu32, model->token_count_max);
    models_print_text("attention", model->attention);
    models_print_text("precision", model->precision);
    printf(",\"layer_count\":%" PRIu32 ",\"head_count\":%" PRIu32 ",\"hidden_size\":%" PRIu32, model->layer_count,
           model->head_count, model->hidden_size);
    models_print_list("labels", model->labels, model->n_labels);
    models_print_text("weights_sha256", model->weights_sha256);
    printf(",\"ready\":%s,\"default\":%s,\"loading\":%s,\"memory_bytes\":%" PRIu64,
           model->ready ? "true" : "false", model->is_default ? "true" : "false",
           model->loading ? "true" : "false", model->memory_bytes);
    models_print_text("failure", model->failure);
    putchar('}');
}

static void models_print_cell(ProtobufCBinaryData text, const char *after)
{
    output_plain_text(stdout, codec_view(text));
    fputs(after, stdout);
}

static const char *models_state(const Headlight__V1__ModelInfo *model)
{
    if (model->loading) return model->ready ? "ready, loading anew" : "loading";
    return model->ready ? "ready" : "not ready";
}

static void models_print_row(const Headlight__V1__ModelInfo *model)
{
    models_print_cell(model->name, ": ");
    printf("%s%s\n", models_state(model), model->is_default ? ", the default" : "");
    if (model->failure.len) {
        fputs("  could not be loaded: ", stdout);
        models_print_cell(model->failure, "\n");
    }
    if (!model->ready) return;
    fputs("  ", stdout);
    models_print_cell(model->architecture, ", ");
    models_print_cell(model->precision, ", attention ");
    models_print_cell(model->attention, "\n  tasks");
    for (size_t index = 0; index < model->n_tasks; index++) {
        putchar(' ');
        models_print_cell(model->tasks[index], "");
    }
    printf("\n  %" PRIu32 " tokens at most, %" PRIu32 " layers, %" PRIu32 " heads, hidden size %" PRIu32
           ", %" PRIu64 " MiB\n",
           model->token_count_max, model->layer_count, model->head_count, model->hidden_size,
           model->memory_bytes >> 20);
    if (!model->weights_sha256.len) return;
    fputs("  weights sha256 ", stdout);
    models_print_cell(model->weights_sha256, "\n");
}

static void models_print(const Settings *settings, Headlight__V1__ModelInfo *const *models, size_t count)
{
    if (settings->format == OUTPUT_JSON) fputs("{\"models\":[", stdout);
    for (size_t index = 0; index < count; index++) {
        if (settings->format == OUTPUT_TEXT) {
            models_print_row(models[index]);
            continue;
        }
        if (settings->format == OUTPUT_JSON && index) putchar(',');
        models_print_json(models[index]);
        if (settings->format == OUTPUT_JSONL) putchar('\n');
    }
    if (settings->format == OUTPUT_JSON) puts("]}");
}

/* What the user asked for: the request, and how its reply is shown. */
typedef struct ModelsCall {
    const char *method;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *reply_type;
    void (*print)(const Settings *settings, const ProtobufCMessage *reply);
} ModelsCall;

static int models_call(const Settings *settings, const ModelsCall *call)
{
    Error error;
    Channel *channel;
    if (call_open(settings, &channel, &error) != STATUS_OK) return output_fail(&error);
    Arena arena;
    ProtobufCMessage *reply;
    Status status =
        call_message(channel, settings, call->method, call->request, call->reply_type, &arena, &reply, &error);
    if (status == STATUS_OK) {
        call->print(settings, reply);
        status = output_flush(stdout, &error);
    }
    arena_free(&arena);
    channel_close(channel);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

static void models_print_listed(const Settings *settings, const ProtobufCMessage *message)
{
    const Headlight__V1__ListModelsResponse *reply = (const Headlight__V1__ListModelsResponse *)message;
    models_print(settings, reply->models, reply->n_models);
    if (reply->n_models == 0) output_note(settings->quiet, "the server has no model");
}

static void models_print_loaded(const Settings *settings, const ProtobufCMessage *message)
{
    const Headlight__V1__LoadModelResponse *reply = (const Headlight__V1__LoadModelResponse *)message;
    models_print(settings, &reply->model, reply->model != NULL);
}

static void models_print_unloaded(const Settings *settings, const ProtobufCMessage *message)
{
    (void)message;
    models_print(settings, NULL, 0);
}

static void models_print_reloaded(const Settings *settings, const ProtobufCMessage *message)
{
    const Headlight__V1__ReloadModelResponse *reply = (const Headlight__V1__ReloadModelResponse *)message;
    models_print(settings, &reply->model, reply->model != NULL);
    if (!reply->reloaded)
        output_note(settings->quiet, "its files have not changed; --force loads it all the same");
}

static int models_load(const Settings *settings, char *const *arguments, size_t argument_count)
{
    Headlight__V1__LoadModelRequest request = HEADLIGHT__V1__LOAD_MODEL_REQUEST__INIT;
    request.name = codec_text(text_view(arguments[0]));
    if (argument_count > 1) request.directory = codec_text(text_view(arguments[1]));
    return models_call(settings,
                       &(ModelsCall){models_load_method, &request.base,
                                     &headlight__v1__load_model_response__descriptor, models_print_loaded});
}

static int models_unload(const Settings *settings, const char *name)
{
    Headlight__V1__UnloadModelRequest request = HEADLIGHT__V1__UNLOAD_MODEL_REQUEST__INIT;
    request.name = codec_text(text_view(name));
    return models_call(settings,
                       &(ModelsCall){models_unload_method, &request.base,
                                     &headlight__v1__unload_model_response__descriptor, models_print_unloaded});
}

static int models_reload(const Settings *settings, const char *name, bool force)
{
    Headlight__V1__ReloadModelRequest request = HEADLIGHT__V1__RELOAD_MODEL_REQUEST__INIT;
    request.name = codec_text(text_view(name));
    request.force = force;
    return models_call(settings,
                       &(ModelsCall){models_reload_method, &request.base,
                                     &headlight__v1__reload_model_response__descriptor, models_print_reloaded});
}

static int models_list(const Settings *settings)
{
    Headlight__V1__ListModelsRequest request = HEADLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    return models_call(settings,
                       &(ModelsCall){models_list_method, &request.base,
                                     &headlight__v1__list_models_response__descriptor, models_print_listed});
}

static int models_run(const void *values, char *const *arguments, size_t argument_count)
{
    const ModelsSettings *settings = values;
    const char *action = argument_count ? arguments[0] : "";
    size_t name_count = argument_count ? argument_count - 1 : 0;
    if (argument_count == 0) return models_list(&settings->common);
    if (strcmp(action, "load") == 0 && (name_count == 1 || name_count == 2))
        return models_load(&settings->common, arguments + 1, name_count);
    if (strcmp(action, "unload") == 0 && name_count == 1) return models_unload(&settings->common, arguments[1]);
    if (strcmp(action, "reload") == 0 && name_count == 1)
        return models_reload(&settings->common, arguments[1], settings->force);
    Error error;
    error_set(&error, STATUS_INVALID_ARGUMENT,
              "models takes nothing, load NAME [DIRECTORY], unload NAME, or reload NAME");
    return output_fail(&error);
}

const Command models_command = {
    .name = "models",
    .arguments = "[load NAME [DIRECTORY] | unload NAME | reload NAME]",
    .summary = "List the models that the server has, or load and unload one",
    .details =
        "Prints each model's name, tasks, limits, shape and memory. A change needs a server with --admin on, and\n"
        "ends when it is done; requests under way are answered by the model they began with. DIRECTORY is the\n"
        "server's: a folder of its --models-directory, or one it was started with.\n\n"
        "  headlight models\n"
        "  headlight models load reranker\n"
        "  headlight models reload --force reranker",
    .options = models_options,
    .option_count = sizeof models_options / sizeof *models_options,
    .settings_size = sizeof(ModelsSettings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES,
    .run = models_run,
};
