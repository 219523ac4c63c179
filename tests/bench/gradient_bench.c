/* What integrated gradients cost, on one thread:
 *     gradient_bench MODEL [TOKENS [POINTS]]
 * Prints processor time of the forward passes of as many copies of a text alone, and of integrated gradients with all
 * their steps; the ratio is about 3, since a way back is two passes' products. */
#include "explain/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TOKENS_MAX = 512, BATCH_TOKENS = 256 };

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Seconds of `count` forward passes, in batches. */
static double bench_forward(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                            uint32_t count)
{
    EncoderSequence copies[GRADIENT_COPIES_MAX];
    uint32_t together = gradient_batch_copies(sequence->token_count, count);
    for (uint32_t i = 0; i < together; i++) copies[i] = *sequence;
    double start = bench_now();
    for (uint32_t done = 0; done < count; done += together)
        encoder_forward(encoder, workspace, NULL, copies, count - done < together ? count - done : together);
    return bench_now() - start;
}

/* Seconds of a path from end to end, and its longest step. */
static double bench_path(const PathSpec *spec, EncoderWorkspace *workspace, const EncoderTarget *target,
                         double *out_longest, Error *error)
{
    Arena arena;
    Path *path;
    bool done = false;
    double start = bench_now();
    *out_longest = 0.0;
    arena_init(&arena, path_bytes(spec));
    if (path_open(spec, &arena, &path, error)) return -1.0;
    while (!done) {
        double before = bench_now();
        done = path_step(path, workspace, NULL, target);
        if (bench_now() - before > *out_longest) *out_longest = bench_now() - before;
    }
    double seconds = bench_now() - start;
    arena_free(&arena);
    return seconds;
}

static Status bench_run(const Encoder *encoder, EncoderWorkspace *workspace, uint32_t token_count,
                        uint32_t point_count, Error *error)
{
    static uint32_t ids[TOKENS_MAX];
    static uint32_t baseline[TOKENS_MAX];
    static uint8_t types[TOKENS_MAX];
    static float direction[BATCH_TOKENS * 64];
    SentenceConfig sentence = {.pooling_count = 1, .poolings = {POOLING_MEAN}};
    uint64_t vocabulary = encoder_word_embeddings(encoder)->shape[0];
    for (uint32_t i = 0; i < token_count; i++) ids[i] = (uint32_t)((i * UINT64_C(7919) + 1) % vocabulary);
    for (size_t i = 0; i < encoder_hidden_size(encoder); i++) direction[i] = 1.0f;
    EncoderTarget target = {
        .sentence = &sentence, .direction = direction, .dimensions = encoder_hidden_size(encoder)};
    PathSpec spec = {.encoder = encoder,
                     .sequence = {.ids = ids, .type_ids = types, .token_count = token_count},
                     .baseline = baseline,
                     .point_count = point_count};
    double longest;
    double forward = bench_forward(encoder, workspace, &spec.sequence, point_count);
    forward = bench_forward(encoder, workspace, &spec.sequence, point_count);
    double path = bench_path(&spec, workspace, &target, &longest, error);
    if (path < 0) return error->status;
    printf("%u tokens, %u points: forward passes %.3f s, integrated gradients %.3f s, %.2f times; "
           "longest step %.1f ms; %.1f MiB\n",
           token_count, point_count, forward, path, path / forward, longest * 1e3,
           (double)path_bytes(&spec) / (1 << 20));
    return STATUS_OK;
}

int main(int argument_count, char **arguments)
{
    Error error;
    Checkpoint *checkpoint = NULL;
    Encoder *encoder = NULL;
    EncoderWorkspace *workspace = NULL;
    int token_count = argument_count > 2 ? atoi(arguments[2]) : 128;
    int point_count = argument_count > 3 ? atoi(arguments[3]) : PATH_POINTS_DEFAULT;
    if (argument_count < 2 || token_count < 1 || token_count > TOKENS_MAX || point_count < 1) {
        fprintf(stderr, "usage: gradient_bench MODEL [TOKENS [POINTS]]\n");
        return 2;
    }
    uint32_t capacity = token_count > BATCH_TOKENS ? (uint32_t)token_count : BATCH_TOKENS;
    Status status = checkpoint_open(arguments[1], &checkpoint, &error);
    if (!status) status = encoder_open(checkpoint, kernels_select(KERNELS_ALL), &encoder, &error);
    if (!status) status = encoder_check_backward(encoder, &error);
    if (!status) status = encoder_workspace_open(encoder, capacity, &workspace, &error);
    if (!status) status = bench_run(encoder, workspace, (uint32_t)token_count, (uint32_t)point_count, &error);
    if (status) fprintf(stderr, "%s\n", error.message);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    checkpoint_close(checkpoint);
    return status ? 1 : 0;
}
