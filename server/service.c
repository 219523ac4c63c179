#include "service.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "cores.h"
#include "rpc/inference.h"
#include "rpc/server.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define SERVICE_MODEL_HINT \
    "get one with 'headlight pull sentence-transformers/all-MiniLM-L6-v2' and name its directory with --model"

/* How far the loader is; each step is announced to the loop. */
typedef enum LoaderStep { LOADER_BUSY, LOADER_FAILED, LOADER_LOADED, LOADER_HASHED } LoaderStep;

/* Idle on one address, 17 are open; then further addresses and connections. */
enum { SERVICE_FILES_MIN = 64 };
enum { SIGNAL_COUNT = 2 };
static const int service_signals[SIGNAL_COUNT] = {SIGTERM, SIGINT};

typedef struct Service {
    const Options *options;
    const Kernels *kernels;
    char model_name[MODEL_NAME_BYTES_MAX + 1];
    const char *directory;
    uint32_t worker_count;
    /* The loop's: */
    uv_loop_t loop;
    uv_async_t loader_news;
    uv_signal_t signals[SIGNAL_COUNT];
    int signal_count; /* that are open */
    RpcServer *server;
    Registry *registry;
    Inference *inference;
    Scheduler *scheduler;
    bool serving;
    bool hashed;
    bool stopping;
    int exit_code;
    /* The loader's, then from LOADER_LOADED on the loop's to read: */
    pthread_t loader;
    bool loader_started;
    atomic_int loader_step;
    atomic_bool hash_stop;
    Error load_error;
    Model *model; /* the loader holds it while it hashes */
    char weights_sha256[SHA256_HEX_BYTES];
} Service;

static Status service_prove_files(Error *out_error);
static Status service_name_model(Service *service, Error *out_error);
static Status service_open_loop(Service *service, Error *out_error);
static Status service_open_server(Service *service, Error *out_error);
static Status service_open_scheduler(Service *service, Error *out_error);
static Status service_start_loader(Service *service, Error *out_error);
static void service_on_news(uv_async_t *async);
static void service_on_signal(uv_signal_t *handle, int number);
static void service_on_listener_lost(void *context);
static void service_on_drained(void *context, uint64_t cancelled);
static void service_stop(Service *service);
static void service_close(Service *service);
static Status loader_load(Service *service, Error *out_error);
static uint64_t process_age_ms(void);

/* Start: signals are blocked, so that every thread made from here on leaves them to this one. The server listens
 * before the model is there: probes see NOT_SERVING, callers UNAVAILABLE and when to come back. */
static Status service_start(Service *service, Error *out_error)
{
    Status status = service_prove_files(out_error);
    if (status) return status;
    status = service_name_model(service, out_error);
    if (status) return status;
    status = kernels_open(service->options->cpu, service->options->gemm, &service->kernels, out_error);
    if (status) return status;
    status = service_open_loop(service, out_error);
    if (status) return status;
    status = service_open_server(service, out_error);
    if (status) return status;
    status = service_open_scheduler(service, out_error);
    if (status) return status;
    return service_start_loader(service, out_error);
}

