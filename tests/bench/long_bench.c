/* What long inputs cost, on one thread, in processor time:
 *     long_bench MODEL [--part model | products | attention] [--lengths 512,1024,...] [--rounds N] [--cpu NAME]
 * For a checkpoint (long_shapes.py makes some), prints a line a measurement: the part, what it is, tokens, the seconds
 * of the best round, and MiB. The parts:
 *     model      the whole forward pass of one text, a Longformer's first token global; the peak of the resident set
 *                beyond the weights and T x hidden
 *     products   all layers' products with weights alone, as large as the text: by our kernels, OpenBLAS, oneDNN
 *     attention  one layer's attention alone in the patterns that we serve; its scratch
 * A long measurement takes one round, so that best is then what it took. */
#include "attention/attention.h"
#include "encoder/encoder.h"
#include "kernels/gemm.h"
#include "long_products.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LENGTH_COUNT_MAX = 16,
    PATTERN_REACH = 256, /* as Longformer and BigBird were published */
    PATTERN_BLOCK = 64,
    PATTERN_BLOCK_REPEATS = 3,
    PATTERN_GLOBALS = 64, /* the most of those below */
    WARM_TOKENS = 1024,
    WEIGHTS_PER_LAYER = 4,
};

typedef struct LongBench {
    const char *model, *part, *cpu;
    uint32_t lengths[LENGTH_COUNT_MAX];
    int length_count;
    int rounds;
    const Kernels *kernels, *openblas;
    Checkpoint *checkpoint;
    Encoder *encoder;
    const ModelConfig *config;
} LongBench;

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void bench_print(const char *part, const char *what, uint32_t tokens, double seconds, uint64_t bytes)
{
    printf("%-9s %-24s %6u tokens %10.5f s %9.2f MiB\n", part, what, tokens, seconds, (double)bytes / 0x1p20);
    fflush(stdout);
}

static float *bench_floats(size_t count)
{
    float *values = aligned_alloc(64, (count * sizeof *values + 63) / 64 * 64);
    if (!values) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-24f - 0.5f;
    }
    return values;
}

/* A line of /proc/self/status, in bytes. */
static uint64_t bench_resident(const char *line)
{
    FILE *file = fopen("/proc/self/status", "r");
    char text[256];
    uint64_t bytes = 0;
    while (file && fgets(text, sizeof text, file))
        if (strncmp(text, line, strlen(line)) == 0) bytes = strtoull(text + strlen(line), NULL, 10) * 1024;
    if (file) fclose(file);
    return bytes;
}

/* From here on, VmHWM is the peak of what comes. */
static void bench_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file) return;
    fputs("5", file);
    fclose(file);
}

typedef struct ProductShape {
    uint32_t columns, depth;
} ProductShape;

/* The shapes of a layer's products with weights: projections, attention's output, both of the MLP. */
static void bench_shapes(const ModelConfig *config, ProductShape shapes[WEIGHTS_PER_LAYER])
{
    uint32_t hidden = config->hidden_size;
    uint32_t heads = config->head_count * config->head_size;
    uint32_t keys = config->key_value_head_count * config->head_size;
    shapes[0] = (ProductShape){heads + 2 * keys, hidden};
    shapes[1] = (ProductShape){hidden, heads};
    shapes[2] = (ProductShape){config->intermediate_size * (config->gated ? 2 : 1), hidden};
    shapes[3] = (ProductShape){hidden, config->intermediate_size};
}

static void bench_read_row(const void *context, uint32_t column, float *out_row)
{
    const Product *product = context;
    memcpy(out_row, product->weights + (size_t)column * product->depth, product->depth * sizeof *out_row);
}

static GemmWeights bench_weights(const Kernels *kernels, const Product *product)
{
    float *scratch = bench_floats(gemm_scratch_size(kernels, product->depth));
    float *storage = bench_floats(gemm_weights_size(kernels, product->columns, product->depth));
    GemmWeights weights =
        gemm_weights_read(kernels, product->columns, product->depth, bench_read_row, product, scratch, storage);
    free(scratch);
    return weights;
}

static double bench_gemm(const Kernels *kernels, const Product *product)
{
    GemmWeights weights = bench_weights(kernels, product);
    double start = bench_now();
    gemm_multiply(kernels, &weights, product->a, product->depth, product->rows, product->c, product->columns,
                  &(GemmEpilogue){0});
    double seconds = bench_now() - start;
    free((float *)(uintptr_t)weights.storage);
    return seconds;
}

typedef enum ProductLibrary { LIBRARY_OURS, LIBRARY_OPENBLAS, LIBRARY_ONEDNN, LIBRARY_COUNT } ProductLibrary;

/* A product's seconds; below zero: the library is not there. */
static double bench_product(const LongBench *bench, ProductLibrary library, const Product *product)
{
    if (library == LIBRARY_OURS) return bench_gemm(bench->kernels, product);
    if (library == LIBRARY_OPENBLAS) return bench->openblas ? bench_gemm(bench->openblas, product) : -1;
    double start = bench_now();
    return product_onednn(product) ? bench_now() - start : -1;
}

