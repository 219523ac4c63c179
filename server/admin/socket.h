/* A listening TCP socket by its address. */
#pragma once

#include "base/status.h"

/* `address` is "127.0.0.1:9090" or "[::1]:9090"; port 0 takes a free one. On success the caller owns *out_socket
 * (close). Fails as admin_open. */
CHECKED Status admin_socket_open(const char *address, int *out_socket, int *out_port, Error *out_error);
