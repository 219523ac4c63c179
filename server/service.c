#include "service.h"

#include "base/clock.h"
#include "base/guard.h"
#include "base/limits.h"
#include "base/log.h"
#include "cores.h"
#include "rpc/models.h"
#include "service_state.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Idle on one address, 17 are open; then further addresses and connections. */
enum { SERVICE_FILES_MIN = 64 };
static const int service_signals[SERVICE_SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};

static Status service_prove_files(Error *out_error);
static Status service_open_loop(Service *service, Error *out_error);
static Status service_open_server(Service *service, Error *out_error);
static Status service_open_scheduler(Service *service, Error *out_error);
static void service_on_news(uv_async_t *async);
static void service_on_signal(uv_signal_t *handle, int number);
static void service_on_listener_lost(void *context);
static void service_on_drained(void *context, uint64_t cancelled);
static void service_close(Service *service);

/* Start: signals are blocked, so that every thread made from here on leaves them to this one. The server listens
 * before the model is there: probes see NOT_SERVING, callers UNAVAILABLE and when to come back. */
static Status service_start(Service *service, Error *out_error)
{
    Status status = service_prove_files(out_error);
    if (status) return status;
    status = kernels_open(service->options->cpu, service->options->gemm, &service->kernels, out_error);
    if (status) return status;
    status = service_open_loop(service, out_error);
    if (status) return status;
    service->worker_count = service->options->workers ? (uint32_t)service->options->workers : cores_available("");
    status = service_open_models(service, out_error);
    if (status) return status;
    status = service_open_server(service, out_error);
    if (status) return status;
    status = service_open_scheduler(service, out_error);
    if (status) return status;
    status = service_open_admin(service, out_error);
    if (status) return status;
    return service_load_models(service, out_error);
}

/* Serve: the loop runs until service_stop has closed all that it waits for. */
int service_run(const Options *options)
{
    Service service = {.options = options};
    Error error;
    sigset_t blocked;
    sigset_t before;
    signal(SIGPIPE, SIG_IGN);
    guard_install();
    sigemptyset(&blocked);
    for (int i = 0; i < SERVICE_SIGNAL_COUNT; i++) sigaddset(&blocked, service_signals[i]);
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
    for (int i = 0; i < SERVICE_SIGNAL_COUNT; i++) {
        if (service_signals[i] != SIGHUP) uv_signal_stop(&service->signals[i]);
    }
    if (service->stopping) return;
    service->stopping = true;
    log_event(LOG_INFO, "draining", "%s; accepted calls have %llu s to finish", reason,
              (unsigned long long)service->options->drain_timeout);
    registry_drain(service->registry);
    rpc_server_shutdown(service->server, service->options->drain_timeout * NS_PER_S, service_on_drained, service);
}

