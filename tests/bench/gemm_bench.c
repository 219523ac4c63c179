/* The rate of the products, and whether a row's bits depend on its company:
 *     gemm_bench [--cpu NAME] [--gemm NAME] [--milliseconds N]
 * Prints a table of GFLOP/s (the best call, in processor time): a line a shape, a column a number of rows. Then
 * places one row at many positions of products of many heights and counts the placements that gave other bits than
 * the first. */
#include "kernels/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS_MAX = 1024, COLUMNS_MAX = 3072, DEPTH_MAX = 3072, PLACEMENT_ROWS_MAX = 511 };

typedef struct BenchShape {
    uint32_t columns, depth;
} BenchShape;

static const BenchShape bench_shapes[] = {
    {1152, 384}, {384, 384}, {1536, 384}, {384, 1536}, {2304, 768}, {768, 768}, {3072, 768}, {768, 3072},
};
static const uint32_t bench_rows[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024};

enum {
    SHAPE_COUNT = sizeof bench_shapes / sizeof *bench_shapes,
    ROWS_COUNT = sizeof bench_rows / sizeof *bench_rows,
};

/* Room for the largest shape. */
typedef struct BenchBuffers {
    float *a, *rows, *storage, *scratch, *c;
} BenchBuffers;

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void bench_fill(float *values, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-24f - 0.5f;
    }
}

static void bench_read_row(const void *context, uint32_t column, float *out_row)
{
    const BenchShape *shape = ((const BenchShape *const *)context)[0];
    const float *rows = ((const float *const *)context)[1];
    memcpy(out_row, rows + (size_t)column * shape->depth, shape->depth * sizeof *out_row);
}

static GemmWeights bench_weights(const Kernels *kernels, const BenchShape *shape, const BenchBuffers *buffers)
{
    const void *context[] = {shape, buffers->rows};
    return gemm_weights_read(kernels, shape->columns, shape->depth, bench_read_row, context, buffers->scratch,
                             buffers->storage);
}

static double bench_rate(const Kernels *kernels, const GemmWeights *weights, const BenchBuffers *buffers,
                         uint32_t rows, double seconds)
{
    double start = bench_now();
    double best = 1e9;
    do {
        double call_start = bench_now();
        gemm_multiply(kernels, weights, buffers->a, weights->depth, rows, buffers->c, weights->columns,
                      &(GemmEpilogue){0});
        double call = bench_now() - call_start;
        if (call < best) best = call;
    } while (bench_now() - start < seconds);
    return 2e-9 * rows * weights->columns * weights->depth / best;
}

static void bench_table(const Kernels *kernels, const BenchBuffers *buffers, double seconds)
{
    printf("GFLOP/s, %s\n%-12s", kernels_describe(kernels), "N x K \\ M");
    for (int i = 0; i < ROWS_COUNT; i++) printf(" %6u", bench_rows[i]);
    printf("\n");
    for (int s = 0; s < SHAPE_COUNT; s++) {
        GemmWeights weights = bench_weights(kernels, &bench_shapes[s], buffers);
        printf("%-4u x %-5u", weights.columns, weights.depth);
        for (int i = 0; i < ROWS_COUNT; i++)
            printf(" %6.1f", bench_rate(kernels, &weights, buffers, bench_rows[i], seconds));
        printf("\n");
    }
}

/* One row of `a` at the start, in the middle and at the end of products of 1 to PLACEMENT_ROWS_MAX rows. */
static void bench_placements(const Kernels *kernels, const BenchBuffers *buffers)
{
    const BenchShape shape = {384, 1536};
    GemmWeights weights = bench_weights(kernels, &shape, buffers);
    size_t row_bytes = shape.depth * sizeof(float);
    float *row = buffers->a + (size_t)PLACEMENT_ROWS_MAX * shape.depth;
    float *saved = buffers->scratch;
    float expected[384];
    int different = 0;
    int placements = 0;
    gemm_multiply(kernels, &weights, row, shape.depth, 1, expected, shape.columns, &(GemmEpilogue){0});
    for (uint32_t rows = 1; rows <= PLACEMENT_ROWS_MAX; rows += rows < 40 ? 1 : 37)
        for (uint32_t part = 0; part < 4; part++) {
            uint32_t place = (uint32_t)((uint64_t)(rows - 1) * part / 3);
            float *target = buffers->a + (size_t)place * shape.depth;
            memcpy(saved, target, row_bytes);
            memcpy(target, row, row_bytes);
            gemm_multiply(kernels, &weights, buffers->a, shape.depth, rows, buffers->c, shape.columns,
                          &(GemmEpilogue){0});
            memcpy(target, saved, row_bytes);
            different += memcmp(buffers->c + (size_t)place * shape.columns, expected, sizeof expected) != 0;
            placements++;
        }
    printf("one row in %d placements: %d with other bits than alone\n", placements, different);
}

static bool bench_allocate(const Kernels *kernels, BenchBuffers *buffers)
{
    size_t a = (size_t)ROWS_MAX * DEPTH_MAX;
    size_t rows = (size_t)COLUMNS_MAX * 768;
    size_t c = (size_t)ROWS_MAX * COLUMNS_MAX;
    *buffers = (BenchBuffers){
        .a = aligned_alloc(64, a * sizeof(float)),
        .rows = aligned_alloc(64, rows * sizeof(float)),
        .storage = aligned_alloc(64, gemm_weights_size(kernels, COLUMNS_MAX, 768) * sizeof(float)),
        .scratch = aligned_alloc(64, gemm_scratch_size(kernels, DEPTH_MAX) * sizeof(float)),
        .c = aligned_alloc(64, c * sizeof(float)),
    };
    if (!buffers->a || !buffers->rows || !buffers->storage || !buffers->scratch || !buffers->c) return false;
    bench_fill(buffers->a, a);
    bench_fill(buffers->rows, rows);
    memset(buffers->c, 0, c * sizeof(float));
    return true;
}

int main(int argument_count, char **arguments)
{
    const char *cpu = "auto";
    const char *gemm = "packed";
    double seconds = 0.03;
    for (int i = 1; i + 1 < argument_count; i += 2) {
        if (strcmp(arguments[i], "--cpu") == 0) cpu = arguments[i + 1];
        if (strcmp(arguments[i], "--gemm") == 0) gemm = arguments[i + 1];
        if (strcmp(arguments[i], "--milliseconds") == 0) seconds = atof(arguments[i + 1]) * 1e-3;
    }
    Error error;
    const Kernels *kernels;
    BenchBuffers buffers = {0};
    int result = 1;
    if (kernels_open(cpu, gemm, &kernels, &error))
        fprintf(stderr, "%s\n", error.message);
    else if (!bench_allocate(kernels, &buffers))
        fprintf(stderr, "out of memory\n");
    else {
        bench_table(kernels, &buffers, seconds);
        bench_placements(kernels, &buffers);
        result = 0;
    }
    free(buffers.a);
    free(buffers.rows);
    free(buffers.storage);
    free(buffers.scratch);
    free(buffers.c);
    return result;
}
