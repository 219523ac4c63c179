/* The models of the service: named by the options, loaded at the start, looked at from time to time. */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "service_state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is served when nothing is named: installed with the program, and linked into the build folder. */
#define SERVICE_MODEL_DEFAULT "share/headlight/models/sentiment"
#define SERVICE_MODEL_HINT \
    "get one with 'headlight pull sentence-transformers/all-MiniLM-L6-v2' and name its directory with --model"

enum { SERVICE_LOOK_MS = 1000 }; /* a copy that pauses for so long counts as complete */

static void service_wake(void *context)
{
    Service *service = context;
    (void)uv_async_send(&service->registry_news); /* fails only on a handle that is no async */
}

/* A model may have more to do, and longer texts, than those before it. */
static void service_model_ready(void *context, const Model *model)
{
    Service *service = context;
    scheduler_raise_limits(service->scheduler, model_batch_work(model),
                           pipeline_token_count_max(model_pipeline(model)));
}

/* "NAME=DIR" or "DIR"; a directory is called by its last part. `served_name` (empty: none) goes before both. */
static Status service_name_model(Service *service, const char *model, TextView served_name, Error *out_error)
{
    const char *equals = strchr(model, '=');
    const char *slash = strchr(model, '/');
    bool named = equals && (!slash || equals < slash);
    const char *directory = named ? equals + 1 : model;
    char path[PATH_BYTES_MAX];
    Status status = file_join(path, sizeof path, directory, "config.json", out_error);
    if (status) return status;
    if (!file_exists(path)) {
        return error_set(out_error, STATUS_NOT_FOUND, "no model at '%s' (there is no config.json): %s", directory,
                         SERVICE_MODEL_HINT);
    }
    TextView name = served_name;
    if (name.size == 0 && named) name = (TextView){model, (size_t)(equals - model)};
    char *real = name.size == 0 ? realpath(directory, NULL) : NULL;
    if (real) name = text_view(strrchr(real, '/') + 1);
    status = registry_name(service->registry, name, directory, out_error);
    if (status)
        error_prefix(out_error, "--model %s (NAME=DIR and --served-model-name give it another name)", model);
    free(real);
    return status;
}

static Status service_name_default(Service *service, TextView served_name, Error *out_error)
{
    char directory[PATH_BYTES_MAX];
    Status status = file_join_installed(directory, sizeof directory, SERVICE_MODEL_DEFAULT, out_error);
    return status ? status : service_name_model(service, directory, served_name, out_error);
}

static Status service_name_models(Service *service, Error *out_error)
{
    const Options *options = service->options;
    TextView served_name = text_view(options->served_model_name);
    if (options->model.count == 0 && !options->models_directory[0])
        return service_name_default(service, served_name, out_error);
    Status status = STATUS_OK;
    for (size_t i = 0; i < options->model.count && !status; i++) {
        status =
            service_name_model(service, options->model.items[i], i == 0 ? served_name : text_view(""), out_error);
    }
    return status;
}

/* What cannot be listed now will hardly be later, and no model of it would ever come. */
static Status service_prove_folder(const char *folder, Error *out_error)
{
    DIR *directory = folder ? opendir(folder) : NULL;
    if (folder && !directory) {
        return error_set(out_error, STATUS_NOT_FOUND, "--models-directory '%s': %s", folder, strerror(errno));
    }
    if (directory) closedir(directory);
    return STATUS_OK;
}

Status service_open_models(Service *service, Error *out_error)
{
    const Options *options = service->options;
    const RegistryOptions registry_options = {
        .model =
            {
                .token_count_max = (uint32_t)options->max_input_tokens,
                .attention_window = (uint32_t)options->attention_window,
                .kernels = service->kernels,
                .worker_count = service->worker_count,
                .lane_count = scheduler_lane_count(service->worker_count),
                .batch_tokens = (uint32_t)options->max_batch_tokens,
                .batch_items = (uint32_t)options->max_batch_requests,
                .copied = strcmp(options->weights, "copied") == 0,
            },
        .copied_folder = strcmp(options->weights, "mapped") != 0,
        .folder = options->models_directory[0] ? options->models_directory : NULL,
        .memory_max = options->model_memory_limit,
        .wake = service_wake,
        .ready = service_model_ready,
        .context = service,
    };
    Status status = service_prove_folder(registry_options.folder, out_error);
    if (status) return status;
    status = registry_open(&registry_options, &service->registry, out_error);
    return status ? status : service_name_models(service, out_error);
}

static void service_model_loaded(RegistryChange *change)
{
    Service *service = ((ServiceLoad *)change)->service;
    if (!change->error.status || service->stopping) return;
    service->exit_code = EXIT_FAILURE; /* the registry has logged why */
    service_stop(service);
}

static void service_on_look(uv_timer_t *timer)
{
    Service *service = timer->data;
    if (registry_watches(service->registry)) registry_look(service->registry, false);
}

Status service_load_models(Service *service, Error *out_error)
{
    size_t count = registry_count(service->registry);
    Status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        service->loads[i] = (ServiceLoad){
            .change =
                {
                    .action = REGISTRY_LOAD,
                    .name = text_view(registry_view(service->registry, i).name),
                    .done = service_model_loaded,
                },
            .service = service,
        };
        status = registry_change(service->registry, &service->loads[i].change, out_error);
    }
    if (status) return status;
    if (service->options->models_directory[0]) registry_look(service->registry, true);
    int failed = uv_timer_start(&service->look, service_on_look, SERVICE_LOOK_MS, SERVICE_LOOK_MS);
    return failed ? error_set(out_error, STATUS_INTERNAL, "timer: %s", uv_strerror(failed)) : STATUS_OK;
}

static void service_log_budget(const Service *service)
{
    const Options *options = service->options;
    uint64_t models = registry_memory_bytes(service->registry);
    log_event(
        LOG_INFO, "memory_budget",
        "%llu MiB for models and the workspaces of %u workers, requests held up to %llu MiB, computed on up to "
        "%llu MiB: at most %llu MiB, the process itself, and replies that clients have not read",
        (unsigned long long)(models / MIB), service->worker_count, (unsigned long long)(options->held_limit / MIB),
        (unsigned long long)(options->request_memory / MIB),
        (unsigned long long)((models + options->held_limit + options->request_memory) / MIB));
}

/* Since exec, to the kernel's 10 ms; 0 when /proc is not there. */
static uint64_t process_age_ms(void)
{
    char line[1024];
    struct timespec now;
    unsigned long long started_ticks = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return 0;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *field = read ? strrchr(line, ')') : NULL;                 /* the name may hold blanks */
    for (int i = 0; field && i < 20; i++) field = strchr(field + 1, ' '); /* field 22: start time */
    if (!field || sscanf(field, "%llu", &started_ticks) != 1) return 0;
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
    return now_ms - started_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

void service_turn_models(Service *service)
{
    registry_turn(service->registry);
    if (service->stopping || service->serving || !registry_ready(service->registry)) return;
    service->serving = true;
    rpc_server_set_serving(service->server, NULL, true);
    service_log_budget(service);
    size_t count = registry_count(service->registry);
    log_event(LOG_INFO, "ready", "'%s'%s after %llu ms", registry_view(service->registry, 0).name,
              count > 1 ? " and others" : "", (unsigned long long)process_age_ms());
}
