/* `headlight health`: whether the server serves; made for container health checks. */
#include "base/clock.h"
#include "call.h"
#include "output.h"

#include <grpc/health/v1/health.pb-c.h>

#define HEALTH_POLL_NS (100 * NS_PER_MS)
#define HEALTH_WAIT_S_MAX 86400

static const char health_method[] = "/grpc.health.v1.Health/Check";

typedef struct HealthSettings {
    Settings common;
    const char *service;
    uint64_t wait_ns;
} HealthSettings;

static const Option health_options[] = {
    {"service", "NAME", NULL, OPTION_TEXT, offsetof(HealthSettings, service), "", 0, 0, NULL,
     "The service to ask for, for example headlight.v1.Inference; without it the whole server."},
    {"wait", "SECONDS", NULL, OPTION_SECONDS, offsetof(HealthSettings, wait_ns), "0", 0, HEALTH_WAIT_S_MAX, NULL,
     "Ask again until the server serves, this long at most."},
};

static const char *health_name(Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    switch (status) {
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING:
        return "SERVING";
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING:
        return "NOT_SERVING";
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN:
        return "SERVICE_UNKNOWN";
    default:
        return "UNKNOWN";
    }
}

/* Asks once. *out_name is static. */
static Status health_check(Channel *channel, const HealthSettings *settings, const char **out_name,
                           Error *out_error)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = codec_text(text_view(settings->service));
    Arena arena;
    ProtobufCMessage *reply;
    Status status = call_message(channel, &settings->common, health_method, &request.base,
                                 &grpc__health__v1__health_check_response__descriptor, &arena, &reply, out_error);
    if (status == STATUS_OK)
        *out_name = health_name(((const Grpc__Health__V1__HealthCheckResponse *)reply)->status);
    arena_free(&arena);
    return status;
}

static Status health_await(Channel *channel, HealthSettings *settings, const char **out_name, Error *out_error)
{
    uint64_t until_ns = clock_now_ns(&clock_monotonic) + settings->wait_ns;
    settings->common.retry_count = 0; /* the loop below repeats by itself */
    for (;;) {
        Status status = health_check(channel, settings, out_name, out_error);
        if (status == STATUS_OK && strcmp(*out_name, "SERVING") == 0) return STATUS_OK;
        if (clock_now_ns(&clock_monotonic) >= until_ns) return status;
        status = call_sleep(channel, clock_now_ns(&clock_monotonic) + HEALTH_POLL_NS, out_error);
        if (status != STATUS_OK) return status;
    }
}

static void health_print(const HealthSettings *settings, const char *name)
{
    if (settings->common.format == OUTPUT_TEXT) {
        puts(name);
        return;
    }
    fputs("{\"service\":", stdout);
    output_json_text(stdout, text_view(settings->service));
    printf(",\"status\":\"%s\"}\n", name);
}

static int health_run(const void *values, char *const *arguments, size_t argument_count)
{
    HealthSettings settings = *(const HealthSettings *)values;
    (void)arguments;
    (void)argument_count;
    Error error;
    Channel *channel;
    if (call_open(&settings.common, &channel, &error) != STATUS_OK) return output_fail(&error);
    const char *name = NULL;
    Status status = health_await(channel, &settings, &name, &error);
    channel_close(channel);
    if (status != STATUS_OK) return output_fail(&error);
    health_print(&settings, name);
    status = output_flush(stdout, &error);
    if (status != STATUS_OK) return output_fail(&error);
    return strcmp(name, "SERVING") == 0 ? EXIT_DONE : EXIT_FAILED;
}

const Command health_command = {
    .name = "health",
    .arguments = "",
    .summary = "Ask whether the server serves: exit code 0 when it does, 1 otherwise",
    .details = "In a Dockerfile: HEALTHCHECK CMD [\"headlight\", \"health\", \"--deadline\", \"2\"]\n"
               "In a script:     headlight health --wait 30 && ...",
    .options = health_options,
    .option_count = sizeof health_options / sizeof *health_options,
    .settings_size = sizeof(HealthSettings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER,
    .run = health_run,
};
