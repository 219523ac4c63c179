/* Server reflection: grpcurl and other tools ask it what there is to call. */
#pragma once

#include "base/status.h"
#include "rpc/call.h"

typedef struct RpcReflection RpcReflection;

enum { RPC_REFLECTION_METHOD_COUNT = 2 };

/* On success the caller owns *out_reflection (rpc_reflection_close). Fails with NO_MEMORY, CORRUPT. */
CHECKED Status rpc_reflection_open(RpcReflection **out_reflection, Error *out_error);
/* Lists the service of the method `path`. Fails with NO_MEMORY. */
CHECKED Status rpc_reflection_add(RpcReflection *reflection, const char *path, Error *out_error);
void rpc_reflection_methods(RpcReflection *reflection, RpcMethod out_methods[RPC_REFLECTION_METHOD_COUNT]);
void rpc_reflection_close(RpcReflection *reflection); /* NULL is a no-op */