/* Seconds of one layer's products; the best of the rounds is taken product by product. */
static void bench_layer_products(const LongBench *bench, uint32_t tokens, double sums[LIBRARY_COUNT])
{
    ProductShape shapes[WEIGHTS_PER_LAYER];
    bench_shapes(bench->config, shapes);
    for (int i = 0; i < WEIGHTS_PER_LAYER; i++) {
        float *a = bench_floats((size_t)tokens * shapes[i].depth);
        float *weights = bench_floats((size_t)shapes[i].columns * shapes[i].depth);
        float *c = bench_floats((size_t)tokens * shapes[i].columns);
        Product product = {tokens, shapes[i].columns, shapes[i].depth, a, weights, c};
        double best[LIBRARY_COUNT] = {1e9, 1e9, 1e9};
        for (int round = 0; round <= bench->rounds; round++)
            for (int library = 0; library < LIBRARY_COUNT; library++) {
                double seconds = bench_product(bench, (ProductLibrary)library, &product);
                if (round && seconds < best[library]) best[library] = seconds;
            }
        for (int library = 0; library < LIBRARY_COUNT; library++) sums[library] += best[library];
        free(a);
        free(weights);
        free(c);
    }
}

static void bench_products(const LongBench *bench)
{
    static const char *const names[LIBRARY_COUNT] = {"ours", "OpenBLAS", "oneDNN"};
    for (int i = 0; i < bench->length_count; i++) {
        double sums[LIBRARY_COUNT] = {0};
        bench_layer_products(bench, bench->lengths[i], sums);
        for (int library = 0; library < LIBRARY_COUNT; library++)
            if (sums[library] >= 0)
                bench_print("products", names[library], bench->lengths[i],
                            sums[library] * bench->config->layer_count, 0);
    }
}

/* With the keys and values laid out first, as the encoder does. */
static double bench_attention_once(const LongBench *bench, const AttentionPlan *plan, AttentionRows rows,
                                   float *panels, float *scratch)
{
    double start = bench_now();
    attention_panels_pack(bench->kernels, plan, &rows, 0, rows.token_count, panels);
    rows.panels = panels;
    for (uint32_t first = 0; first < rows.token_count; first += ATTENTION_QUERY_BLOCK) {
        AttentionRows block = rows;
        block.queries += first * rows.query_stride;
        block.first_query = first;
        block.query_count =
            rows.token_count - first < ATTENTION_QUERY_BLOCK ? rows.token_count - first : ATTENTION_QUERY_BLOCK;
        attention_forward(bench->kernels, plan, &block, scratch);
    }
    return bench_now() - start;
}

static void bench_attention_pattern(const LongBench *bench, const char *name, const AttentionPlan *plan,
                                    uint32_t tokens, uint32_t global_count)
{
    uint32_t globals[PATTERN_GLOBALS];
    for (uint32_t i = 0; i < global_count; i++) globals[i] = i * (tokens / global_count);
    size_t query_size = (size_t)plan->head_count * plan->head_size;
    size_t key_size = (size_t)plan->key_value_head_count * plan->head_size;
    size_t scratch_size = attention_scratch_size(bench->kernels, plan);
    float *queries = bench_floats(tokens * query_size);
    float *keys = bench_floats(tokens * 2 * key_size);
    float *panels = bench_floats(attention_panels_size(bench->kernels, plan, tokens));
    float *scratch = bench_floats(scratch_size);
    AttentionRows rows = {.queries = queries,
                          .query_stride = query_size,
                          .keys = keys,
                          .values = keys + key_size,
                          .key_stride = 2 * key_size,
                          .token_count = tokens,
                          .global_positions = globals,
                          .global_count = global_count};
    double best = 1e9;
    for (int round = 0; round < bench->rounds; round++) {
        double seconds = bench_attention_once(bench, plan, rows, panels, scratch);
        if (seconds < best) best = seconds;
    }
    bench_print("attention", name, tokens, best, scratch_size * sizeof *scratch);
    free(queries);
    free(keys);
    free(panels);
    free(scratch);
}

static void bench_attention(const LongBench *bench)
{
    AttentionPlan dense = {.head_count = bench->config->head_count,
                           .key_value_head_count = bench->config->key_value_head_count,
                           .head_size = bench->config->head_size,
                           .window_reach = ATTENTION_UNLIMITED,
                           .scale = 0.125f};
    AttentionPlan window = dense;
    window.window_reach = PATTERN_REACH;
    AttentionPlan blocks = dense;
    blocks.block_size = PATTERN_BLOCK;
    blocks.block_repeats = PATTERN_BLOCK_REPEATS;
    for (int i = 0; i < bench->length_count; i++) {
        bench_attention_pattern(bench, "dense", &dense, bench->lengths[i], 0);
        bench_attention_pattern(bench, "window of 512", &window, bench->lengths[i], 0);
        bench_attention_pattern(bench, "window, 1 global", &window, bench->lengths[i], 1);
        bench_attention_pattern(bench, "window, 64 global", &window, bench->lengths[i], PATTERN_GLOBALS);
        bench_attention_pattern(bench, "BigBird's blocks of 64", &blocks, bench->lengths[i], 0);
    }
}

