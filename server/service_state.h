/* What the files of the service share; for server/service*.c only. */
#pragma once

#include "admin/admin.h"
#include "options.h"
#include "rpc/inference.h"
#include "rpc/server.h"
#include "scheduler/scheduler.h"

#include <uv.h>

enum { SERVICE_SIGNAL_COUNT = 3 };

/* A model that was named at the start: where it cannot be loaded, the process ends. */
typedef struct ServiceLoad {
    RegistryChange change; /* first */
    struct Service *service;
} ServiceLoad;

/* The loop's. */
typedef struct Service {
    const Options *options;
    const Kernels *kernels;
    uint32_t worker_count;
    uv_loop_t loop;
    uv_async_t registry_news;
    uv_timer_t look;
    uv_signal_t signals[SERVICE_SIGNAL_COUNT];
    int signal_count; /* that are open */
    RpcServer *server;
    Admin *admin; /* NULL: nobody asked for metrics */
    Registry *registry;
    Inference *inference;
    Scheduler *scheduler;
    ServiceLoad loads[OPTION_LIST_MAX];
    bool serving;
    bool stopping;
    int exit_code;
} Service;

/* ---- service_models.c ---- */

/* Opens the registry and names the models in it. Fails with NOT_FOUND (no checkpoint there), INVALID_ARGUMENT (a
 * name). */
CHECKED Status service_open_models(Service *service, Error *out_error);
/* Begins to load them, and to look at the folder. */
CHECKED Status service_load_models(Service *service, Error *out_error);
/* On every news of the registry: serves once the models are there. */
void service_turn_models(Service *service);

/* ---- service_metrics.c ---- */

/* Serves metrics and probes over HTTP, where that is asked for. Once all else is open. Fails as admin_open. */
CHECKED Status service_open_admin(Service *service, Error *out_error);

/* ---- service.c ---- */

/* Ends the loop: whatever was opened is closed. */
void service_stop(Service *service);
