/* libmicrohttpd does HTTP and its limits. It brings no thread: its sockets are in one epoll, which the loop watches,
 * and it says when it wants to be called at the latest. */
#include "admin/admin.h"

#include "admin/socket.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ADMIN_CONNECTIONS_MAX = 32, /* a few scrapers and probes; more wait in the backlog */
    ADMIN_IDLE_S_MAX = 10,      /* between two packets of a client */
    ADMIN_CONNECTION_BYTES_MAX = 16 * 1024,
};

struct Admin {
    AdminOptions options;
    struct MHD_Daemon *daemon;
    int port;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handle_count; /* that are not closed yet */
};

/* ---- Pages ---- */

typedef enum MHD_Result AdminResult;

static AdminResult answer(struct MHD_Connection *connection, unsigned code, const char *type,
                          struct MHD_Response *response)
{
    if (!response) return MHD_NO; /* out of memory: the connection is closed */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    AdminResult result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static AdminResult answer_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    return answer(connection, code, "text/plain; charset=utf-8",
                  MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT));
}

static AdminResult answer_metrics(const Admin *admin, struct MHD_Connection *connection)
{
    MetricsPage page = {0};
    admin->options.write_metrics(admin->options.context, &page);
    struct MHD_Response *response =
        page.failed ? NULL : MHD_create_response_from_buffer(page.size, page.text, MHD_RESPMEM_MUST_FREE);
    if (!response) metrics_page_free(&page);
    return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", response);
}

/* Called with the header, and again once there is no more to come. A method that may bring a body is refused at once,
 * which ends the connection: no body is ever read. */
static AdminResult admin_handle(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload, size_t *upload_size,
                                void **note)
{
    static int seen;
    const Admin *admin = context;
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "there is only GET\n");
    if (*upload_size) return MHD_NO;
    if (!*note) {
        *note = &seen;
        return MHD_YES;
    }
    if (strcmp(url, "/metrics") == 0) return answer_metrics(admin, connection);
    if (strcmp(url, "/livez") == 0) return answer_text(connection, MHD_HTTP_OK, "alive\n");
    if (strcmp(url, "/readyz") != 0)
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /livez and /readyz\n");
    bool ready = admin->options.ready(admin->options.context);
    return ready ? answer_text(connection, MHD_HTTP_OK, "ready\n")
                 : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
}

/* ---- On the loop ---- */

static void admin_timer_due(uv_timer_t *timer);

static void admin_turn(Admin *admin)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    (void)MHD_run(admin->daemon); /* fails only where it has threads of its own */
    if (MHD_get_timeout(admin->daemon, &wait_ms) == MHD_YES) {
        (void)uv_timer_start(&admin->timer, admin_timer_due, wait_ms, 0); /* fails only without callback */
    } else {
        uv_timer_stop(&admin->timer);
    }
}

static void admin_timer_due(uv_timer_t *timer)
{
    admin_turn(timer->data);
}

static void admin_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    admin_turn(poll->data);
}

/* ---- Opening and closing ---- */

static Status admin_start(Admin *admin, Error *out_error)
{
    int listener = -1;
    Status status = admin_socket_open(admin->options.address, &listener, &admin->port, out_error);
    if (status) return status;
    /* Closes the socket at its end. Without an error log: what clients do wrong is theirs. */
    admin->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, admin_handle, admin, MHD_OPTION_LISTEN_SOCKET, listener,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_IDLE_S_MAX,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_CONNECTION_BYTES_MAX, MHD_OPTION_END);
    if (!admin->daemon)
        return error_set(out_error, STATUS_INTERNAL, "%s: HTTP cannot be served", admin->options.address);
    return STATUS_OK;
}

static Status admin_watch(Admin *admin, uv_loop_t *loop, Error *out_error)
{
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int failed = epoll ? uv_poll_init(loop, &admin->poll, epoll->epoll_fd) : UV_EINVAL;
    if (failed) return error_set(out_error, STATUS_INTERNAL, "HTTP on the loop: %s", uv_strerror(failed));
    uv_timer_init(loop, &admin->timer);
    admin->handle_count = 2;
    admin->poll.data = admin;
    admin->timer.data = admin;
    failed = uv_poll_start(&admin->poll, UV_READABLE, admin_ready);
    if (failed) return error_set(out_error, STATUS_INTERNAL, "HTTP on the loop: %s", uv_strerror(failed));
    admin_turn(admin);
    return STATUS_OK;
}

Status admin_open(const AdminOptions *options, uv_loop_t *loop, Admin **out_admin, Error *out_error)
{
    Admin *admin = calloc(1, sizeof *admin);
    if (!admin) return error_set(out_error, STATUS_NO_MEMORY, "HTTP: out of memory");
    admin->options = *options;
    Status status = admin_start(admin, out_error);
    if (!status) status = admin_watch(admin, loop, out_error);
    if (status) {
        admin_close(admin);
        return status;
    }
    *out_admin = admin;
    return STATUS_OK;
}

int admin_port(const Admin *admin)
{
    return admin->port;
}

static void admin_handle_closed(uv_handle_t *handle)
{
    Admin *admin = handle->data;
    if (--admin->handle_count == 0) free(admin);
}

/* The loop stops watching before the descriptor is closed. */
void admin_close(Admin *admin)
{
    if (!admin) return;
    if (admin->handle_count) {
        uv_close((uv_handle_t *)&admin->poll, admin_handle_closed);
        uv_close((uv_handle_t *)&admin->timer, admin_handle_closed);
    }
    if (admin->daemon) MHD_stop_daemon(admin->daemon);
    if (admin->handle_count == 0) free(admin);
}
