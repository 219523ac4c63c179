/* A unix socket's place in the file system. gRPC unlinks whatever is at the path and binds, so that two servers
 * would steal it from each other in silence: a lock file decides who may. */
#pragma once

#include "base/status.h"

#include <sys/types.h>

enum { UNIX_SOCKET_PATH_BYTES = 108 }; /* sun_path */

/* A value; zeroed: none. */
typedef struct UnixSocket {
    char path[UNIX_SOCKET_PATH_BYTES];
    char lock_path[UNIX_SOCKET_PATH_BYTES + 8];
    int lock; /* file descriptor, valid when path is not empty */
} UnixSocket;

/* Takes the lock for `path` and makes sure that nothing alive is there; what a dead server left is removed. On
 * success `out_socket` is released by unix_socket_release. Fails with INVALID_ARGUMENT (path), UNAVAILABLE (in
 * use), FAILED_PRECONDITION (something else is at the path, or not permitted). */
CHECKED Status unix_socket_prepare(UnixSocket *out_socket, const char *path, Error *out_error);
/* What a bind now would create has at most `mode`; returns what to give to unix_socket_unmask. Of the whole
 * process. */
mode_t unix_socket_mask(unsigned mode);
void unix_socket_unmask(mode_t before);
/* Sets the permissions of the bound socket to `mode`. Fails with FAILED_PRECONDITION. */
CHECKED Status unix_socket_permit(const UnixSocket *socket, unsigned mode, Error *out_error);
/* Why nothing could be bound at the path: tries it by itself. Never STATUS_OK. */
Status unix_socket_explain(const UnixSocket *socket, Error *out_error);
/* After the listener is closed: removes socket and lock file. A zeroed one is a no-op. */
void unix_socket_release(UnixSocket *socket);