static void service_on_signal(uv_signal_t *handle, int number)
{
    Service *service = handle->data;
    if (number != SIGHUP) {
        service_drain(service, number == SIGTERM ? "SIGTERM" : "SIGINT");
    } else if (!service->stopping) {
        log_event(LOG_INFO, "reload", "SIGHUP: models whose files changed are loaded anew");
        registry_look(service->registry, true);
    }
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
void service_stop(Service *service)
{
    service->stopping = true;
    admin_close(service->admin);
    service->admin = NULL;
    registry_stop(service->registry);
    scheduler_close(service->scheduler);
    service->scheduler = NULL;
    rpc_server_close(service->server);
    service->server = NULL;
    if (!service->loop.data) return;
    for (int i = 0; i < service->signal_count; i++) uv_close((uv_handle_t *)&service->signals[i], NULL);
    uv_close((uv_handle_t *)&service->look, NULL);
    uv_close((uv_handle_t *)&service->registry_news, NULL);
}

static void service_close(Service *service)
{
    inference_close(service->inference);
    registry_close(service->registry);
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

static Status service_open_loop(Service *service, Error *out_error)
{
    int result = uv_loop_init(&service->loop);
    if (result) return error_set(out_error, STATUS_INTERNAL, "event loop: %s", uv_strerror(result));
    service->loop.data = service; /* says that it is open */
    result = uv_async_init(&service->loop, &service->registry_news, service_on_news);
    assert(result == 0); /* the loop made its wake-up descriptor with the first of them */
    service->registry_news.data = service;
    uv_timer_init(&service->loop, &service->look);
    service->look.data = service;
    for (int i = 0; i < SERVICE_SIGNAL_COUNT; i++) {
        result = uv_signal_init(&service->loop, &service->signals[i]);
        if (result) return error_set(out_error, STATUS_INTERNAL, "signals: %s", uv_strerror(result));
        service->signals[i].data = service;
        service->signal_count++;
        result = uv_signal_start(&service->signals[i], service_on_signal, service_signals[i]);
        assert(result == 0);
    }
    return STATUS_OK;
}

static Status service_set_policies(SanitizePolicies *policies, SanitizeSetting setting, const char *flag,
                                   const OptionList *values, Error *out_error)
{
    for (size_t i = 0; i < values->count; i++) {
        if (sanitize_policies_set(policies, setting, values->items[i], out_error))
            return error_prefix(out_error, "--%s %s", flag, values->items[i]);
    }
    return STATUS_OK;
}

/* A policy for a model that will never be there was meant for another one. */
static Status service_read_policies(const Service *service, SanitizePolicies *out_policies, Error *out_error)
{
    const Options *options = service->options;
    *out_policies = sanitize_policies_default();
    Status status =
        service_set_policies(out_policies, SANITIZE_SET_POLICY, "sanitize", &options->sanitize, out_error);
    if (!status)
        status = service_set_policies(out_policies, SANITIZE_SET_LEVEL, "sanitize-level", &options->sanitize_level,
                                      out_error);
    if (!status)
        status = service_set_policies(out_policies, SANITIZE_ENABLE, "sanitize-enable", &options->sanitize_enable,
                                      out_error);
    if (status || options->models_directory[0] || strcmp(options->admin, "on") == 0) return status;
    for (size_t i = 0; i < out_policies->model_count; i++) {
        const char *name = out_policies->models[i].model;
        bool known = false;
        for (size_t j = 0; j < registry_count(service->registry); j++)
            known |= strcmp(registry_view(service->registry, j).name, name) == 0;
        if (!known)
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "--sanitize names '%s': there is no such model",
                             name);
    }
    return STATUS_OK;
}

static Status service_open_server(Service *service, Error *out_error)
{
    const Options *options = service->options;
    SanitizePolicies sanitize;
    Status status = service_read_policies(service, &sanitize, out_error);
    if (status) return status;
    const InferenceOptions inference_options = {
        .sanitize = sanitize,
        .registry = service->registry,
        .input_count_max = (uint32_t)options->max_client_batch_size,
        .reply_bytes_max = options->reply_limit,
        .request_memory_bytes = options->request_memory,
        .worker_count = service->worker_count,
        .batch_items = (uint32_t)options->max_batch_requests,
    };
    status = inference_open(&inference_options, &service->inference, out_error);
    if (status) return status;
    RpcMethod methods[INFERENCE_METHOD_COUNT + MODELS_METHOD_COUNT];
    bool admin = strcmp(options->admin, "on") == 0;
    inference_methods(service->inference, methods);
    if (admin) models_methods(service->registry, methods + INFERENCE_METHOD_COUNT);
    RpcServerOptions server_options = rpc_server_options_default();
    server_options.addresses = (const char *const *)options->listen.items;
    server_options.address_count = options->listen.count;
    server_options.methods = methods;
    server_options.method_count = INFERENCE_METHOD_COUNT + (admin ? MODELS_METHOD_COUNT : 0);
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

static void service_on_news(uv_async_t *async)
{
    Service *service = async->data;
    service_turn_models(service);
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
        .long_tokens = LONG_TOKENS,
        .batch_jobs_max = batch_jobs,
        .wait_max_ns = options->batch_wait_us * NS_PER_US,
        .background_jobs_max = EXPLAIN_JOBS_MAX,
        .background_percent = (uint32_t)options->explain_share,
        .clock = &clock_monotonic,
    };
    const SchedulerCallbacks callbacks = inference_callbacks(service->inference);
    Status status = scheduler_open(&scheduler_options, &callbacks, &service->scheduler, out_error);
    if (!status) inference_serve(service->inference, service->scheduler);
    return status;
}