/* Serve: the loop runs until service_stop has closed all that it waits for. */
int service_run(const Options *options)
{
    Service service = {.options = options};
    Error error;
    sigset_t blocked;
    sigset_t before;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    for (int i = 0; i < SIGNAL_COUNT; i++) sigaddset(&blocked, service_signals[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    if (service_start(&service, &error)) {
        log_event(LOG_ERROR, "start_failed", "%s", error.message);
        service.exit_code = EXIT_FAILURE;
        service_stop(&service);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (service.loop.data) uv_run(&service.loop, UV_RUN_DEFAULT);
    service_close(&service);
    return service.exit_code;
}

/* Drain: no new calls, every accepted one is answered. From here on a signal has its default effect. */
static void service_drain(Service *service, const char *reason)
{
    for (int i = 0; i < SIGNAL_COUNT; i++) uv_signal_stop(&service->signals[i]);
    if (service->stopping) return;
    service->stopping = true;
    log_event(LOG_INFO, "draining", "%s; accepted calls have %llu s to finish", reason,
              (unsigned long long)service->options->drain_timeout);
    rpc_server_shutdown(service->server, service->options->drain_timeout * NS_PER_S, service_on_drained, service);
}

static void service_on_signal(uv_signal_t *handle, int number)
{
    service_drain(handle->data, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* Who is connected is still served, but nobody else can come, and health could not even be asked. */
static void service_on_listener_lost(void *context)
{
    Service *service = context;
    log_event(LOG_ERROR, "listener_lost",
              "accepting a connection failed, and gRPC listens no more: restart the process, and raise ulimit -n "
              "if it was too low");
    service->exit_code = EXIT_FAILURE;
    service_drain(service, "no listener");
}

static void service_on_drained(void *context, uint64_t cancelled)
{
    Service *service = context;
    if (cancelled) {
        log_event(LOG_WARNING, "drained", "%llu calls were cancelled after the drain timeout",
                  (unsigned long long)cancelled);
    } else {
        log_event(LOG_INFO, "drained", "every accepted call was answered");
    }
    service_stop(service);
}

/* Stop: whatever was opened is closed, in the opposite order; the loop ends once the last handle is gone. */
static void service_stop(Service *service)
{
    service->stopping = true;
    atomic_store(&service->hash_stop, true); /* on a busy machine it would take longer than a drain may */
    if (service->loader_started) pthread_join(service->loader, NULL);
    service->loader_started = false;
    scheduler_close(service->scheduler);
    service->scheduler = NULL;
    rpc_server_close(service->server);
    service->server = NULL;
    if (!service->loop.data) return;
    for (int i = 0; i < service->signal_count; i++) uv_close((uv_handle_t *)&service->signals[i], NULL);
    uv_close((uv_handle_t *)&service->loader_news, NULL);
}

static void service_close(Service *service)
{
    inference_close(service->inference);
    registry_close(service->registry);
    model_release(service->model);
    if (!service->loop.data) return;
    int left = uv_loop_close(&service->loop);
    assert(left == 0);
}

/* gRPC aborts when it has no descriptor for what it needs itself. Opening the server raises the limit as far as it
 * may; here it only must be enough to get there. */
static Status service_prove_files(Error *out_error)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= SERVICE_FILES_MIN) return STATUS_OK;
    unsigned long long allowed = files.rlim_max;
    files.rlim_cur = SERVICE_FILES_MIN;
    if (allowed >= SERVICE_FILES_MIN && setrlimit(RLIMIT_NOFILE, &files) == 0) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "too few open files: %llu are allowed, at least %d are needed: raise ulimit -n", allowed,
                     SERVICE_FILES_MIN);
}

/* "NAME=DIR" or "DIR"; a directory is called by its last part. */
static Status service_name_model(Service *service, Error *out_error)
{
    const Options *options = service->options;
    const char *equals = strchr(options->model, '=');
    const char *slash = strchr(options->model, '/');
    bool named = equals && (!slash || equals < slash);
    service->directory = named ? equals + 1 : options->model;
    char path[PATH_BYTES_MAX];
    Status status = file_join(path, sizeof path, service->directory, "config.json", out_error);
    if (status) return status;
    if (!file_exists(path)) {
        return error_set(out_error, STATUS_NOT_FOUND, "no model at '%s' (there is no config.json): %s",
                         service->directory, SERVICE_MODEL_HINT);
    }
    TextView name = text_view(options->served_model_name);
    if (name.size == 0 && named) name = (TextView){options->model, (size_t)(equals - options->model)};
    char *real = name.size == 0 ? realpath(service->directory, NULL) : NULL;
    if (real) name = text_view(strrchr(real, '/') + 1);
    size_t position;
    if (name.size == 0 || name.size > MODEL_NAME_BYTES_MAX) {
        status = error_set(out_error, STATUS_INVALID_ARGUMENT,
                           "the model's name must have 1 to %u bytes: give another "
                           "with --served-model-name",
                           (unsigned)MODEL_NAME_BYTES_MAX);
    } else if (!utf8_valid(name, &position)) {
        status = error_set(out_error, STATUS_INVALID_ARGUMENT,
                           "the model's name is not UTF-8 from byte %zu on: give another with --served-model-name",
                           position);
    } else {
        memcpy(service->model_name, name.bytes, name.size);
    }
    free(real);
    return status;
}

static Status service_open_loop(Service *service, Error *out_error)
{
    int result = uv_loop_init(&service->loop);
    if (result) return error_set(out_error, STATUS_INTERNAL, "event loop: %s", uv_strerror(result));
    service->loop.data = service; /* says that it is open */
    result = uv_async_init(&service->loop, &service->loader_news, service_on_news);
    assert(result == 0); /* the loop made its wake-up descriptor with the first of them */
    service->loader_news.data = service;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        result = uv_signal_init(&service->loop, &service->signals[i]);
        if (result) return error_set(out_error, STATUS_INTERNAL, "signals: %s", uv_strerror(result));
        service->signals[i].data = service;
        service->signal_count++;
        result = uv_signal_start(&service->signals[i], service_on_signal, service_signals[i]);
        assert(result == 0);
    }
    return STATUS_OK;
}

static Status service_open_server(Service *service, Error *out_error)
{
    const Options *options = service->options;
    Status status = registry_open(&service->registry, out_error);
    if (!status) status = registry_add(service->registry, text_view(service->model_name), out_error);
    if (status) return status;
    service->worker_count = options->workers ? (uint32_t)options->workers : cores_available("");
    const InferenceOptions inference_options = {
        .registry = service->registry,
        .input_count_max = (uint32_t)options->max_client_batch_size,
        .reply_bytes_max = options->reply_limit,
        .request_memory_bytes = options->request_memory,
        .worker_count = service->worker_count,
        .batch_items = (uint32_t)options->max_batch_requests,
    };
    status = inference_open(&inference_options, &service->inference, out_error);
    if (status) return status;
    RpcMethod methods[INFERENCE_METHOD_COUNT];
    inference_methods(service->inference, methods);
    RpcServerOptions server_options = rpc_server_options_default();
    server_options.addresses = (const char *const *)options->listen.items;
    server_options.address_count = options->listen.count;
    server_options.methods = methods;
    server_options.method_count = INFERENCE_METHOD_COUNT;
    server_options.message_bytes_max = options->payload_limit;
    server_options.reply_bytes_max =
        options->reply_limit + 1 * MIB; /* what is not a float is counted by us as well */
    server_options.held_bytes_max = options->held_limit;
    server_options.calls_max = (uint32_t)options->max_concurrent_requests;
    server_options.listener_lost = service_on_listener_lost;
    server_options.listener_lost_context = service;
    status = rpc_server_open(&server_options, &service->loop, &service->server, out_error);
    if (status) return status;
    for (size_t i = 0; i < options->listen.count; i++) {
        log_event(LOG_INFO, "listening", "%s, port %d", options->listen.items[i],
                  rpc_server_port(service->server, i));
    }
    return STATUS_OK;
}

static void loader_announce(Service *service, LoaderStep step)
{
    atomic_store_explicit(&service->loader_step, step, memory_order_release);
    uv_async_send(&service->loader_news);
}

static void *loader_main(void *context)
{
    Service *service = context;
    if (loader_load(service, &service->load_error)) {
        loader_announce(service, LOADER_FAILED);
        return NULL;
    }
    loader_announce(service, LOADER_LOADED);
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* of this thread alone: requests come first */
    Error error;
    if (checkpoint_hash(pipeline_checkpoint(model_pipeline(service->model)), &service->hash_stop,
                        service->weights_sha256, &error)) {
        LogLevel level = error.status == STATUS_CANCELLED ? LOG_DEBUG : LOG_WARNING;
        log_event(level, "hash_failed", "%s", error.message);
        return NULL;
    }
    loader_announce(service, LOADER_HASHED);
    return NULL;
}

static Status service_start_loader(Service *service, Error *out_error)
{
    int result = pthread_create(&service->loader, NULL, loader_main, service);
    if (result) return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "no thread to load the model");
    service->loader_started = true;
    return STATUS_OK;
}

