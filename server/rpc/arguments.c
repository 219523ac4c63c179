#include "rpc/arguments.h"

#include "base/clock.h"
#include "base/limits.h"

#include <limits.h>

enum {
    ARGUMENTS_METADATA_BYTES =
        16 * 1024,                      /* one call beyond it ends its whole connection, so twice gRPC's default */
    ARGUMENTS_KEEPALIVE_MS = 60 * 1000, /* a silent connection is asked whether it lives, */
    ARGUMENTS_KEEPALIVE_TIMEOUT_MS = 20 * 1000, /* and closed when it does not answer */
    ARGUMENTS_CLIENT_PING_MS = 10 * 1000,       /* clients may ask us as often; faster ones are sent away */
    ARGUMENTS_STREAM_WINDOW_BYTES = 64 * 1024,  /* read ahead of a stream whose messages we do not take yet */
    ARGUMENTS_CALL_BYTES = 16 * 1024,           /* what gRPC takes for a call, measured 12 to 16 KiB */
};

static grpc_arg arguments_integer(const char *key, uint64_t value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value > INT_MAX ? INT_MAX : (int)value};
}

static uint64_t arguments_ms(uint64_t ns)
{
    return ns / NS_PER_MS;
}

/* The last resort, above our own limits: gRPC then fails calls and connections bluntly, but lives. */
static grpc_resource_quota *arguments_quota(const RpcServerOptions *options)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("server");
    uint64_t bytes = 2 * options->held_bytes_max + (uint64_t)options->calls_max * ARGUMENTS_CALL_BYTES + 64 * MIB;
    grpc_resource_quota_resize(quota, bytes);
    return quota;
}

grpc_server *rpc_arguments_create_server(const RpcServerOptions *options)
{
    grpc_resource_quota *quota = arguments_quota(options);
    grpc_arg arguments[] = {
        {.type = GRPC_ARG_POINTER,
         .key = (char *)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
        arguments_integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, options->connection_calls_max),
        arguments_integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, options->message_bytes_max),
        arguments_integer(GRPC_ARG_MAX_METADATA_SIZE, ARGUMENTS_METADATA_BYTES),
        /* Inflating is ours, with a limit: gRPC 1.51 checks the size only afterwards. */
        arguments_integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        /* Two servers on one port would share its connections in silence. */
        arguments_integer(GRPC_ARG_ALLOW_REUSEPORT, 0),
        arguments_integer(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, arguments_ms(options->handshake_timeout_ns)),
        arguments_integer(GRPC_ARG_MAX_CONNECTION_IDLE_MS, arguments_ms(options->idle_timeout_ns)),
        arguments_integer(GRPC_ARG_KEEPALIVE_TIME_MS, ARGUMENTS_KEEPALIVE_MS),
        arguments_integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ARGUMENTS_KEEPALIVE_TIMEOUT_MS),
        arguments_integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        arguments_integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, ARGUMENTS_CLIENT_PING_MS),
        arguments_integer(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, ARGUMENTS_STREAM_WINDOW_BYTES),
        /* Else the window, and with it what an unread stream holds, grows to megabytes by itself. */
        arguments_integer(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        arguments_integer(GRPC_ARG_ENABLE_CHANNELZ,
                          0), /* traces of every connection, for a service that we do not have */
    };
    grpc_channel_args all = {sizeof arguments / sizeof *arguments, arguments};
    grpc_server *core = grpc_server_create(&all, NULL);
    grpc_resource_quota_unref(quota);
    return core;
}
