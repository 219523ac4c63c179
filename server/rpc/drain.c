/* The way down: refuse, let go, wait, close. */
#include "base/clock.h"
#include "base/log.h"
#include "rpc/health.h"
#include "rpc/listener.h"
#include "rpc/reflection.h"
#include "rpc/state.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    DRAIN_QUIET_MS = 50,   /* goes down when no call came for so long, */
    DRAIN_REFUSE_MS = 500, /* or after it refused calls for so long */
    DRAIN_POLL_MS = 10,
    DRAIN_CLOSE_WAIT_S = 10,
};

/* gRPC stopped listening and has no call any more; ours may still be on their way out. Completion thread. */
static void drain_core_down(RpcTag *tag, bool ok)
{
    (void)ok;
    RpcServer *server = tag->owner;
    bool finished;
    pthread_mutex_lock(&server->lock);
    server->is_core_down = true;
    accept_check_finished(server, &finished);
    pthread_mutex_unlock(&server->lock);
    if (finished) rpc_server_post(server, &server->finished_item);
}

static void drain_go_down(RpcServer *server)
{
    server->going_down = true;
    rpc_tag_set(&server->core_down, drain_core_down, server);
    grpc_server_shutdown_and_notify(server->core, server->completion.queue, &server->core_down);
}

static void drain_expired(uv_timer_t *timer)
{
    RpcServer *server = timer->data;
    server->drain_cancelled = rpc_server_gauge(server).calls_live;
    grpc_server_cancel_all_calls(server->core);
}

/* Refuses calls until they stop coming, then goes down and lets the accepted ones end until the deadline. */
static void drain_polled(uv_timer_t *timer)
{
    RpcServer *server = timer->data;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    bool quiet = atomic_load(&server->last_call_ns) + DRAIN_QUIET_MS * NS_PER_MS <= now_ns;
    bool patient = now_ns < server->drain_begin_ns + DRAIN_REFUSE_MS * NS_PER_MS;
    if (!quiet && patient && now_ns < server->drain_end_ns) return;
    drain_go_down(server);
    uint64_t left_ns = server->drain_end_ns > now_ns ? server->drain_end_ns - now_ns : 0;
    uv_update_time(server->loop);
    (void)uv_timer_start(timer, drain_expired, left_ns / NS_PER_MS, 0); /* fails only without callback */
}

void rpc_server_shutdown(RpcServer *server, uint64_t drain_ns, void (*done)(void *context, uint64_t cancelled),
                         void *context)
{
    assert(!server->draining && server->started);
    server->draining = true;
    server->drained = done;
    server->drained_context = context;
    server->drain_begin_ns = clock_now_ns(&clock_monotonic);
    server->drain_end_ns = server->drain_begin_ns + drain_ns;
    atomic_store(&server->refusing, true);
    rpc_health_stop(server->health);
    (void)uv_timer_start(&server->drain, drain_polled, 0, DRAIN_POLL_MS); /* fails only without callback */
}

/* Waits for the last call, running what is posted meanwhile; false when somebody keeps a message for too long. */
static bool drain_wait_finished(RpcServer *server)
{
    struct timespec until;
    bool finished = false;
    uint64_t end_ns = clock_now_ns(&clock_monotonic) + DRAIN_CLOSE_WAIT_S * NS_PER_S;
    while (!finished && clock_now_ns(&clock_monotonic) < end_ns) {
        rpc_server_run_items(server);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 10 * (long)NS_PER_MS;
        until.tv_sec += until.tv_nsec / (long)NS_PER_S;
        until.tv_nsec %= (long)NS_PER_S;
        pthread_mutex_lock(&server->lock);
        if (!server->finished) pthread_cond_timedwait(&server->quiet, &server->lock, &until);
        finished = server->finished;
        pthread_mutex_unlock(&server->lock);
    }
    rpc_server_run_items(server);
    return finished;
}

/* gRPC's part of the way down. */
static bool drain_close_core(RpcServer *server)
{
    if (server->core) {
        server->closing = true;
        server->drained = NULL;
        atomic_store(&server->refusing, true);
        rpc_health_stop(server->health);
        if (!server->going_down) drain_go_down(server);
        grpc_server_cancel_all_calls(server->core);
        if (!drain_wait_finished(server)) return false;
        grpc_server_destroy(server->core);
        server->core = NULL;
    }
    rpc_completion_close(&server->completion);
    if (server->mailbox_open) rpc_server_run_items(server); /* the last word of the thread that has just ended */
    rpc_listeners_close(server->listeners);
    if (server->core_initialized) grpc_shutdown_blocking();
    return true;
}

static void drain_free(RpcServer *server)
{
    if (server->mailbox_open) mailbox_destroy(&server->mailbox);
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    free(server->methods);
    free(server->slots);
    free(server->counters);
    free(server);
}

static void drain_handle_closed(uv_handle_t *handle)
{
    RpcServer *server = handle->data;
    if (--server->handle_count == 0) drain_free(server);
}

void rpc_server_close(RpcServer *server)
{
    if (!server) return;
    if (!drain_close_core(server)) {
        log_event(LOG_ERROR, "calls_left",
                  "%llu calls are still held; their memory is left to the end of the process",
                  (unsigned long long)rpc_server_gauge(server).calls_live);
        return;
    }
    rpc_health_close(server->health);
    rpc_reflection_close(server->reflection);
    if (server->handle_count == 0) {
        drain_free(server);
        return;
    }
    uv_close((uv_handle_t *)&server->wake, drain_handle_closed);
    uv_close((uv_handle_t *)&server->sweep, drain_handle_closed);
    uv_close((uv_handle_t *)&server->drain, drain_handle_closed);
}