static void service_on_news(uv_async_t *async)
{
    Service *service = async->data;
    LoaderStep step = (LoaderStep)atomic_load_explicit(&service->loader_step, memory_order_acquire);
    if (service->stopping) return;
    if (step == LOADER_FAILED) {
        log_event(LOG_ERROR, "model_failed", "%s", service->load_error.message);
        service->exit_code = EXIT_FAILURE;
        service_stop(service);
        return;
    }
    if (step >= LOADER_LOADED && !service->serving) {
        service->serving = true;
        scheduler_raise_batch_work(service->scheduler, model_batch_work(service->model));
        registry_set(service->registry, model_retain(service->model));
        rpc_server_set_serving(service->server, NULL, true);
        log_event(LOG_INFO, "ready", "'%s' after %llu ms", service->model_name,
                  (unsigned long long)process_age_ms());
    }
    if (step == LOADER_HASHED && !service->hashed) {
        service->hashed = true;
        registry_set_weights_sha256(service->registry, service->model_name, service->weights_sha256);
        log_event(LOG_INFO, "weights_hashed", "sha256 %s", service->weights_sha256);
    }
}

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void loader_log_budget(const Service *service, uint64_t loaded_bytes, uint64_t workspace_bytes)
{
    const Options *options = service->options;
    uint64_t most =
        loaded_bytes + service->worker_count * workspace_bytes + options->held_limit + options->request_memory;
    log_event(LOG_INFO, "memory_budget",
              "%llu MiB with the model loaded, %u workspaces of %llu MiB, requests held up to %llu MiB, computed "
              "on up to "
              "%llu MiB: at most %llu MiB, and replies that clients have not read",
              (unsigned long long)(loaded_bytes / MIB), service->worker_count,
              (unsigned long long)(workspace_bytes / MIB), (unsigned long long)(options->held_limit / MIB),
              (unsigned long long)(options->request_memory / MIB), (unsigned long long)(most / MIB));
}

