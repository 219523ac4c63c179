#include "admin/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { SOCKET_HOST_BYTES = 64, SOCKET_BACKLOG = 64 };

/* Names are not looked up: which of its addresses would be meant? */
static Status address_parse(const char *address, struct sockaddr_storage *out_parsed, Error *out_error)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address;
    const char *end = colon;
    bool brackets = colon && address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    if (brackets) {
        begin++;
        end--;
    }
    char host[SOCKET_HOST_BYTES] = "";
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits > 0 && digits <= 5 && colon[1 + digits] == '\0' && (size_t)(end - begin) < sizeof host) {
        memcpy(host, begin, (size_t)(end - begin));
        int port = atoi(colon + 1);
        int failed = brackets ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)out_parsed)
                              : uv_ip4_addr(host, port, (struct sockaddr_in *)out_parsed);
        if (port <= UINT16_MAX && !failed) return STATUS_OK;
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "'%s': an address is IPV4:PORT or [IPV6]:PORT, for example 127.0.0.1:9090", address);
}

static Status socket_listen(int made, const struct sockaddr_storage *address, int *out_port)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int yes = 1;
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        bind(made, (const struct sockaddr *)address, size) || listen(made, SOCKET_BACKLOG) ||
        getsockname(made, (struct sockaddr *)&bound, &size)) {
        return errno == EADDRINUSE      ? STATUS_UNAVAILABLE
               : errno == EACCES        ? STATUS_FAILED_PRECONDITION
               : errno == EADDRNOTAVAIL ? STATUS_INVALID_ARGUMENT
                                        : STATUS_INTERNAL;
    }
    *out_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return STATUS_OK;
}

Status admin_socket_open(const char *address, int *out_socket, int *out_port, Error *out_error)
{
    struct sockaddr_storage parsed = {0};
    Status status = address_parse(address, &parsed, out_error);
    if (status) return status;
    int made = socket(parsed.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    status = made < 0 ? STATUS_INTERNAL : socket_listen(made, &parsed, out_port);
    if (status == STATUS_OK) {
        *out_socket = made;
        return STATUS_OK;
    }
    error_set(out_error, status, "%s: cannot listen: %s", address, strerror(errno));
    if (made >= 0) close(made);
    return status;
}
