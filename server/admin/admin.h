/* What operators' tools read over HTTP, on an address of its own: /metrics (Prometheus), /livez (the loop turns) and
 * /readyz (requests are served). Nothing can be changed here. All on the loop. */
#pragma once

#include "base/metrics.h"
#include "base/status.h"

#include <uv.h>

typedef struct Admin Admin;

typedef struct AdminOptions {
    const char *address; /* "127.0.0.1:9090", "[::1]:0" */
    bool (*ready)(void *context);
    void (*write_metrics)(void *context, MetricsPage *page);
    void *context;
} AdminOptions;

/* Listens and answers from now on; `loop` must run. The caller owns *out_admin (admin_close). Fails with
 * INVALID_ARGUMENT (the address), UNAVAILABLE (it is in use), FAILED_PRECONDITION (not permitted), NO_MEMORY,
 * INTERNAL. */
CHECKED Status admin_open(const AdminOptions *options, uv_loop_t *loop, Admin **out_admin, Error *out_error);
/* The port that it got, for "127.0.0.1:0". */
int admin_port(const Admin *admin);
/* Ends all connections; the memory is freed once the loop has run. NULL is a no-op. */
void admin_close(Admin *admin);
