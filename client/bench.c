/* `headlight bench`: loads a server with embed requests and says how it did. */
#include "base/clock.h"
#include "batch.h"
#include "bench_report.h"
#include "call.h"
#include "interrupt.h"

#include <stdlib.h>
#include <unistd.h>

#define BENCH_DURATION_DEFAULT_NS (10 * NS_PER_S)
enum {
    BENCH_SECONDS_MAX = 7 * 86400,
    BENCH_TOKENS_MAX = 100000,
    BENCH_RATE_MAX = 1000000,
    BENCH_CALLERS_MAX = 10000
};

typedef enum BenchLengths { BENCH_FIXED, BENCH_MIXED } BenchLengths;
static const char *const bench_lengths_names[] = {"fixed", "mixed", NULL};

typedef struct BenchSettings {
    Settings common;
    uint64_t concurrency;
    double rate;
    uint64_t duration_ns, warmup_ns;
    uint64_t requests;
    uint64_t connections;
    uint64_t batch;
    const char *file;
    uint64_t tokens;
    uint64_t lengths; /* BenchLengths */
    uint64_t seed;
    bool progress;
} BenchSettings;

static const Option bench_options[] = {
    {"concurrency", "COUNT", NULL, OPTION_COUNT, offsetof(BenchSettings, concurrency), "8", 1, BENCH_CALLERS_MAX,
     NULL, "Closed loop: callers at once, each asking again when it is answered."},
    {"rate", "PER_SECOND", NULL, OPTION_NUMBER, offsetof(BenchSettings, rate), "0", 0, BENCH_RATE_MAX, NULL,
     "Open loop instead: requests a second, arriving at random whether or not others are answered; latencies "
     "count from\n"
     "      the moment a request should have been sent."},
    {"duration", "SECONDS", NULL, OPTION_SECONDS, offsetof(BenchSettings, duration_ns), "0", 0, BENCH_SECONDS_MAX,
     NULL, "How long to measure; 0: until --requests are sent, or 10 seconds."},
    {"requests", "COUNT", NULL, OPTION_COUNT, offsetof(BenchSettings, requests), "0", 0, 1e12, NULL,
     "Stop after so many measured requests; 0: no limit."},
    {"warmup", "SECONDS", NULL, OPTION_SECONDS, offsetof(BenchSettings, warmup_ns), "1", 0, BENCH_SECONDS_MAX,
     NULL, "Load without measuring first."},
    {"connections", "COUNT", NULL, OPTION_COUNT, offsetof(BenchSettings, connections), "1", 1,
     CHANNEL_CONNECTIONS_MAX, NULL, "Connections, which requests use in turn."},
    {"batch", "COUNT", NULL, OPTION_COUNT, offsetof(BenchSettings, batch), "1", 1, BATCH_TEXTS_MAX, NULL,
     "Texts in one request."},
    {"file", "FILE", NULL, OPTION_TEXT, offsetof(BenchSettings, file), NULL, 0, 0, NULL,
     "Texts from FILE, one a line (LF or CRLF), over and over; without it they are made of frequent English "
     "words."},
    {"tokens", "COUNT", NULL, OPTION_COUNT, offsetof(BenchSettings, tokens), "32", 1, BENCH_TOKENS_MAX, NULL,
     "Length of a made text, about."},
    {"lengths", "KIND", NULL, OPTION_CHOICE, offsetof(BenchSettings, lengths), "fixed", 0, 0, bench_lengths_names,
     "fixed: made texts have --tokens each; mixed: 4 to 256, evenly over the logarithm."},
    {"seed", "NUMBER", NULL, OPTION_COUNT, offsetof(BenchSettings, seed), "1", 0, 1e15, NULL,
     "The same seed makes the same texts and arrivals."},
    {"progress", NULL, NULL, OPTION_FLAG, offsetof(BenchSettings, progress), NULL, 0, 0, NULL,
     "A line a second on standard error, also when that is no terminal."},
};

