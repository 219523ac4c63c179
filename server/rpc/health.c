#include "rpc/health.h"

#include "rpc/codec_health.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEALTH_SERVICE_COUNT_MAX = 64, /* services are compiled in: a handful */
    HEALTH_UNKNOWN = HEALTH_SERVICE_COUNT_MAX,
};

typedef struct HealthService {
    char *name;
    bool serving;
} HealthService;

/* One stream of Watch; lives in the arena of its message. */
typedef struct HealthWatch {
    RpcMessage *message;
    struct HealthWatch *previous;
    struct HealthWatch *next;
    size_t service; /* HEALTH_UNKNOWN: not ours, and never will be */
    CodecHealth sent;
    bool sending;
} HealthWatch;

struct RpcHealth {
    HealthService services[HEALTH_SERVICE_COUNT_MAX];
    size_t service_count;
    HealthWatch *watches;
    bool stopped;
};

static size_t health_find(const RpcHealth *health, TextView name)
{
    for (size_t i = 0; i < health->service_count; i++) {
        if (text_equal(text_view(health->services[i].name), name)) return i;
    }
    return HEALTH_UNKNOWN;
}

static Status health_add_name(RpcHealth *health, TextView name, Error *out_error)
{
    if (health_find(health, name) != HEALTH_UNKNOWN) return STATUS_OK;
    assert(health->service_count < HEALTH_SERVICE_COUNT_MAX);
    char *copy = strndup(name.bytes, name.size);
    if (!copy) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a service's health");
    health->services[health->service_count++] = (HealthService){.name = copy};
    return STATUS_OK;
}

Status rpc_health_open(RpcHealth **out_health, Error *out_error)
{
    RpcHealth *health = calloc(1, sizeof *health);
    if (!health) return error_set(out_error, STATUS_NO_MEMORY, "no memory for the services' health");
    Status status = health_add_name(health, text_view(""), out_error);
    if (status != STATUS_OK) {
        rpc_health_close(health);
        return status;
    }
    *out_health = health;
    return STATUS_OK;
}

Status rpc_health_add(RpcHealth *health, const char *path, Error *out_error)
{
    const char *end = strrchr(path, '/');
    assert(path[0] == '/' && end > path);
    return health_add_name(health, (TextView){path + 1, (size_t)(end - path - 1)}, out_error);
}

void rpc_health_close(RpcHealth *health)
{
    if (!health) return;
    assert(!health->watches);
    for (size_t i = 0; i < health->service_count; i++) free(health->services[i].name);
    free(health);
}

static CodecHealth health_state(const RpcHealth *health, size_t service)
{
    if (service == HEALTH_UNKNOWN) return CODEC_HEALTH_SERVICE_UNKNOWN;
    return health->services[service].serving ? CODEC_HEALTH_SERVING : CODEC_HEALTH_NOT_SERVING;
}

static void health_pack(void *state, uint8_t *buffer)
{
    codec_health_pack(*(const CodecHealth *)state, buffer);
}

/* ---- Check ---- */

static void health_check(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    RpcHealth *health = context;
    Error error;
    TextView name;
    if (codec_health_request(wire, size, rpc_message_arena(message), &name, &error) != STATUS_OK) {
        rpc_message_fail(message, &error, NULL);
        return;
    }
    size_t service = health_find(health, name);
    if (service == HEALTH_UNKNOWN) {
        (void)error_set(&error, STATUS_NOT_FOUND, "this server has no such service");
        rpc_message_fail(message, &error, "service");
        return;
    }
    CodecHealth state = health_state(health, service);
    rpc_message_reply(message, codec_health_size(state), health_pack, &state);
}

/* ---- Watch ---- */

static void health_end_watch(RpcHealth *health, HealthWatch *watch)
{
    if (watch->previous) {
        watch->previous->next = watch->next;
    } else {
        health->watches = watch->next;
    }
    if (watch->next) watch->next->previous = watch->previous;
    Error error;
    (void)error_set(&error, STATUS_UNAVAILABLE, "the server is shutting down");
    rpc_message_fail(watch->message, &error, NULL);
}

/* Sends the present state unless it is known or an older one is still on its way. May end the watch. */
static void health_advance(RpcHealth *health, HealthWatch *watch)
{
    if (atomic_load(rpc_message_cancelled(watch->message))) {
        health_end_watch(health, watch);
        return;
    }
    if (watch->sending) return;
    CodecHealth state = health_state(health, watch->service);
    if (state != watch->sent) {
        watch->sent = state;
        watch->sending = true;
        rpc_message_push(watch->message, codec_health_size(state), health_pack, &state);
    } else if (health->stopped) {
        health_end_watch(health, watch);
    }
}

static void health_watch(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    RpcHealth *health = context;
    Error error;
    TextView name;
    if (codec_health_request(wire, size, rpc_message_arena(message), &name, &error) != STATUS_OK) {
        rpc_message_fail(message, &error, NULL);
        return;
    }
    HealthWatch *watch = arena_allocate_zeroed(rpc_message_arena(message), 1, sizeof *watch);
    if (!watch) {
        (void)error_set(&error, STATUS_NO_MEMORY, "no memory for a watch");
        rpc_message_fail(message, &error, NULL);
        return;
    }
    *watch = (HealthWatch){.message = message, .next = health->watches, .service = health_find(health, name)};
    if (watch->next) watch->next->previous = watch;
    health->watches = watch;
    rpc_message_set_note(message, watch);
    health_advance(health, watch);
}

static void health_progress(void *context, RpcMessage *message)
{
    HealthWatch *watch = rpc_message_note(message);
    watch->sending = false;
    health_advance(context, watch);
}

void rpc_health_methods(RpcHealth *health, RpcMethod out_methods[RPC_HEALTH_METHOD_COUNT])
{
    out_methods[0] = (RpcMethod){"/grpc.health.v1.Health/Check", RPC_UNARY, health_check, health, NULL};
    out_methods[1] =
        (RpcMethod){"/grpc.health.v1.Health/Watch", RPC_SERVER_STREAM, health_watch, health, health_progress};
}

static void health_tell(RpcHealth *health)
{
    for (HealthWatch *watch = health->watches; watch;) {
        HealthWatch *next = watch->next; /* advancing may end this one */
        health_advance(health, watch);
        watch = next;
    }
}

void rpc_health_set(RpcHealth *health, const char *service, bool serving)
{
    if (health->stopped) return;
    for (size_t i = 0; i < health->service_count; i++) {
        if (!service || strcmp(service, health->services[i].name) == 0) health->services[i].serving = serving;
    }
    health_tell(health);
}

void rpc_health_stop(RpcHealth *health)
{
    rpc_health_set(health, NULL, false);
    health->stopped = true;
    health_tell(health);
}
