#include "rpc/unix_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static_assert(UNIX_SOCKET_PATH_BYTES == sizeof((struct sockaddr_un *)0)->sun_path, "as large as the kernel's");

static Status unix_socket_failed(const UnixSocket *unix_socket, const char *what, int cause, Error *out_error)
{
    Status status = cause == EADDRINUSE ? STATUS_UNAVAILABLE : STATUS_FAILED_PRECONDITION;
    return error_set(out_error, status, "unix:%s: %s: %s", unix_socket->path, what, strerror(cause));
}

static Status unix_socket_in_use(const UnixSocket *unix_socket, Error *out_error)
{
    return error_set(out_error, STATUS_UNAVAILABLE, "unix:%s: another server listens there", unix_socket->path);
}

/* Opens and locks the lock file; another server that ends may remove it meanwhile, then it is made anew. */
static Status unix_socket_lock(UnixSocket *unix_socket, Error *out_error)
{
    for (;;) {
        int lock = open(unix_socket->lock_path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0) return unix_socket_failed(unix_socket, "cannot make its lock file", errno, out_error);
        if (flock(lock, LOCK_EX | LOCK_NB)) {
            int cause = errno;
            close(lock);
            if (cause == EWOULDBLOCK) return unix_socket_in_use(unix_socket, out_error);
            return unix_socket_failed(unix_socket, "cannot lock its lock file", cause, out_error);
        }
        struct stat opened;
        struct stat named;
        if (fstat(lock, &opened) == 0 && stat(unix_socket->lock_path, &named) == 0 &&
            opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
            unix_socket->lock = lock;
            return STATUS_OK;
        }
        close(lock);
    }
}

/* A server without our lock file, another program perhaps, may be alive at the path. */
static bool unix_socket_answers(const UnixSocket *unix_socket)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, unix_socket->path, sizeof name.sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return false;
    bool answers = connect(probe, (const struct sockaddr *)&name, sizeof name) == 0 || errno == EAGAIN;
    close(probe);
    return answers;
}

static Status unix_socket_clear(const UnixSocket *unix_socket, Error *out_error)
{
    struct stat found;
    if (lstat(unix_socket->path, &found)) {
        if (errno == ENOENT) return STATUS_OK;
        return unix_socket_failed(unix_socket, "cannot be looked at", errno, out_error);
    }
    if (!S_ISSOCK(found.st_mode)) {
        return error_set(out_error, STATUS_FAILED_PRECONDITION,
                         "unix:%s: there is a file that is no socket; remove it or choose another path",
                         unix_socket->path);
    }
    if (unix_socket_answers(unix_socket)) return unix_socket_in_use(unix_socket, out_error);
    if (unlink(unix_socket->path) && errno != ENOENT) {
        return unix_socket_failed(unix_socket, "cannot remove the socket that a dead server left", errno,
                                  out_error);
    }
    return STATUS_OK;
}

Status unix_socket_prepare(UnixSocket *out_socket, const char *path, Error *out_error)
{
    UnixSocket unix_socket = {.lock = -1};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof unix_socket.path) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "unix:%s: a socket's path has 1 to %zu bytes", path,
                         sizeof unix_socket.path - 1);
    }
    memcpy(unix_socket.path, path, size + 1);
    snprintf(unix_socket.lock_path, sizeof unix_socket.lock_path, "%s.lock", path);
    Status status = unix_socket_lock(&unix_socket, out_error);
    if (status != STATUS_OK) return status;
    *out_socket = unix_socket;
    status = unix_socket_clear(out_socket, out_error);
    if (status != STATUS_OK) {
        unlink(out_socket->lock_path);
        close(out_socket->lock);
        *out_socket = (UnixSocket){0};
    }
    return status;
}

mode_t unix_socket_mask(unsigned mode)
{
    return umask(~(mode_t)mode & 0777);
}

void unix_socket_unmask(mode_t before)
{
    (void)umask(before);
}

Status unix_socket_permit(const UnixSocket *unix_socket, unsigned mode, Error *out_error)
{
    if (chmod(unix_socket->path, (mode_t)mode & 0777) == 0) return STATUS_OK;
    return unix_socket_failed(unix_socket, "cannot set its permissions", errno, out_error);
}

Status unix_socket_explain(const UnixSocket *unix_socket, Error *out_error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, unix_socket->path, sizeof name.sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int cause = probe < 0 || bind(probe, (const struct sockaddr *)&name, sizeof name) ? errno : 0;
    if (probe >= 0) close(probe);
    if (probe >= 0 && !cause) unlink(unix_socket->path);
    if (cause) return unix_socket_failed(unix_socket, "cannot listen", cause, out_error);
    return error_set(out_error, STATUS_INTERNAL, "unix:%s: gRPC cannot listen there", unix_socket->path);
}

void unix_socket_release(UnixSocket *unix_socket)
{
    if (!unix_socket->path[0]) return;
    if (unlink(unix_socket->path) && errno != ENOENT) errno = 0; /* gRPC has usually removed it */
    unlink(unix_socket->lock_path);
    close(unix_socket->lock);
    *unix_socket = (UnixSocket){0};
}