static void bench_progress(void *context, const BenchResult *result, uint64_t elapsed_ns)
{
    const bool *terminal = context;
    if (*terminal) fputs("\r\033[K", stderr);
    bench_report_progress(stderr, result, elapsed_ns);
    if (!*terminal) putc('\n', stderr);
}

/* One request before the load: whoever is unreachable or refuses such texts says so once and clearly. */
static Status bench_probe(Channel *channel, const BenchSettings *settings, const BenchTexts *texts,
                          Error *out_error)
{
    CallRequest request = {"/headlight.v1.Inference/Embed", texts->requests[0].bytes, texts->requests[0].size};
    Arena arena;
    ProtobufCMessage *reply;
    Failure failure;
    Status status = call_bytes(channel, &settings->common, &request, &headlight__v1__embed_response__descriptor,
                               &arena, &reply, &failure, out_error);
    arena_free(&arena);
    return status;
}

static Status bench_measure(Channel *channel, const BenchSettings *settings, const BenchTexts *texts,
                            BenchResult *result, Error *out_error)
{
    bool terminal = isatty(STDERR_FILENO) != 0;
    bool progress = settings->progress || (terminal && !settings->common.quiet);
    BenchPlan plan = {
        .texts = texts,
        .batch = settings->batch,
        .concurrency = settings->concurrency,
        .rate = settings->rate,
        .warmup_ns = settings->warmup_ns,
        .duration_ns = settings->duration_ns,
        .request_count = settings->requests,
        .deadline_ns = settings->common.deadline_ns,
        .seed = settings->seed,
        .progress = progress ? bench_progress : NULL,
        .context = &terminal,
    };
    if (!plan.duration_ns && !plan.request_count) plan.duration_ns = BENCH_DURATION_DEFAULT_NS;
    Status status = bench_probe(channel, settings, texts, out_error);
    if (status == STATUS_OK) status = bench_load_run(channel, &plan, result, out_error);
    if (progress && terminal) fputs("\r\033[K", stderr);
    if (status != STATUS_OK) return status;
    BenchReport report = {channel_address(channel), settings->connections, &plan, result};
    bench_report_print(&report, (OutputFormat)settings->common.format);
    return output_flush(stdout, out_error);
}

static int bench_run(const void *values, char *const *arguments, size_t argument_count)
{
    const BenchSettings *settings = values;
    (void)arguments;
    (void)argument_count;
    BenchTextsOptions options = {
        .file = settings->file,
        .model = settings->common.model,
        .token_count = settings->lengths == BENCH_MIXED ? 0 : settings->tokens,
        .batch = settings->batch,
        .seed = settings->seed,
    };
    Error error;
    BenchTexts texts = {0};
    Channel *channel = NULL;
    BenchResult *result = calloc(1, sizeof *result);
    Status status = result ? STATUS_OK : error_set(&error, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK) status = bench_texts_make(&options, &texts, &error);
    if (status == STATUS_OK)
        status = channel_open(settings->common.address, settings->connections, &channel, &error);
    if (status == STATUS_OK) status = bench_measure(channel, settings, &texts, result, &error);
    if (status == STATUS_OK && interrupt_signal()) status = error_set(&error, STATUS_CANCELLED, "interrupted");
    if (status == STATUS_OK && result->answered_count == 0) {
        status = error_set(&error, STATUS_UNAVAILABLE, "no request was answered");
    }
    channel_close(channel);
    bench_texts_free(&texts);
    free(result);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

const Command bench_command = {
    .name = "bench",
    .arguments = "",
    .summary = "Load the server and measure throughput and latency",
    .details = "Sends embed requests in a closed loop (--concurrency) or an open one (--rate) and prints "
               "requests, texts and\n"
               "tokens a second, and the latencies. Failures are counted by their code and not repeated.\n\n"
               "  headlight bench --concurrency 32 --batch 16 --tokens 128\n"
               "  headlight bench --rate 200 --lengths mixed --duration 60 --format json",
    .options = bench_options,
    .option_count = sizeof bench_options / sizeof *bench_options,
    .settings_size = sizeof(BenchSettings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_MODEL,
    .run = bench_run,
};
