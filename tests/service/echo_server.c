/* The transport with methods that need no model: what test_transport*.py attack. Arguments: addresses; options
 * before them:
 * --drain-ms N, --message-bytes N, --held-bytes N, --calls N, --body-ms N, --reply-ms N. Prints "port N" for each
 * address. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "rpc/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ECHO_WORKER_COUNT = 2 };

typedef struct EchoJob {
    struct EchoJob *next;
    RpcMessage *message;
    const uint8_t *wire;
    size_t size;
    size_t copies;
    uint64_t due_ns;
    bool fails;
} EchoJob;

typedef struct Echo {
    pthread_mutex_t lock;
    pthread_cond_t some;
    EchoJob *first; /* guarded by lock, in no order */
    bool closing;
    RpcServer *server;
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_signal_t serve;
    uint64_t drain_ns;
    size_t address_count;
    int status;
} Echo;

/* ---- Methods ---- */

static void echo_pack(void *context, uint8_t *buffer)
{
    const EchoJob *job = context;
    for (size_t i = 0; i < job->copies; i++) memcpy(buffer + i * job->size, job->wire, job->size);
}

static void echo_answer(EchoJob *job)
{
    if (job->fails) {
        Error error;
        (void)error_set(&error, STATUS_RESOURCE_EXHAUSTED, "refused for the test: \xC3\xA4 \xFF");
        error.retry_after_ns = 1500 * NS_PER_MS;
        rpc_message_fail(job->message, &error, "inputs[3].text");
        return;
    }
    rpc_message_reply(job->message, job->size * job->copies, echo_pack, job);
}

static EchoJob echo_job(RpcMessage *message, const uint8_t *wire, size_t size)
{
    return (EchoJob){.message = message, .wire = wire, .size = size, .copies = 1};
}

static void echo_unary(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    (void)context;
    EchoJob job = echo_job(message, wire, size);
    echo_answer(&job);
}

/* The message begins with the number of copies in 8 bytes. */
static void echo_big(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    (void)context;
    uint64_t copies = 1;
    if (size >= sizeof copies) memcpy(&copies, wire, sizeof copies);
    EchoJob job = echo_job(message, wire, size);
    job.copies = copies;
    echo_answer(&job);
}

static void echo_fail(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    (void)context;
    EchoJob job = echo_job(message, wire, size);
    job.fails = true;
    echo_answer(&job);
}

/* Answered by a worker after as many milliseconds as the message's digits say; "fail" fails there. */
static void echo_slow(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    Echo *echo = context;
    EchoJob *job = arena_allocate(rpc_message_arena(message), sizeof *job);
    *job = echo_job(message, wire, size);
    uint64_t delay_ms = 0;
    for (size_t i = 0; i < size && i < 6 && wire[i] >= '0' && wire[i] <= '9'; i++) {
        delay_ms = delay_ms * 10 + wire[i] - '0';
    }
    job->due_ns = rpc_message_arrived_ns(message) + delay_ms * NS_PER_MS;
    job->fails = size == 4 && memcmp(wire, "fail", 4) == 0;
    pthread_mutex_lock(&echo->lock);
    job->next = echo->first;
    echo->first = job;
    pthread_cond_signal(&echo->some);
    pthread_mutex_unlock(&echo->lock);
}

/* A job that is due or whose client has gone; NULL: none. Under the lock. */
static EchoJob *echo_take(Echo *echo)
{
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    for (EchoJob **link = &echo->first; *link; link = &(*link)->next) {
        EchoJob *job = *link;
        if (echo->closing || job->due_ns <= now_ns || atomic_load(rpc_message_cancelled(job->message))) {
            *link = job->next;
            return job;
        }
    }
    return NULL;
}

static void *echo_work(void *context)
{
    Echo *echo = context;
    pthread_mutex_lock(&echo->lock);
    for (;;) {
        EchoJob *job = echo_take(echo);
        if (job) {
            pthread_mutex_unlock(&echo->lock);
            echo_answer(job);
            pthread_mutex_lock(&echo->lock);
        } else if (echo->closing) {
            break;
        } else if (!echo->first) {
            pthread_cond_wait(&echo->some, &echo->lock);
        } else {
            pthread_mutex_unlock(&echo->lock);
            usleep(1000);
            pthread_mutex_lock(&echo->lock);
        }
    }
    pthread_mutex_unlock(&echo->lock);
    return NULL;
}

/* ---- Life ---- */

static void echo_drained(void *context, uint64_t cancelled)
{
    Echo *echo = context;
    RpcServerGauge gauge = rpc_server_gauge(echo->server);
    printf("drained cancelled %llu live %llu held %llu total %llu rejected %llu\n", (unsigned long long)cancelled,
           (unsigned long long)gauge.calls_live, (unsigned long long)gauge.held_bytes,
           (unsigned long long)gauge.calls_total, (unsigned long long)gauge.calls_rejected);
    fflush(stdout);
    if (gauge.calls_live || gauge.held_bytes) echo->status = 3;
    uv_close((uv_handle_t *)&echo->terminate, NULL);
    uv_close((uv_handle_t *)&echo->serve, NULL);
    uv_stop(&echo->loop);
}

