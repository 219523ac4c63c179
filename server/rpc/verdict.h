/* How a call ends, as gRPC sends it: the one translation of an Error. */
#pragma once

#include "base/status.h"
#include "rpc/call.h"

#include <grpc/grpc.h>

/* Owns its slices; zeroed: OK. */
typedef struct RpcVerdict {
    grpc_status_code code;
    grpc_slice text;
    grpc_slice details; /* google.rpc.Status; empty: no such trailer */
} RpcVerdict;

/* Of `error` (NULL or STATUS_OK: ends well). What is not UTF-8 is sent as '?'. Any thread. The caller owns it
 * (rpc_verdict_release). */
RpcVerdict rpc_verdict_of(const Error *error);
/* The same with the request's `field` that it is about, and one more detail; NULL: none. */
RpcVerdict rpc_verdict_detailed(const Error *error, const char *field, const RpcDetail *detail);
void rpc_verdict_release(RpcVerdict *verdict);
