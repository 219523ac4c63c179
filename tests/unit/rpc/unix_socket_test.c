/* A unix socket's path belongs to one server, and to nothing that is not a dead socket. */
#include "rpc/unix_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/unix_socket_test.XXXXXX";

static const char *path_in_folder(char out_path[64], const char *name)
{
    snprintf(out_path, 64, "%s/%s", folder, name);
    return out_path;
}

/* A socket bound at `path`; alive when it listens. */
static int bound(const char *path, bool alive)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int one = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(one, (struct sockaddr *)&name, sizeof name), 0);
    if (alive) assert_int_equal(listen(one, 1), 0);
    return one;
}

static void unix_socket_is_locked_until_released(void **state)
{
    (void)state;
    char path[64];
    Error error;
    UnixSocket first, second;
    assert_int_equal(unix_socket_prepare(&first, path_in_folder(path, "a"), &error), STATUS_OK);
    assert_int_equal(unix_socket_prepare(&second, path, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.message, path));
    unix_socket_release(&first);
    unix_socket_release(&first); /* a no-op */
    assert_int_equal(unix_socket_prepare(&second, path, &error), STATUS_OK);
    unix_socket_release(&second);
    assert_int_equal(access(second.lock_path, F_OK), -1);
}

static void unix_socket_replaces_a_dead_one_only(void **state)
{
    (void)state;
    char path[64];
    Error error;
    UnixSocket unix_socket;
    close(bound(path_in_folder(path, "dead"), true));
    assert_int_equal(unix_socket_prepare(&unix_socket, path, &error), STATUS_OK);
    assert_int_equal(access(path, F_OK), -1);
    unix_socket_release(&unix_socket);

    int alive = bound(path_in_folder(path, "alive"), true);
    assert_int_equal(unix_socket_prepare(&unix_socket, path, &error), STATUS_UNAVAILABLE);
    assert_int_equal(access(path, F_OK), 0);
    close(alive);
    unlink(path);
}

static void unix_socket_leaves_files_alone(void **state)
{
    (void)state;
    char path[64];
    Error error;
    UnixSocket unix_socket;
    FILE *file = fopen(path_in_folder(path, "file"), "w");
    fclose(file);
    assert_int_equal(unix_socket_prepare(&unix_socket, path, &error), STATUS_FAILED_PRECONDITION);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void unix_socket_refuses_paths_that_cannot_be(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    Error error;
    UnixSocket unix_socket;
    assert_int_equal(unix_socket_prepare(&unix_socket, "", &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(unix_socket_prepare(&unix_socket, longest, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(unix_socket_prepare(&unix_socket, "/nonexistent/a", &error), STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.message, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_socket_is_locked_until_released),
        cmocka_unit_test(unix_socket_replaces_a_dead_one_only),
        cmocka_unit_test(unix_socket_leaves_files_alone),
        cmocka_unit_test(unix_socket_refuses_paths_that_cannot_be),
    };
    if (!mkdtemp(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(folder) ? 1 : failed;
}
