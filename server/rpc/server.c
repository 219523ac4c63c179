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

enum {
    SERVER_SWEEP_MS = 250, /* timeouts are seconds */
    SERVER_SWEEP_BATCH = 64,
    SERVER_THREADS_MIN = 16, /* gRPC starts 5 to 8 and more under load; then our own */
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
        wrong = "held_bytes_max (--held-limit), at least message_bytes_max (--payload-limit),";
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

static void *server_wait(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* gRPC does not notice that it cannot start a thread, and at its end waits for that thread for ever. So room for its
 * threads and ours is proved before it starts. */
static Status server_prove_threads(Error *out_error)
{
    pthread_t threads[SERVER_THREADS_MIN];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int failed = 0;
    size_t count = 0;
    pthread_mutex_lock(&lock);
    while (!failed && count < SERVER_THREADS_MIN) {
        failed = pthread_create(&threads[count], NULL, server_wait, &lock);
        if (!failed) count++;
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    if (!failed) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "only %zu of the %d threads that are needed can be made: %s; raise the limit of memory or of "
                     "processes",
                     count, SERVER_THREADS_MIN, strerror(failed));
}

/* ---- Methods ---- */

static Status server_add_services(RpcServer *server, const RpcServerOptions *options, Error *out_error)
{
    size_t count = options->method_count + RPC_HEALTH_METHOD_COUNT + RPC_REFLECTION_METHOD_COUNT;
    server->methods = calloc(count, sizeof *server->methods);
    server->slots = calloc(count + 1, sizeof *server->slots);
    server->counters = calloc(count, sizeof *server->counters);
    if (!server->methods || !server->slots || !server->counters)
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
        slot->counters = &server->counters[i];
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

void rpc_server_run_items(RpcServer *server)
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
    rpc_server_run_items(wake->data);
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

/* The callback may drain, but not close. */
static void server_check_listeners(RpcServer *server)
{
    if (!server->options.listener_lost || server->draining || !core_log_listener_lost()) return;
    void (*listener_lost)(void *) = server->options.listener_lost;
    server->options.listener_lost = NULL;
    listener_lost(server->options.listener_lost_context);
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
    server_check_listeners(server);
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
        for (int armed = 0; armed < ACCEPT_ARMED_COUNT; armed++) accept_arm(server, &server->slots[i]);
    }
    int failed = uv_timer_start(&server->sweep, server_swept, SERVER_SWEEP_MS, SERVER_SWEEP_MS);
    if (failed) return error_set(out_error, STATUS_INTERNAL, "no timer: %s", uv_strerror(failed));
    return STATUS_OK;
}

static Status server_build(RpcServer *server, const RpcServerOptions *options, Error *out_error)
{
    Status status = server_open_loop(server, out_error);
    if (status == STATUS_OK) status = server_add_services(server, options, out_error);
    if (status == STATUS_OK) status = server_prove_threads(out_error);
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

size_t rpc_server_method_count(const RpcServer *server)
{
    return server->method_count;
}

RpcMethodGauge rpc_server_method_gauge(const RpcServer *server, size_t index)
{
    assert(index < server->method_count);
    const RpcCounters *counters = &server->counters[index];
    RpcMethodGauge gauge = {.path = server->methods[index].path, .durations = &counters->durations};
    for (size_t code = 0; code < RPC_CODE_COUNT; code++) {
        gauge.codes[code] = atomic_load_explicit(&counters->codes[code], memory_order_relaxed);
    }
    return gauge;
}
