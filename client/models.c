/* `headlight models`: what the server serves. */
#include "call.h"
#include "output.h"

#include <headlight/v1/headlight.pb-c.h>
#include <inttypes.h>

static const char models_method[] = "/headlight.v1.Inference/ListModels";

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
    printf(",\"ready\":%s}", model->ready ? "true" : "false");
}

static void models_print_cell(ProtobufCBinaryData text, const char *after)
{
    output_plain_text(stdout, codec_view(text));
    fputs(after, stdout);
}

static void models_print_row(const Headlight__V1__ModelInfo *model)
{
    models_print_cell(model->name, model->ready ? ": ready\n  " : ": not ready\n  ");
    models_print_cell(model->architecture, ", ");
    models_print_cell(model->precision, ", attention ");
    models_print_cell(model->attention, "\n  tasks");
    for (size_t index = 0; index < model->n_tasks; index++) {
        putchar(' ');
        models_print_cell(model->tasks[index], "");
    }
    printf("\n  %" PRIu32 " tokens at most, %" PRIu32 " layers, %" PRIu32 " heads, hidden size %" PRIu32 "\n",
           model->token_count_max, model->layer_count, model->head_count, model->hidden_size);
    if (!model->weights_sha256.len) return;
    fputs("  weights sha256 ", stdout);
    models_print_cell(model->weights_sha256, "\n");
}

static void models_print(const Settings *settings, const Headlight__V1__ListModelsResponse *reply)
{
    if (settings->format == OUTPUT_JSON) fputs("{\"models\":[", stdout);
    for (size_t index = 0; index < reply->n_models; index++) {
        if (settings->format == OUTPUT_TEXT) {
            models_print_row(reply->models[index]);
            continue;
        }
        if (settings->format == OUTPUT_JSON && index) putchar(',');
        models_print_json(reply->models[index]);
        if (settings->format == OUTPUT_JSONL) putchar('\n');
    }
    if (settings->format == OUTPUT_JSON) puts("]}");
    if (reply->n_models == 0) output_note(settings->quiet, "the server has no model");
}

static int models_run(const void *values, char *const *arguments, size_t argument_count)
{
    const Settings *settings = values;
    (void)arguments;
    (void)argument_count;
    Error error;
    Channel *channel;
    if (call_open(settings, &channel, &error) != STATUS_OK) return output_fail(&error);
    Headlight__V1__ListModelsRequest request = HEADLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    Arena arena;
    ProtobufCMessage *reply;
    Status status = call_message(channel, settings, models_method, &request.base,
                                 &headlight__v1__list_models_response__descriptor, &arena, &reply, &error);
    if (status == STATUS_OK) {
        models_print(settings, (const Headlight__V1__ListModelsResponse *)reply);
        status = output_flush(stdout, &error);
    }
    arena_free(&arena);
    channel_close(channel);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

const Command models_command = {
    .name = "models",
    .arguments = "",
    .summary = "List the models that the server has",
    .details = "Prints each model's name, tasks, limits and shape.",
    .settings_size = sizeof(Settings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES,
    .run = models_run,
};
