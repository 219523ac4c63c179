/* From a client's call to a live one: armed calls wait in gRPC, one for each client that may come at once; a
 * client is admitted or refused, and the next call is armed. Runs on the completion thread, but for the first
 * arming. */
#include "base/clock.h"
#include "base/log.h"
#include "rpc/state.h"

enum {
    ACCEPT_RESERVED_COUNT = 64, /* health checks beyond calls_max */
    ACCEPT_RETRY_MS = 500,      /* told to a client over calls_max */
};

static void accept_done(RpcTag *tag, bool ok);

void accept_check_finished(RpcServer *server, bool *out_now)
{
    *out_now = !server->finished && server->is_core_down && server->live_count == 0 && server->armed_count == 0;
    if (!*out_now) return;
    server->finished = true;
    pthread_cond_broadcast(&server->quiet);
}

static void accept_disarmed(RpcServer *server)
{
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->armed_count--;
    accept_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

void accept_arm(RpcServer *server, const RpcSlot *slot)
{
    RpcCall *call = call_create(server, slot);
    if (!call) {
        log_event(LOG_ERROR, "no_memory", "no memory for a waiting call");
        return;
    }
    rpc_tag_set(&call->accepted, accept_done, call);
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
    accept_disarmed(server);
}

static Status accept_admit(RpcServer *server, RpcCall *call, Error *out_error)
{
    uint64_t calls_max = server->options.calls_max + (call->slot->reserved ? ACCEPT_RESERVED_COUNT : 0);
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
    out_error->retry_after_ns = ACCEPT_RETRY_MS * NS_PER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

void accept_unlist(RpcServer *server, RpcCall *call)
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

void accept_forget(RpcServer *server)
{
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->live_count--;
    accept_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

/* The path comes from the client: only what a path may have is repeated. */
static Status accept_refuse_unknown(const RpcCall *call, Error *out_error)
{
    char path[128];
    size_t size = GRPC_SLICE_LENGTH(call->details.method);
    if (size > sizeof path - 1) size = sizeof path - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = GRPC_SLICE_START_PTR(call->details.method)[i];
        path[i] = byte > 0x20 && byte < 0x7F ? (char)byte : '?';
    }
    path[size] = '\0';
    return error_set(out_error, STATUS_UNIMPLEMENTED, "this server has no method %s", path);
}

/* A draining server takes no new call. gRPC, once it goes down, would end those that cross its GOAWAY as
 * CANCELLED, which no client tries again; so most of them are refused here, just before. */
static Status accept_refuse_late(RpcServer *server, Error *out_error)
{
    atomic_store_explicit(&server->last_call_ns, clock_now_ns(&clock_monotonic), memory_order_relaxed);
    if (!atomic_load(&server->refusing)) return STATUS_OK;
    atomic_fetch_add(&server->calls_rejected, 1);
    (void)error_set(out_error, STATUS_UNAVAILABLE, "the server is shutting down: try another one, or later");
    out_error->retry_after_ns = NS_PER_S;
    return STATUS_UNAVAILABLE;
}

static void accept_done(RpcTag *tag, bool ok)
{
    RpcCall *call = tag->owner;
    RpcServer *server = call->server;
    if (!ok) { /* the server ends; nobody came */
        call_release(call);
        accept_disarmed(server);
        return;
    }
    accept_arm(server, call->slot);
    Error error;
    Status status = accept_admit(server, call, &error);
    if (status == STATUS_OK && !call->slot->row) status = accept_refuse_unknown(call, &error);
    if (status == STATUS_OK && !call->slot->reserved) status = accept_refuse_late(server, &error);
    call_accept(call, status == STATUS_OK ? NULL : &error);
    call_release(call);
    accept_disarmed(server);
}
