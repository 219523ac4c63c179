/* A server's life without clients: whatever fails at its start is taken back, and closing needs no shutdown. */
#include "rpc/server.h"

#include "base/clock.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void nothing(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    (void)context;
    (void)wire;
    (void)size;
    Error error;
    (void)error_set(&error, STATUS_INTERNAL, "nothing");
    rpc_message_fail(message, &error, NULL);
}

static const RpcMethod methods[] = {{"/test.Life/Nothing", RPC_UNARY, nothing, NULL, NULL}};
static const char *const any_port[] = {"127.0.0.1:0"};

static RpcServerOptions options_for(const char *const *addresses, size_t count)
{
    RpcServerOptions options = rpc_server_options_default();
    options.addresses = addresses;
    options.address_count = count;
    options.methods = methods;
    options.method_count = 1;
    return options;
}

static Status open_server(const RpcServerOptions *options, uv_loop_t *loop, RpcServer **out_server, Error *error)
{
    assert_int_equal(uv_loop_init(loop), 0);
    return rpc_server_open(options, loop, out_server, error);
}

/* The loop ends by itself, for nothing of the server is left in it. */
static void end_loop(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void server_opens_and_closes_without_a_shutdown(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        uv_loop_t loop;
        RpcServer *server;
        Error error;
        RpcServerOptions options = options_for(any_port, 1);
        assert_int_equal(open_server(&options, &loop, &server, &error), STATUS_OK);
        assert_in_range(rpc_server_port(server, 0), 1, 65535);
        assert_int_equal(rpc_server_gauge(server).calls_live, 0);
        rpc_server_set_serving(server, "test.Life", true);
        rpc_server_close(server);
        end_loop(&loop);
    }
    rpc_server_close(NULL);
}

static void count_drained(void *context, uint64_t cancelled)
{
    assert_int_equal(cancelled, 0);
    ++*(int *)context;
}

static void server_tells_once_that_it_is_drained(void **state)
{
    (void)state;
    uv_loop_t loop;
    RpcServer *server;
    Error error;
    int drained = 0;
    RpcServerOptions options = options_for(any_port, 1);
    assert_int_equal(open_server(&options, &loop, &server, &error), STATUS_OK);
    rpc_server_shutdown(server, NS_PER_S, count_drained, &drained);
    rpc_server_set_serving(server, NULL, true); /* without effect */
    while (!drained) uv_run(&loop, UV_RUN_ONCE);
    rpc_server_close(server);
    end_loop(&loop);
    assert_int_equal(drained, 1);
}

static void server_says_which_address_fails_and_why(void **state)
{
    (void)state;
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    assert_int_equal(bind(taken, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(taken, 1), 0);
    getsockname(taken, (struct sockaddr *)&name, &size);
    char in_use[32];
    snprintf(in_use, sizeof in_use, "127.0.0.1:%d", ntohs(name.sin_port));
    const struct {
        const char *address;
        Status status;
    } cases[] = {
        {in_use, STATUS_UNAVAILABLE},
        {"192.0.2.1:50051", STATUS_INVALID_ARGUMENT},
        {"unix:/nonexistent/socket", STATUS_FAILED_PRECONDITION},
        {"127.0.0.1", STATUS_INVALID_ARGUMENT},
        {"127.0.0.1:", STATUS_INVALID_ARGUMENT},
        {"127.0.0.1:65536", STATUS_INVALID_ARGUMENT},
        {"::1:50051", STATUS_INVALID_ARGUMENT},
        {"[::1:50051", STATUS_INVALID_ARGUMENT},
        {"", STATUS_INVALID_ARGUMENT},
        {":", STATUS_INVALID_ARGUMENT},
        {"no host:1", STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uv_loop_t loop;
        RpcServer *server = NULL;
        Error error;
        const char *const addresses[] = {"127.0.0.1:0", cases[i].address};
        RpcServerOptions options = options_for(addresses, 2);
        assert_int_equal(open_server(&options, &loop, &server, &error), cases[i].status);
        assert_null(server);
        assert_non_null(strstr(error.message, cases[i].address));
        end_loop(&loop);
    }
    close(taken);
}

static void server_refuses_options_out_of_range(void **state)
{
    (void)state;
    RpcServerOptions good = options_for(any_port, 1);
    RpcServerOptions wrong[8];
    for (int i = 0; i < 8; i++) wrong[i] = good;
    wrong[0].address_count = 0;
    wrong[1].message_bytes_max = MESSAGE_BYTES_MAX_LIMIT + 1;
    wrong[2].reply_bytes_max = 0;
    wrong[3].held_bytes_max = wrong[3].message_bytes_max - 1;
    wrong[4].calls_max = 0;
    wrong[5].stream_window = 0;
    wrong[6].body_timeout_ns = 0;
    wrong[7].address_count = 1000;
    for (int i = 0; i < 8; i++) {
        uv_loop_t loop;
        RpcServer *server;
        Error error;
        assert_int_equal(open_server(&wrong[i], &loop, &server, &error), STATUS_INVALID_ARGUMENT);
        end_loop(&loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_opens_and_closes_without_a_shutdown),
        cmocka_unit_test(server_tells_once_that_it_is_drained),
        cmocka_unit_test(server_says_which_address_fails_and_why),
        cmocka_unit_test(server_refuses_options_out_of_range),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
