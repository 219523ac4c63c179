/* Tokens a second of the forward pass, on one thread:
 *     encoder_bench MODEL [--cpu NAME] [--gemm NAME] [--lengths 128 | 1-256 | ...] [--batch TOKENS] [--texts N]
 *         [--seconds S]
 * `--lengths A-B` draws each text's length evenly from A to B; batches hold as many texts as fit. Prints one line:
 * tokens a second over the whole time, and in the best pass over the texts. */
#include "encoder/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_COUNT_MAX = 1024, TEXT_TOKENS_MAX = 512 };

typedef struct BenchOptions {
    const char *model;
    const char *cpu;
    const char *gemm;
    uint32_t length_min;
    uint32_t length_max;
    uint32_t batch_tokens;
    uint32_t text_count;
    double seconds;
} BenchOptions;

typedef struct BenchTexts {
    EncoderSequence sequences[TEXT_COUNT_MAX];
    uint32_t count;
    uint32_t ids[TEXT_TOKENS_MAX];
    uint8_t type_ids[TEXT_TOKENS_MAX];
    uint64_t token_count;
} BenchTexts;

/* Processor time, so that what else the machine does disturbs little. */
static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool bench_parse(int argument_count, char **arguments, BenchOptions *out_options)
{
    *out_options = (BenchOptions){.cpu = "auto",
                                  .gemm = "packed",
                                  .length_min = 128,
                                  .length_max = 128,
                                  .batch_tokens = 1024,
                                  .text_count = 32,
                                  .seconds = 1.0};
    if (argument_count % 2 != 0) return false;
    out_options->model = arguments[1];
    for (int i = 2; i < argument_count; i += 2) {
        const char *value = arguments[i + 1];
        if (strcmp(arguments[i], "--cpu") == 0)
            out_options->cpu = value;
        else if (strcmp(arguments[i], "--gemm") == 0)
            out_options->gemm = value;
        else if (strcmp(arguments[i], "--batch") == 0)
            out_options->batch_tokens = (uint32_t)atoi(value);
        else if (strcmp(arguments[i], "--texts") == 0)
            out_options->text_count = (uint32_t)atoi(value);
        else if (strcmp(arguments[i], "--seconds") == 0)
            out_options->seconds = atof(value);
        else if (strcmp(arguments[i], "--lengths") == 0) {
            out_options->length_min = out_options->length_max = (uint32_t)atoi(value);
            if (strchr(value, '-')) out_options->length_max = (uint32_t)atoi(strchr(value, '-') + 1);
        } else
            return false;
    }
    return out_options->length_min >= 1 && out_options->length_min <= out_options->length_max &&
           out_options->length_max <= TEXT_TOKENS_MAX && out_options->batch_tokens >= out_options->length_max &&
           out_options->text_count >= 1 && out_options->text_count <= TEXT_COUNT_MAX;
}

/* The same texts in every run: a linear congruential generator with a fixed start. */
static void bench_texts(const BenchOptions *options, uint32_t vocabulary_size, BenchTexts *out_texts)
{
    uint32_t state = 12345;
    out_texts->token_count = 0;
    out_texts->count = options->text_count;
    for (int i = 0; i < TEXT_TOKENS_MAX; i++) {
        state = state * 1664525u + 1013904223u;
        out_texts->ids[i] = (state >> 8) % vocabulary_size;
        out_texts->type_ids[i] = 0;
    }
    for (uint32_t i = 0; i < options->text_count; i++) {
        state = state * 1664525u + 1013904223u;
        uint32_t length = options->length_min + (state >> 8) % (options->length_max - options->length_min + 1);
        out_texts->sequences[i] =
            (EncoderSequence){.ids = out_texts->ids, .type_ids = out_texts->type_ids, .token_count = length};
        out_texts->token_count += length;
    }
}

static void bench_pass(const Encoder *encoder, EncoderWorkspace *workspace, const BenchTexts *texts,
                       uint32_t batch_tokens)
{
    uint32_t first = 0;
    while (first < texts->count) {
        uint32_t end = first;
        uint32_t tokens = 0;
        while (end < texts->count && tokens + texts->sequences[end].token_count <= batch_tokens)
            tokens += texts->sequences[end++].token_count;
        encoder_forward(encoder, workspace, NULL, texts->sequences + first, end - first);
        first = end;
    }
}

static void bench_run(const BenchOptions *options, const Encoder *encoder, EncoderWorkspace *workspace,
                      const BenchTexts *texts, const char *kernels)
{
    bench_pass(encoder, workspace, texts, options->batch_tokens);
    double start = bench_now();
    double best = 1e9;
    uint64_t passes = 0;
    do {
        double pass_start = bench_now();
        bench_pass(encoder, workspace, texts, options->batch_tokens);
        double pass = bench_now() - pass_start;
        if (pass < best) best = pass;
        passes++;
    } while (bench_now() - start < options->seconds);
    double tokens = (double)texts->token_count;
    printf("%.0f tokens/s, best pass %.0f tokens/s (%s, lengths %u-%u, batches of %u tokens)\n",
           tokens * (double)passes / (bench_now() - start), tokens / best, kernels, options->length_min,
           options->length_max, options->batch_tokens);
}

int main(int argument_count, char **arguments)
{
    BenchOptions options;
    if (!bench_parse(argument_count, arguments, &options)) {
        fprintf(stderr, "usage: encoder_bench MODEL [--cpu NAME] [--gemm NAME] [--lengths A[-B]] [--batch TOKENS] "
                        "[--texts N] [--seconds S]\n");
        return 2;
    }
    Error error;
    const Kernels *kernels;
    Checkpoint *checkpoint = NULL;
    Encoder *encoder = NULL;
    EncoderWorkspace *workspace = NULL;
    Status status = kernels_open(options.cpu, options.gemm, &kernels, &error);
    double start = bench_now();
    if (!status) status = checkpoint_open(options.model, &checkpoint, &error);
    if (!status) status = encoder_open(checkpoint, kernels, &encoder, &error);
    fprintf(stderr, "opened in %.1f ms\n", (bench_now() - start) * 1e3);
    if (!status) status = encoder_workspace_open(encoder, options.batch_tokens, &workspace, &error);
    if (!status) {
        BenchTexts texts;
        bench_texts(&options, checkpoint_config(checkpoint)->vocabulary_size, &texts);
        bench_run(&options, encoder, workspace, &texts, kernels_describe(kernels));
    } else
        fprintf(stderr, "%s\n", error.message);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    checkpoint_close(checkpoint);
    return status ? 1 : 0;
}