/* Seconds of the best of some passes in one workspace, which a worker keeps from text to text; *out_peak_bytes: what
 * the resident set grew by at most, but for T x hidden. */
static double bench_passes(const LongBench *bench, uint32_t tokens, int rounds, uint64_t *out_peak_bytes)
{
    EncoderWorkspace *workspace = NULL;
    Error error;
    uint32_t *ids = calloc(tokens, sizeof *ids);
    uint8_t *types = calloc(tokens, sizeof *types);
    for (uint32_t i = 0; ids && i < tokens; i++) ids[i] = i % bench->config->vocabulary_size % WARM_TOKENS;
    uint64_t before = bench_resident("VmRSS:");
    bench_reset_peak();
    if (!ids || !types || encoder_workspace_open(bench->encoder, tokens, &workspace, &error)) {
        fprintf(stderr, "no memory for %u tokens\n", tokens);
        exit(1);
    }
    static const uint32_t first_token = 0;
    EncoderSequence sequence = {.ids = ids, .type_ids = types, .token_count = tokens};
    if (bench->config->attention == ATTENTION_PATTERN_LONGFORMER) {
        sequence.global_positions = &first_token;
        sequence.global_count = 1;
    }
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
        double start = bench_now();
        encoder_forward(bench->encoder, workspace, NULL, &sequence, 1);
        double seconds = bench_now() - start;
        if (seconds < best) best = seconds;
    }
    uint64_t grown = bench_resident("VmHWM:") - before;
    uint64_t hidden = (uint64_t)tokens * bench->config->hidden_size * sizeof(float);
    *out_peak_bytes = grown > hidden ? grown - hidden : 0;
    encoder_workspace_close(workspace);
    free(ids);
    free(types);
    return best;
}

static void bench_model(const LongBench *bench)
{
    uint64_t peak_bytes;
    bench_passes(bench, WARM_TOKENS, 1, &peak_bytes);
    for (int i = 0; i < bench->length_count; i++) {
        double best = bench_passes(bench, bench->lengths[i], bench->rounds, &peak_bytes);
        bench_print("model", bench->config->model_type, bench->lengths[i], best, peak_bytes);
    }
}

static bool bench_parse(int argument_count, char **arguments, LongBench *out_bench)
{
    *out_bench = (LongBench){.part = "", .cpu = "auto", .rounds = 3, .lengths = {512, 1024, 2048, 4096, 8192}};
    out_bench->length_count = 5;
    if (argument_count % 2 != 0) return false;
    out_bench->model = arguments[1];
    for (int i = 2; i < argument_count; i += 2) {
        char *value = arguments[i + 1];
        if (strcmp(arguments[i], "--part") == 0)
            out_bench->part = value;
        else if (strcmp(arguments[i], "--cpu") == 0)
            out_bench->cpu = value;
        else if (strcmp(arguments[i], "--rounds") == 0)
            out_bench->rounds = atoi(value);
        else if (strcmp(arguments[i], "--lengths") == 0) {
            out_bench->length_count = 0;
            for (char *next = strtok(value, ","); next && out_bench->length_count < LENGTH_COUNT_MAX;
                 next = strtok(NULL, ","))
                out_bench->lengths[out_bench->length_count++] = (uint32_t)atoi(next);
        } else
            return false;
    }
    return out_bench->rounds >= 1 && out_bench->length_count >= 1 && out_bench->lengths[0] >= 1;
}

static bool bench_wants(const LongBench *bench, const char *part)
{
    return !*bench->part || strcmp(bench->part, part) == 0;
}

int main(int argument_count, char **arguments)
{
    LongBench bench;
    if (!bench_parse(argument_count, arguments, &bench)) {
        fprintf(stderr,
                "usage: long_bench MODEL [--part model | products | attention] [--lengths N,...] [--rounds N] "
                "[--cpu NAME]\n");
        return 2;
    }
    Error error;
    Status status = kernels_open(bench.cpu, "packed", &bench.kernels, &error);
    if (!status) status = checkpoint_open(bench.model, &bench.checkpoint, &error);
    if (!status) status = encoder_open(bench.checkpoint, bench.kernels, &bench.encoder, &error);
    if (!status) {
        bench.config = checkpoint_config(bench.checkpoint);
        if (bench_wants(&bench, "model")) bench_model(&bench);
        if (bench_wants(&bench, "attention")) bench_attention(&bench);
        if (bench_wants(&bench, "products")) {
            if (kernels_open(bench.cpu, "openblas", &bench.openblas, &error)) bench.openblas = NULL;
            bench_products(&bench);
        }
    } else
        fprintf(stderr, "%s\n", error.message);
    encoder_close(bench.encoder);
    checkpoint_close(bench.checkpoint);
    return status ? 1 : 0;
}