static void echo_terminate(uv_signal_t *handle, int number)
{
    (void)number;
    Echo *echo = handle->data;
    static bool again;
    if (again) _exit(130);
    again = true;
    rpc_server_shutdown(echo->server, echo->drain_ns, echo_drained, echo);
}

static void echo_toggle(uv_signal_t *handle, int number)
{
    (void)number;
    Echo *echo = handle->data;
    static bool serving;
    serving = !serving;
    rpc_server_set_serving(echo->server, NULL, serving);
}

static int echo_options(int count, char **arguments, Echo *echo, RpcServerOptions *options)
{
    int i = 1;
    for (; i + 1 < count && strncmp(arguments[i], "--", 2) == 0; i += 2) {
        uint64_t value = strtoull(arguments[i + 1], NULL, 10);
        const char *name = arguments[i];
        if (strcmp(name, "--drain-ms") == 0) echo->drain_ns = value * NS_PER_MS;
        if (strcmp(name, "--message-bytes") == 0) options->message_bytes_max = value;
        if (strcmp(name, "--held-bytes") == 0) options->held_bytes_max = value;
        if (strcmp(name, "--calls") == 0) options->calls_max = (uint32_t)value;
        if (strcmp(name, "--body-ms") == 0) options->body_timeout_ns = value * NS_PER_MS;
        if (strcmp(name, "--reply-ms") == 0) options->reply_timeout_ns = value * NS_PER_MS;
        if (strcmp(name, "--handshake-ms") == 0) options->handshake_timeout_ns = value * NS_PER_MS;
    }
    return i;
}

static int echo_open(int count, char **arguments, Echo *echo)
{
    const RpcMethod methods[] = {
        {"/test.Echo/Unary", RPC_UNARY, echo_unary, echo, NULL},
        {"/test.Echo/Big", RPC_UNARY, echo_big, echo, NULL},
        {"/test.Echo/Fail", RPC_UNARY, echo_fail, echo, NULL},
        {"/test.Echo/Slow", RPC_UNARY, echo_slow, echo, NULL},
        {"/test.Echo/Stream", RPC_BIDI, echo_unary, echo, NULL},
        {"/test.Echo/BigStream", RPC_BIDI, echo_big, echo, NULL},
        {"/test.Echo/SlowStream", RPC_BIDI, echo_slow, echo, NULL},
    };
    RpcServerOptions options = rpc_server_options_default();
    int first = echo_options(count, arguments, echo, &options);
    options.addresses = (const char *const *)arguments + first;
    options.address_count = (size_t)(count - first);
    options.methods = methods;
    options.method_count = sizeof methods / sizeof *methods;
    Error error;
    if (rpc_server_open(&options, &echo->loop, &echo->server, &error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", status_name(error.status), error.message);
        return 1;
    }
    echo->address_count = options.address_count;
    return 0;
}

static void echo_listen_signals(Echo *echo)
{
    uv_signal_init(&echo->loop, &echo->terminate);
    uv_signal_init(&echo->loop, &echo->serve);
    echo->terminate.data = echo;
    echo->serve.data = echo;
    uv_signal_start(&echo->terminate, echo_terminate, SIGTERM);
    uv_signal_start(&echo->serve, echo_toggle, SIGUSR1);
}

/* Who reads them may send a signal at once. */
static void echo_tell_ports(const Echo *echo)
{
    for (size_t i = 0; i < echo->address_count; i++) printf("port %d\n", rpc_server_port(echo->server, i));
    fflush(stdout);
}

int main(int count, char **arguments)
{
    static Echo echo = {.drain_ns = 10 * NS_PER_S};
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&echo.lock, NULL);
    pthread_cond_init(&echo.some, NULL);
    uv_loop_init(&echo.loop);
    echo.status = echo_open(count, arguments, &echo);
    if (echo.status == 0) {
        pthread_t workers[ECHO_WORKER_COUNT];
        for (int i = 0; i < ECHO_WORKER_COUNT; i++) pthread_create(&workers[i], NULL, echo_work, &echo);
        echo_listen_signals(&echo);
        echo_tell_ports(&echo);
        uv_run(&echo.loop, UV_RUN_DEFAULT);
        pthread_mutex_lock(&echo.lock);
        echo.closing = true;
        pthread_cond_broadcast(&echo.some);
        pthread_mutex_unlock(&echo.lock);
        for (int i = 0; i < ECHO_WORKER_COUNT; i++) pthread_join(workers[i], NULL);
        rpc_server_close(echo.server);
    }
    uv_run(&echo.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&echo.loop)) return 4;
    pthread_cond_destroy(&echo.some);
    pthread_mutex_destroy(&echo.lock);
    return echo.status;
}
