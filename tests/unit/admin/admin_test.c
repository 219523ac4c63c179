/* Requests of a client in a thread of its own, as bytes, so that broken ones can be sent as well. */
#include "admin/admin.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Exchange {
    const char *request;
    size_t repeat; /* of the request, on one connection; answers are read to its end */
    int port;
    char reply[65536];
    uv_async_t done;
    bool ready;
} Exchange;

static bool exchange_ready(void *context)
{
    return ((Exchange *)context)->ready;
}

static void exchange_metrics(void *context, MetricsPage *page)
{
    (void)context;
    metrics_begin(page, "answer", METRICS_GAUGE, "Of everything");
    metrics_add(page, "answer", NULL, 0, 42);
}

static void *exchange_run(void *context)
{
    Exchange *exchange = context;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)exchange->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t size = 0;
    if (connect(client, (struct sockaddr *)&address, sizeof address) == 0) {
        for (size_t i = 0; i < exchange->repeat; i++) {
            if (send(client, exchange->request, strlen(exchange->request), MSG_NOSIGNAL) < 0) break;
        }
        /* Otherwise the server waits for more until the connection has been idle too long. */
        const char closing[] = "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        (void)send(client, closing, strlen(closing), MSG_NOSIGNAL); /* fails where it has closed already */
        shutdown(client, SHUT_WR);
        ssize_t got;
        while ((got = read(client, exchange->reply + size, sizeof exchange->reply - size - 1)) > 0)
            size += (size_t)got;
    }
    exchange->reply[size] = '\0';
    close(client);
    uv_async_send(&exchange->done);
    return NULL;
}

static void exchange_done(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
    uv_stop(async->loop);
}

/* What the server answers to `request`; the caller frees it. */
static Exchange *exchange(const char *request, size_t repeat, bool ready)
{
    Exchange *result = calloc(1, sizeof *result);
    uv_loop_t loop;
    Admin *admin = NULL;
    Error error;
    pthread_t thread;
    const AdminOptions options = {"127.0.0.1:0", exchange_ready, exchange_metrics, result};
    result->request = request;
    result->repeat = repeat;
    result->ready = ready;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(admin_open(&options, &loop, &admin, &error), STATUS_OK);
    result->port = admin_port(admin);
    assert_in_range(result->port, 1, 65535);
    assert_int_equal(uv_async_init(&loop, &result->done, exchange_done), 0);
    assert_int_equal(pthread_create(&thread, NULL, exchange_run, result), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    admin_close(admin);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return result;
}

static void assert_answer(const char *request, bool ready, const char *status, const char *text)
{
    Exchange *result = exchange(request, 1, ready);
    if (strncmp(result->reply, status, strlen(status)) != 0 || !strstr(result->reply, text)) {
        print_error("to %s came %s\n", request, result->reply);
        fail();
    }
    free(result);
}

static void admin_serves_metrics_and_probes(void **state)
{
    (void)state;
    assert_answer("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 200 ", "\nanswer 42\n");
    assert_answer("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 200 ",
                  "text/plain; version=0.0.4; charset=utf-8");
    assert_answer("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", false, "HTTP/1.1 200 ", "alive");
    assert_answer("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", false, "HTTP/1.1 503 ", "not ready");
    assert_answer("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 200 ", "ready");
    assert_answer("GET /readyz HTTP/1.0\r\n\r\n", true, "HTTP/1.", "ready");
    assert_answer("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 200 ", "answer 42");
}

static void admin_refuses_everything_else(void **state)
{
    (void)state;
    assert_answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 404 ", "/readyz");
    assert_answer("GET /metrics/../x HTTP/1.1\r\nHost: a\r\n\r\n", true, "HTTP/1.1 404 ", "");
    assert_answer("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", true, "HTTP/1.1 405 ",
                  "Allow: GET, HEAD");
    assert_answer("GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", true, "", "");
    assert_answer("\x16\x03\x01\x02 TLS?\r\n\r\n", true, "", "");
    assert_answer("", true, "", "");
}

static size_t answers(const char *reply)
{
    size_t count = 0;
    for (const char *at = reply; (at = strstr(at, "HTTP/1.1 200 ")); at++) count++;
    return count;
}

/* A client may ask again before it is answered. */
static void admin_answers_on_one_connection_in_order(void **state)
{
    (void)state;
    Exchange *result = exchange("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 20, true);
    assert_int_equal(answers(result->reply), 20);
    free(result);
}

static void admin_answers_no_body_to_head(void **state)
{
    (void)state;
    Exchange *result = exchange("HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n", 1, true);
    assert_int_equal(answers(result->reply), 1);
    assert_null(strstr(result->reply, "alive"));
    free(result);
}

/* A header that never ends costs no more than a connection's share. */
static void admin_bounds_a_header(void **state)
{
    (void)state;
    char *request = malloc(64 * 1024);
    memset(request, 'x', 64 * 1024);
    memcpy(request, "GET /livez HTTP/1.1\r\nA: ", 24);
    request[64 * 1024 - 1] = '\0';
    Exchange *result = exchange(request, 1, true);
    assert_int_equal(answers(result->reply), 0);
    free(result);
    free(request);
}

static void assert_refused(const char *address, Status status)
{
    uv_loop_t loop;
    Admin *admin = NULL;
    Error error = {0};
    const AdminOptions options = {.address = address};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(admin_open(&options, &loop, &admin, &error), status);
    assert_null(admin);
    assert_non_null(strstr(error.message, address));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void admin_names_an_address_it_cannot_take(void **state)
{
    (void)state;
    static const char *const wrong[] = {"9090",          ":9090",       "localhost:9090", "127.0.0.1",
                                        "127.0.0.1:",    "127.0.0.1:x", "1.2.3.4:65536",  "::1:9090",
                                        "[127.0.0.1]:1", "[::1:9090",   "192.0.2.1:9090", "[]:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_refused(wrong[i], STATUS_INVALID_ARGUMENT);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    char text[64];
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_refused(text, STATUS_UNAVAILABLE);
    close(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admin_serves_metrics_and_probes),
        cmocka_unit_test(admin_refuses_everything_else),
        cmocka_unit_test(admin_answers_on_one_connection_in_order),
        cmocka_unit_test(admin_answers_no_body_to_head),
        cmocka_unit_test(admin_bounds_a_header),
        cmocka_unit_test(admin_names_an_address_it_cannot_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
