/* What looking on costs, on one thread, in processor time:
 *     explain_bench MODEL [--lengths 128,4096,...] [--rounds N] [--cpu NAME]
 * Prints a line a length and kind of the pooled row of all layers and heads: the seconds of the best pass of one text
 * without and with it, and the median of the pairs' ratios. Passes with and without take turns, so that what else the
 * machine does strikes both. long_shapes.py makes checkpoints for long texts. */
#include "explain/attention.h"
#include "explain/fan.h"
#include "explain/value_norm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LENGTH_COUNT_MAX = 16, ROUNDS_MAX = 1000 };

typedef struct ExplainBench {
    Encoder *encoder;
    EncoderWorkspace *workspace;
    uint32_t vocabulary_size;
    int rounds;
    uint32_t *ids;
    uint8_t *type_ids;
} ExplainBench;

typedef enum BenchKind {
    KIND_FIRST,
    KIND_MEAN,
    KIND_NORM_FIRST,
    KIND_NORM_MEAN,
    KIND_BOTH_MEAN,
    KIND_COUNT
} BenchKind;

static const char *const kind_names[KIND_COUNT] = {"attention, first row", "attention, mean row",
                                                   "value norm, first row", "value norm, mean row",
                                                   "both, mean row"};

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void bench_fail(const Error *error)
{
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static bool bench_first(const void *context, uint32_t row)
{
    (void)context;
    return row == 0;
}

static bool bench_all(const void *context, uint32_t row)
{
    (void)context, (void)row;
    return true;
}

static EncoderProbe *bench_probe(const ExplainBench *bench, BenchKind kind, uint32_t token_count, Arena *arena)
{
    static const ExplainSpec spec = {.rows = EXPLAIN_ROWS_POOLED};
    static ExplainSequence sequence;
    static ExplainFan fan;
    const ExplainAsked asked = {&spec, &sequence};
    bool mean = kind == KIND_MEAN || kind == KIND_NORM_MEAN || kind == KIND_BOTH_MEAN;
    ExplainAttention *attention;
    ExplainValueNorm *value_norm;
    Error error;
    sequence = (ExplainSequence){
        .encoder = bench->encoder, .token_count = token_count, .is_pooled = mean ? bench_all : bench_first};
    PooledRow *pooled = pooled_row_open(&asked, arena, &error);
    if (!pooled) bench_fail(&error);
    fan = (ExplainFan){0};
    explain_fan_add(&fan, pooled_row_probe(pooled));
    if (kind != KIND_NORM_FIRST && kind != KIND_NORM_MEAN) {
        if (explain_attention_open(&asked, pooled, arena, &attention, &error)) bench_fail(&error);
        explain_fan_add(&fan, explain_attention_probe(attention));
    }
    if (kind != KIND_FIRST && kind != KIND_MEAN) {
        if (explain_value_norm_open(&asked, pooled, arena, &value_norm, &error)) bench_fail(&error);
        explain_fan_add(&fan, explain_value_norm_probe(value_norm));
    }
    return explain_fan_probe(&fan);
}

/* Seconds of one pass; memory is opened outside of it, as a request's is. */
static double bench_pass(const ExplainBench *bench, uint32_t token_count, EncoderProbe *probe)
{
    EncoderSequence sequence = {
        .ids = bench->ids, .type_ids = bench->type_ids, .token_count = token_count, .probe = probe};
    double start = bench_now();
    encoder_forward(bench->encoder, bench->workspace, NULL, &sequence, 1);
    return bench_now() - start;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_kind(const ExplainBench *bench, BenchKind kind, uint32_t token_count)
{
    double ratios[ROUNDS_MAX];
    double best[2] = {1e9, 1e9};
    Arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    EncoderProbe *probe = bench_probe(bench, kind, token_count, &arena);
    bench_pass(bench, token_count, probe);
    for (int i = 0; i < bench->rounds; i++) {
        double plain = bench_pass(bench, token_count, NULL);
        double probed = bench_pass(bench, token_count, probe);
        if (plain < best[0]) best[0] = plain;
        if (probed < best[1]) best[1] = probed;
        ratios[i] = probed / plain;
    }
    arena_free(&arena);
    qsort(ratios, (size_t)bench->rounds, sizeof *ratios, bench_compare);
    printf("%5u tokens, %-22s %9.5f s, %9.5f s with it: %+5.1f %%, median %+5.1f %%\n", token_count,
           kind_names[kind], best[0], best[1], 100.0 * (best[1] / best[0] - 1.0),
           100.0 * (ratios[bench->rounds / 2] - 1.0));
    fflush(stdout);
}

static void bench_ids(ExplainBench *bench, uint32_t token_count)
{
    uint32_t state = 12345;
    bench->ids = calloc(token_count, sizeof *bench->ids);
    bench->type_ids = calloc(token_count, sizeof *bench->type_ids);
    if (!bench->ids || !bench->type_ids) exit(1);
    for (uint32_t i = 0; i < token_count; i++) {
        state = state * 1664525u + 1013904223u;
        bench->ids[i] = (state >> 8) % bench->vocabulary_size;
    }
}

int main(int argument_count, char **arguments)
{
    ExplainBench bench = {.rounds = 20};
    const char *cpu = "auto";
    char lengths[256] = "128";
    for (int i = 2; i + 1 < argument_count; i += 2) {
        if (strcmp(arguments[i], "--cpu") == 0) cpu = arguments[i + 1];
        if (strcmp(arguments[i], "--rounds") == 0) bench.rounds = atoi(arguments[i + 1]);
        if (strcmp(arguments[i], "--lengths") == 0) snprintf(lengths, sizeof lengths, "%s", arguments[i + 1]);
    }
    if (argument_count % 2 != 0 || bench.rounds < 1 || bench.rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: explain_bench MODEL [--lengths N,...] [--rounds N] [--cpu NAME]\n");
        return 2;
    }
    Error error;
    const Kernels *kernels;
    Checkpoint *checkpoint;
    if (kernels_open(cpu, "packed", &kernels, &error)) bench_fail(&error);
    if (checkpoint_open(arguments[1], &checkpoint, &error)) bench_fail(&error);
    if (encoder_open(checkpoint, kernels, &bench.encoder, &error)) bench_fail(&error);
    bench.vocabulary_size = checkpoint_config(checkpoint)->vocabulary_size;
    uint32_t token_max = checkpoint_config(checkpoint)->position_count;
    bench_ids(&bench, token_max);
    if (encoder_workspace_open(bench.encoder, token_max, &bench.workspace, &error)) bench_fail(&error);
    char *rest = NULL;
    for (char *length = strtok_r(lengths, ",", &rest); length; length = strtok_r(NULL, ",", &rest))
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            uint32_t tokens = (uint32_t)atoi(length);
            if (tokens >= 1 && tokens <= token_max) bench_kind(&bench, (BenchKind)kind, tokens);
        }
    free(bench.ids);
    free(bench.type_ids);
    encoder_workspace_close(bench.workspace);
    encoder_close(bench.encoder);
    checkpoint_close(checkpoint);
    return 0;
}