static uint32_t at_least(uint64_t value, uint64_t minimum)
{
    return (uint32_t)(value > minimum ? value : minimum);
}

/* Before any model is there: what depends on one is raised as it is loaded. */
static Status service_open_scheduler(Service *service, Error *out_error)
{
    const Options *options = service->options;
    uint32_t batch_jobs = (uint32_t)options->max_batch_requests;
    const SchedulerOptions scheduler_options = {
        .worker_count = service->worker_count,
        .queue_jobs_max = at_least(options->queue_jobs, at_least(options->max_client_batch_size, batch_jobs)),
        .queue_tokens_max = at_least(options->queue_tokens, options->max_batch_tokens),
        .batch_tokens_max = (uint32_t)options->max_batch_tokens,
        .batch_jobs_max = batch_jobs,
        .wait_max_ns = options->batch_wait_us * NS_PER_US,
        .clock = &clock_monotonic,
    };
    const SchedulerCallbacks callbacks = inference_callbacks(service->inference);
    Status status = scheduler_open(&scheduler_options, &callbacks, &service->scheduler, out_error);
    if (!status) inference_serve(service->inference, service->scheduler);
    return status;
}

/* On the loader's thread. */
static Status loader_load(Service *service, Error *out_error)
{
    const Options *options = service->options;
    const ModelOptions model_options = {
        .name = service->model_name,
        .directory = service->directory,
        .token_count_max = (uint32_t)options->max_input_tokens,
        .kernels = service->kernels,
        .worker_count = service->worker_count,
        .batch_tokens = (uint32_t)options->max_batch_tokens,
        .batch_items = (uint32_t)options->max_batch_requests,
    };
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    Status status = model_open(&model_options, &service->model, out_error);
    if (status) return status;
    uint64_t opened_ns = clock_now_ns(&clock_monotonic);
    loader_log_budget(service, resident_bytes(), model_workspace_bytes(service->model));
    log_event(LOG_INFO, "model_loaded", "'%s' from %s: up to %u tokens, %s, %u workers; opened in %.1f ms",
              service->model_name, service->directory, pipeline_token_count_max(model_pipeline(service->model)),
              kernels_describe(service->kernels), service->worker_count,
              (double)(opened_ns - started_ns) / NS_PER_MS);
    return STATUS_OK;
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
