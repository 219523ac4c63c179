#include "rpc/listener.h"

#include "rpc/core_log.h"
#include "rpc/unix_socket.h"

#include <assert.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER_HOST_BYTES = 256, LISTENER_PORT_BYTES = 8 };

struct RpcListeners {
    size_t count;
    int ports[RPC_ADDRESS_COUNT_MAX];
    UnixSocket sockets[RPC_ADDRESS_COUNT_MAX]; /* zeroed where the address is TCP */
};

/* "127.0.0.1:50051", "[::1]:50051", "localhost:50051" */
static Status listener_split(const char *address, char host[LISTENER_HOST_BYTES], char port[LISTENER_PORT_BYTES],
                             Error *out_error)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address;
    const char *end = colon;
    if (colon && address[0] == '[' && colon > address + 1 && colon[-1] == ']') {
        begin = address + 1;
        end = colon - 1;
    } else if (colon && memchr(address, ':', (size_t)(colon - address))) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: write an IPv6 address in brackets: [::1]:50051",
                         address);
    }
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    bool whole = colon && end > begin && (size_t)(end - begin) < LISTENER_HOST_BYTES && digits > 0 &&
                 digits <= 5 && colon[1 + digits] == '\0' && atoi(colon + 1) <= 65535;
    if (!whole) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "%s: an address is HOST:PORT, [IPV6]:PORT or unix:/PATH, a port 0 to 65535; for example "
                         "127.0.0.1:50051",
                         address);
    }
    snprintf(host, LISTENER_HOST_BYTES, "%.*s", (int)(end - begin), begin);
    snprintf(port, LISTENER_PORT_BYTES, "%s", colon + 1);
    return STATUS_OK;
}

/* Why nothing could be bound there: tries it by itself. */
static Status listener_explain(const char *address, const char *host, const char *port, Error *out_error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: %s", address, gai_strerror(failed));
    int cause = 0;
    for (struct addrinfo *one = found; one && !cause; one = one->ai_next) {
        int probe = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        int yes = 1;
        if (probe < 0 || setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
            bind(probe, one->ai_addr, one->ai_addrlen) || listen(probe, 1)) {
            cause = errno;
        }
        if (probe >= 0) close(probe);
    }
    freeaddrinfo(found);
    if (!cause)
        return error_set(out_error, STATUS_UNAVAILABLE, "%s: could not be bound; it may be in use", address);
    Status status = cause == EADDRINUSE                 ? STATUS_UNAVAILABLE
                    : cause == EACCES || cause == EPERM ? STATUS_FAILED_PRECONDITION
                    : cause == EADDRNOTAVAIL            ? STATUS_INVALID_ARGUMENT
                                                        : STATUS_INTERNAL;
    return error_set(out_error, status, "%s: cannot listen: %s", address, strerror(cause));
}

static int listener_bind(grpc_server *core, const char *target)
{
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    core_log_hush(true); /* listener_explain is shorter */
    int port = grpc_server_add_http2_port(core, target, plain);
    core_log_hush(false);
    grpc_server_credentials_release(plain);
    return port;
}

static Status listener_open_tcp(grpc_server *core, const char *address, int *out_port, Error *out_error)
{
    char host[LISTENER_HOST_BYTES];
    char port[LISTENER_PORT_BYTES];
    Status status = listener_split(address, host, port, out_error);
    if (status != STATUS_OK) return status;
    *out_port = listener_bind(core, address);
    return *out_port > 0 ? STATUS_OK : listener_explain(address, host, port, out_error);
}

static Status listener_open_unix(grpc_server *core, const char *address, unsigned mode, UnixSocket *unix_socket,
                                 int *out_port, Error *out_error)
{
    Status status = unix_socket_prepare(unix_socket, address + strlen("unix:"), out_error);
    if (status != STATUS_OK) return status;
    mode_t before = unix_socket_mask(mode); /* so that there is no moment with wider permissions */
    *out_port = listener_bind(core, address);
    unix_socket_unmask(before);
    if (*out_port <= 0) return unix_socket_explain(unix_socket, out_error);
    return unix_socket_permit(unix_socket, mode, out_error);
}

Status rpc_listeners_open(grpc_server *core, const char *const *addresses, size_t count, unsigned socket_mode,
                          RpcListeners **out_listeners, Error *out_error)
{
    *out_listeners = NULL;
    if (count == 0 || count > RPC_ADDRESS_COUNT_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%zu addresses to listen on; 1 to %d are possible",
                         count, RPC_ADDRESS_COUNT_MAX);
    }
    RpcListeners *listeners = calloc(1, sizeof *listeners);
    if (!listeners) return error_set(out_error, STATUS_NO_MEMORY, "no memory for the listeners");
    *out_listeners = listeners;
    for (size_t i = 0; i < count; i++) {
        int *port = &listeners->ports[i];
        UnixSocket *unix_socket = &listeners->sockets[i];
        listeners->count = i + 1;
        Status status = strncmp(addresses[i], "unix:", 5) == 0
                            ? listener_open_unix(core, addresses[i], socket_mode, unix_socket, port, out_error)
                            : listener_open_tcp(core, addresses[i], port, out_error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

int rpc_listeners_port(const RpcListeners *listeners, size_t index)
{
    assert(index < listeners->count);
    return listeners->ports[index];
}

void rpc_listeners_close(RpcListeners *listeners)
{
    if (!listeners) return;
    for (size_t i = 0; i < listeners->count; i++) unix_socket_release(&listeners->sockets[i]);
    free(listeners);
}
