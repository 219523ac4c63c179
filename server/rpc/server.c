#include "rpc/server.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "rpc/arguments.h"
#include "rpc/core_log.h"
#include "rpc/health.h"
#include "rpc/listener.h"
#include "rpc/reflection.h"
#include "rpc/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    SERVER_ARMED_COUNT = 64,    /* calls of one method that gRPC may hand over at once; refilled one by one */
    SERVER_RESERVED_COUNT = 64, /* health checks beyond calls_max */
    SERVER_SWEEP_MS = 250,      /* timeouts are seconds */
    SERVER_SWEEP_BATCH = 64,
    SERVER_RETRY_MS = 500, /* told to a client over calls_max */
    SERVER_CLOSE_WAIT_S = 10,
};
/* Beyond it nothing is gained, and some kernels allow a billion. */
#define SERVER_FILES_MAX ((rlim_t)1 << 20)

RpcServerOptions rpc_server_options_default(void)
{
    return (RpcServerOptions){
        .socket_mode = 0660,
        .message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT,
        .reply_bytes_max = MESSAGE_BYTES_MAX_LIMIT,
        .held_bytes_max = 64 * MIB,
        .calls_max = 16384,
        .connection_calls_max = 4096,
        .stream_window = 4,
        .body_timeout_ns = 30 * NS_PER_S,
        .reply_timeout_ns = 60 * NS_PER_S,
        .handshake_timeout_ns = 10 * NS_PER_S,
        .idle_timeout_ns = 600 * NS_PER_S,
    };
}

static Status server_check(const RpcServerOptions *options, Error *out_error)
{
    const char *wrong = NULL;
    if (options->message_bytes_max == 0 || options->message_bytes_max > MESSAGE_BYTES_MAX_LIMIT) {
        wrong = "message_bytes_max";
    } else if (options->reply_bytes_max == 0 || options->reply_bytes_max > INT32_MAX) {
        wrong = "reply_bytes_max";
    } else if (options->held_bytes_max < options->message_bytes_max || options->held_bytes_max > INT64_MAX / 4) {
        wrong = "held_bytes_max";
    } else if (options->calls_max == 0 || options->connection_calls_max == 0 || options->stream_window == 0) {
        wrong = "calls_max, connection_calls_max or stream_window";
    } else if (options->body_timeout_ns == 0 || options->reply_timeout_ns == 0 ||
               options->handshake_timeout_ns < NS_PER_MS || options->idle_timeout_ns < NS_PER_MS) {
        wrong = "a timeout";
    }
    return wrong ? error_set(out_error, STATUS_INVALID_ARGUMENT, "%s of the server is out of range", wrong)
                 : STATUS_OK;
}

/* gRPC 1.51 stops accepting for good when it once runs out of descriptors. */
static void server_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return;
    rlim_t wanted = files.rlim_max < SERVER_FILES_MAX ? files.rlim_max : SERVER_FILES_MAX;
    if (files.rlim_cur >= wanted) return;
    files.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &files))
        log_event(LOG_WARNING, "open_files", "the limit of open files stays low");
}

/* ---- Methods ---- */

static Status server_add_services(RpcServer *server, const RpcServerOptions *options, Error *out_error)
{
    size_t count = options->method_count + RPC_HEALTH_METHOD_COUNT + RPC_REFLECTION_METHOD_COUNT;
    server->methods = calloc(count, sizeof *server->methods);
    server->slots = calloc(count + 1, sizeof *server->slots);
    if (!server->methods || !server->slots)
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for the methods");
    Status status = rpc_health_open(&server->health, out_error);
    if (status == STATUS_OK) status = rpc_reflection_open(&server->reflection, out_error);
    if (status != STATUS_OK) return status;
    if (options->method_count) {
        memcpy(server->methods, options->methods, options->method_count * sizeof *server->methods);
    }
    rpc_health_methods(server->health, server->methods + options->method_count);
    rpc_reflection_methods(server->reflection, server->methods + options->method_count + RPC_HEALTH_METHOD_COUNT);
    server->method_count = count;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = rpc_health_add(server->health, server->methods[i].path, out_error);
        if (status == STATUS_OK)
            status = rpc_reflection_add(server->reflection, server->methods[i].path, out_error);
    }
    return status;
}

