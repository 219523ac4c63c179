/* Where the server listens: TCP addresses and unix sockets, with errors that say which one failed and why (gRPC
 * itself only says that one did). Loop thread. */
#pragma once

#include "base/status.h"

#include <grpc/grpc.h>
#include <stddef.h>

typedef struct RpcListeners RpcListeners;

enum { RPC_ADDRESS_COUNT_MAX = 16 };

/* Binds each of `addresses` ([count]) to `core`, which is not started yet. A unix socket that a dead server left
 * is replaced, one that is in use is not; a lock file beside it ("<path>.lock") decides between two starting
 * servers. On success and on failure the caller owns *out_listeners (rpc_listeners_close) and closes it after
 * `core` is gone. Fails as rpc_server_open. */
CHECKED Status rpc_listeners_open(grpc_server *core, const char *const *addresses, size_t count,
                                  unsigned socket_mode, RpcListeners **out_listeners, Error *out_error);
/* As gRPC tells it: the TCP port, 1 for a unix socket. */
int rpc_listeners_port(const RpcListeners *listeners, size_t index);
void rpc_listeners_close(RpcListeners *listeners); /* NULL is a no-op */
