/* grpc.health.v1: what probes and load balancers ask. Knows each service's state and who watches it. Loop thread.
 */
#pragma once

#include "base/status.h"
#include "rpc/call.h"

#include <stdbool.h>

typedef struct RpcHealth RpcHealth;

enum { RPC_HEALTH_METHOD_COUNT = 2 };

/* Every service starts as NOT_SERVING; "" is the server. Fails with NO_MEMORY. */
CHECKED Status rpc_health_open(RpcHealth **out_health, Error *out_error);
/* Adds the service of the method `path`, unless it is known. Fails with NO_MEMORY. */
CHECKED Status rpc_health_add(RpcHealth *health, const char *path, Error *out_error);
/* Writes the rows of Check and Watch. */
void rpc_health_methods(RpcHealth *health, RpcMethod out_methods[RPC_HEALTH_METHOD_COUNT]);
/* `service` NULL: all. */
void rpc_health_set(RpcHealth *health, const char *service, bool serving);
/* For good: nothing serves any more, and every Watch ends once it knows. */
void rpc_health_stop(RpcHealth *health);
void rpc_health_close(RpcHealth *health); /* NULL is a no-op; no Watch may be left */
