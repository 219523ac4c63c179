/* What gRPC is told when a server is made: every limit of a connection that this version has. */
#pragma once

#include "rpc/server.h"

#include <grpc/grpc.h>

/* Fails only by aborting in gRPC's allocator. The caller owns the server. */
grpc_server *rpc_arguments_create_server(const RpcServerOptions *options);