static Status server_register(RpcServer *server, Error *out_error)
{
    for (size_t i = 0; i < server->method_count; i++) {
        RpcSlot *slot = &server->slots[i];
        slot->server = server;
        slot->row = &server->methods[i];
        slot->reserved = strncmp(slot->row->path, "/grpc.health.", strlen("/grpc.health.")) == 0;
        assert((slot->row->shape == RPC_SERVER_STREAM) == (slot->row->progress != NULL));
        slot->registration =
            grpc_server_register_method(server->core, slot->row->path, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
        if (!slot->registration) {
            return error_set(out_error, STATUS_INTERNAL, "%s: gRPC refuses the method", slot->row->path);
        }
    }
    server->slots[server->method_count] = (RpcSlot){.server = server};
    return STATUS_OK;
}

/* ---- Accepting; on the completion thread once it runs ---- */

static void server_accepted(RpcTag *tag, bool ok);

/* Under the lock. */
static void server_check_finished(RpcServer *server, bool *out_now)
{
    *out_now = !server->finished && server->is_core_down && server->live_count == 0 && server->armed_count == 0;
    if (!*out_now) return;
    server->finished = true;
    pthread_cond_broadcast(&server->quiet);
}

static void server_disarmed(RpcServer *server)
{
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->armed_count--;
    server_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

/* One more client of `slot` may come. Failing costs one of SERVER_ARMED_COUNT places. */
static void server_arm(RpcServer *server, const RpcSlot *slot)
{
    RpcCall *call = call_create(server, slot);
    if (!call) {
        log_event(LOG_ERROR, "no_memory", "no memory for a waiting call");
        return;
    }
    call->accepted = (RpcTag){server_accepted, call};
    pthread_mutex_lock(&server->lock);
    server->armed_count++;
    pthread_mutex_unlock(&server->lock);
    grpc_completion_queue *queue = server->completion.queue;
    grpc_call_error refused =
        slot->row
            ? grpc_server_request_registered_call(server->core, slot->registration, &call->core, &call->deadline,
                                                  &call->metadata, NULL, queue, queue, &call->accepted)
            : grpc_server_request_call(server->core, &call->core, &call->details, &call->metadata, queue, queue,
                                       &call->accepted);
    if (refused == GRPC_CALL_OK) return;
    log_event(LOG_ERROR, "arm_refused", "gRPC refuses to wait for calls: %s", grpc_call_error_to_string(refused));
    call_release(call);
    server_disarmed(server);
}

Status rpc_server_admit(RpcServer *server, RpcCall *call, Error *out_error)
{
    uint64_t calls_max = server->options.calls_max + (call->slot->reserved ? SERVER_RESERVED_COUNT : 0);
    pthread_mutex_lock(&server->lock);
    bool full = server->live_count >= calls_max;
    server->live_count++;
    call->next = server->calls;
    if (call->next) call->next->previous = call;
    server->calls = call;
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->calls_total, 1);
    if (!full) return STATUS_OK;
    atomic_fetch_add(&server->calls_rejected, 1);
    (void)error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                    "the server has %u calls in work, its limit: try again later", server->options.calls_max);
    out_error->retry_after_ns = SERVER_RETRY_MS * NS_PER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

void rpc_server_unlist(RpcServer *server, RpcCall *call)
{
    pthread_mutex_lock(&server->lock);
    if (call->previous) {
        call->previous->next = call->next;
    } else {
        server->calls = call->next;
    }
    if (call->next) call->next->previous = call->previous;
    pthread_mutex_unlock(&server->lock);
}

void rpc_server_forget(RpcServer *server)
{
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->live_count--;
    server_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

/* The path comes from the client: only what a path may have is repeated. */
static void server_refuse_unknown(const RpcCall *call, Error *out_error)
{
    char path[128];
    size_t size = GRPC_SLICE_LENGTH(call->details.method);
    if (size > sizeof path - 1) size = sizeof path - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = GRPC_SLICE_START_PTR(call->details.method)[i];
        path[i] = byte > 0x20 && byte < 0x7F ? (char)byte : '?';
    }
    path[size] = '\0';
    (void)error_set(out_error, STATUS_UNIMPLEMENTED, "this server has no method %s", path);
}

static void server_accepted(RpcTag *tag, bool ok)
{
    RpcCall *call = tag->owner;
    RpcServer *server = call->server;
    if (!ok) { /* the server ends; nobody came */
        call_release(call);
        server_disarmed(server);
        return;
    }
    server_arm(server, call->slot);
    Error error;
    Status status = rpc_server_admit(server, call, &error);
    if (status == STATUS_OK && !call->slot->row) {
        server_refuse_unknown(call, &error);
        status = error.status;
    }
    call_accept(call, status == STATUS_OK ? NULL : &error);
    call_release(call);
    server_disarmed(server);
}

/* ---- On the loop ---- */

void rpc_server_post(RpcServer *server, RpcLoopItem *item)
{
    mailbox_post(&server->mailbox, &item->item);
}

static void server_wake(void *context)
{
    RpcServer *server = context;
    (void)uv_async_send(&server->wake); /* fails only on a handle that is no async */
}

static void server_run_items(RpcServer *server)
{
    for (MailboxItem *item = mailbox_take(&server->mailbox); item;) {
        MailboxItem *next = item->next; /* running it may free it */
        RpcLoopItem *posted = (RpcLoopItem *)item;
        posted->run(posted->owner);
        item = next;
    }
}

static void server_woken(uv_async_t *wake)
{
    server_run_items(wake->data);
}

/* Collects up to SERVER_SWEEP_BATCH calls from `*cursor` on, with a reference each. */
static size_t server_collect_expired(RpcServer *server, uint64_t now_ns, RpcCall *expired[SERVER_SWEEP_BATCH])
{
    size_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (RpcCall *call = server->calls; call && count < SERVER_SWEEP_BATCH; call = call->next) {
        uint64_t expires_ns = atomic_load_explicit(&call->expires_ns, memory_order_relaxed);
        bool idle = server->draining && atomic_load_explicit(&call->idle_since_ns, memory_order_relaxed);
        bool due = expires_ns && expires_ns <= now_ns;
        if ((due || idle) && call_retain_if_live(call)) expired[count++] = call;
    }
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* At most a batch a turn: ending it takes it off the list, the next turn is soon. */
static void server_swept(uv_timer_t *timer)
{
    RpcServer *server = timer->data;
    RpcCall *expired[SERVER_SWEEP_BATCH];
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    size_t count = server_collect_expired(server, now_ns, expired);
    for (size_t i = 0; i < count; i++) {
        call_expire(expired[i], now_ns, server->draining);
        call_release(expired[i]);
    }
}

static void server_finished(void *owner)
{
    RpcServer *server = owner;
    if (!server->drained) return;
    uv_timer_stop(&server->drain);
    void (*drained)(void *, uint64_t) = server->drained;
    server->drained = NULL;
    drained(server->drained_context, server->drain_cancelled);
}

/* ---- Opening ---- */

static Status server_open_loop(RpcServer *server, Error *out_error)
{
    int failed = uv_async_init(server->loop, &server->wake, server_woken);
    if (failed)
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "no wake-up for the loop: %s", uv_strerror(failed));
    server->wake.data = server;
    uv_timer_init(server->loop, &server->sweep);
    server->sweep.data = server;
    uv_timer_init(server->loop, &server->drain);
    server->drain.data = server;
    server->handle_count = 3;
    Status status = mailbox_init(&server->mailbox, server_wake, server, out_error);
    server->mailbox_open = status == STATUS_OK;
    return status;
}

static Status server_start(RpcServer *server, Error *out_error)
{
    grpc_server_start(server->core);
    server->started = true;
    for (size_t i = 0; i <= server->method_count; i++) {
        for (int armed = 0; armed < SERVER_ARMED_COUNT; armed++) server_arm(server, &server->slots[i]);
    }
    int failed = uv_timer_start(&server->sweep, server_swept, SERVER_SWEEP_MS, SERVER_SWEEP_MS);
    if (failed) return error_set(out_error, STATUS_INTERNAL, "no timer: %s", uv_strerror(failed));
    return STATUS_OK;
}

static Status server_build(RpcServer *server, const RpcServerOptions *options, Error *out_error)
{
    Status status = server_open_loop(server, out_error);
    if (status == STATUS_OK) status = server_add_services(server, options, out_error);
    if (status != STATUS_OK) return status;
    core_log_install();
    grpc_init();
    server->core_initialized = true;
    status = rpc_completion_open(&server->completion, out_error);
    if (status != STATUS_OK) return status;
    server->core = rpc_arguments_create_server(options);
    grpc_server_register_completion_queue(server->core, server->completion.queue, NULL);
    status = server_register(server, out_error);
    if (status != STATUS_OK) return status;
    status = rpc_listeners_open(server->core, options->addresses, options->address_count, options->socket_mode,
                                &server->listeners, out_error);
    return status == STATUS_OK ? server_start(server, out_error) : status;
}

Status rpc_server_open(const RpcServerOptions *options, uv_loop_t *loop, RpcServer **out_server, Error *out_error)
{
    Status status = server_check(options, out_error);
    if (status != STATUS_OK) return status;
    server_raise_files();
    RpcServer *server = calloc(1, sizeof *server);
    if (!server) return error_set(out_error, STATUS_NO_MEMORY, "no memory for the server");
    server->options = *options;
    server->options.addresses = NULL;
    server->options.methods = NULL;
    server->loop = loop;
    server->finished_item = (RpcLoopItem){.run = server_finished, .owner = server};
    pthread_mutex_init(&server->lock, NULL); /* cannot fail with glibc and musl: no memory is taken */
    pthread_cond_init(&server->quiet, NULL);
    status = server_build(server, options, out_error);
    if (status != STATUS_OK) {
        rpc_server_close(server);
        return status;
    }
    *out_server = server;
    return STATUS_OK;
}

int rpc_server_port(const RpcServer *server, size_t index)
{
    return rpc_listeners_port(server->listeners, index);
}

void rpc_server_set_serving(RpcServer *server, const char *service, bool serving)
{
    rpc_health_set(server->health, service, serving);
}

RpcServerGauge rpc_server_gauge(RpcServer *server)
{
    pthread_mutex_lock(&server->lock);
    uint64_t live = server->live_count;
    pthread_mutex_unlock(&server->lock);
    return (RpcServerGauge){
        .calls_live = live,
        .calls_total = atomic_load(&server->calls_total),
        .calls_rejected = atomic_load(&server->calls_rejected),
        .calls_cancelled = atomic_load(&server->calls_cancelled),
        .held_bytes = atomic_load(&server->held_bytes),
    };
}

/* ---- Draining and closing ---- */

/* gRPC stopped listening and has no call any more; ours may still be on their way out. Completion thread. */
static void server_core_down(RpcTag *tag, bool ok)
{
    (void)ok;
    RpcServer *server = tag->owner;
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->is_core_down = true;
    server_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

static void server_drain(RpcServer *server)
{
    server->draining = true;
    rpc_health_stop(server->health);
    server->core_down = (RpcTag){server_core_down, server};
    grpc_server_shutdown_and_notify(server->core, server->completion.queue, &server->core_down);
}

static void server_drain_expired(uv_timer_t *timer)
{
    RpcServer *server = timer->data;
    server->drain_cancelled = rpc_server_gauge(server).calls_live;
    grpc_server_cancel_all_calls(server->core);
}

void rpc_server_shutdown(RpcServer *server, uint64_t drain_ns, void (*done)(void *context, uint64_t cancelled),
                         void *context)
{
    assert(!server->draining && server->started);
    server->drained = done;
    server->drained_context = context;
    server_drain(server);
    uv_update_time(server->loop);
    (void)uv_timer_start(&server->drain, server_drain_expired, drain_ns / NS_PER_MS,
                         0); /* fails without callback */
}

/* Waits for the last call, running what is posted meanwhile; false when somebody keeps a message for too long. */
static bool server_wait_finished(RpcServer *server)
{
    struct timespec until;
    bool finished = false;
    uint64_t end_ns = clock_now_ns(&clock_monotonic) + SERVER_CLOSE_WAIT_S * NS_PER_S;
    while (!finished && clock_now_ns(&clock_monotonic) < end_ns) {
        server_run_items(server);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 10 * (long)NS_PER_MS;
        until.tv_sec += until.tv_nsec / (long)NS_PER_S;
        until.tv_nsec %= (long)NS_PER_S;
        pthread_mutex_lock(&server->lock);
        if (!server->finished) pthread_cond_timedwait(&server->quiet, &server->lock, &until);
        finished = server->finished;
        pthread_mutex_unlock(&server->lock);
    }
    server_run_items(server);
    return finished;
}

/* gRPC's part of the way down. */
static bool server_close_core(RpcServer *server)
{
    if (server->core) {
        server->closing = true;
        server->drained = NULL;
        if (!server->draining) server_drain(server);
        grpc_server_cancel_all_calls(server->core);
        if (!server_wait_finished(server)) return false;
        grpc_server_destroy(server->core);
        server->core = NULL;
    }
    rpc_completion_close(&server->completion);
    rpc_listeners_close(server->listeners);
    if (server->core_initialized) grpc_shutdown_blocking();
    return true;
}

static void server_free(RpcServer *server)
{
    if (server->mailbox_open) mailbox_destroy(&server->mailbox);
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    free(server->methods);
    free(server->slots);
    free(server);
}

static void server_handle_closed(uv_handle_t *handle)
{
    RpcServer *server = handle->data;
    if (--server->handle_count == 0) server_free(server);
}

void rpc_server_close(RpcServer *server)
{
    if (!server) return;
    if (!server_close_core(server)) {
        log_event(LOG_ERROR, "calls_left",
                  "%llu calls are still held; their memory is left to the end of the process",
                  (unsigned long long)rpc_server_gauge(server).calls_live);
        return;
    }
    rpc_health_close(server->health);
    rpc_reflection_close(server->reflection);
    if (server->handle_count == 0) {
        server_free(server);
        return;
    }
    uv_close((uv_handle_t *)&server->wake, server_handle_closed);
    uv_close((uv_handle_t *)&server->sweep, server_handle_closed);
    uv_close((uv_handle_t *)&server->drain, server_handle_closed);
}
