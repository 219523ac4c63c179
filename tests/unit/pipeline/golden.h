/* The cases of tests/golden/pipeline (make_pipeline.py says their format), and running one through a pipeline. */
#pragma once

#include "base/file.h"
#include "base/limits.h"
#include "pipeline/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { GOLDEN_BATCH_TOKENS = 256, GOLDEN_BATCH_ITEMS = 32, GOLDEN_CASES_MAX = 128 };

typedef struct GoldenCase {
    TextView text;
    TextView pair;
    bool has_pair;
    PrepareOptions prepare;
    EmbedOptions embed;
    const float *vector; /* unaligned in the file, so copied by golden_vector */
    uint32_t vector_size;
} GoldenCase;

typedef struct Golden {
    Pipeline *pipeline;
    PipelineWorkspace *workspace;
    Arena arena;
    char *bytes;
    GoldenCase cases[GOLDEN_CASES_MAX];
    uint32_t case_count;
} Golden;

/* The checkpoint `name` of tests/golden; of `options`, directory and kernels are filled in. */
static inline Pipeline *golden_checkpoint(const char *name, PipelineOptions options)
{
    char directory[PATH_BYTES_MAX];
    snprintf(directory, sizeof directory, "%s/golden/%s", TESTS_DATA, name);
    options.directory = directory;
    options.kernels = kernels_select(KERNELS_ALL);
    Pipeline *pipeline = NULL;
    Error error;
    if (pipeline_open(&options, &pipeline, &error)) fail_msg("%s", error.message);
    return pipeline;
}

static inline Pipeline *golden_pipeline(const char *name, uint32_t token_count_max)
{
    char path[PATH_BYTES_MAX / 2];
    snprintf(path, sizeof path, "pipeline/%s", name);
    return golden_checkpoint(path, (PipelineOptions){.token_count_max = token_count_max});
}

static inline uint32_t golden_number(const char **at)
{
    uint32_t number;
    memcpy(&number, *at, sizeof number);
    *at += sizeof number;
    return number;
}

static inline TextView golden_text(const char **at)
{
    uint32_t size = golden_number(at);
    TextView text = {*at, size};
    *at += size;
    return text;
}

static inline void golden_read_case(const char **at, uint32_t size, Arena *arena, GoldenCase *out_case)
{
    *out_case = (GoldenCase){.text = golden_text(at), .pair = golden_text(at)};
    out_case->has_pair = !text_equal(out_case->pair, (TextView){"", 1});
    out_case->prepare.prompt_name = golden_text(at);
    TextView policy = golden_text(at);
    out_case->prepare.length_policy = policy.bytes[0] == 'l'                   ? LENGTH_TRUNCATE_LEFT
                                      : text_equal(policy, text_view("right")) ? LENGTH_TRUNCATE_RIGHT
                                                                               : LENGTH_REFUSE;
    TextView normalize = golden_text(at);
    out_case->embed.normalize = normalize.bytes[0] == 'y'   ? NORMALIZE_YES
                                : normalize.bytes[0] == 'n' ? NORMALIZE_NO
                                                            : NORMALIZE_AS_CHECKPOINT;
    out_case->embed.dimensions = golden_number(at);
    out_case->vector_size = out_case->embed.dimensions ? out_case->embed.dimensions : size;
    float *vector = arena_allocate(arena, out_case->vector_size * sizeof *vector);
    memcpy(vector, *at, out_case->vector_size * sizeof *vector);
    out_case->vector = vector;
    *at += out_case->vector_size * sizeof *vector;
}

static inline void golden_open(Golden *golden, const char *name)
{
    *golden = (Golden){.pipeline = golden_pipeline(name, 0)};
    arena_init(&golden->arena, 64 * MIB);
    Error error;
    char path[PATH_BYTES_MAX / 2];
    size_t size;
    snprintf(path, sizeof path, "%s/golden/pipeline/%s/cases.bin", TESTS_DATA, name);
    if (file_read(path, MIB, &golden->bytes, &size, &error)) fail_msg("%s", error.message);
    if (pipeline_workspace_open(golden->pipeline, GOLDEN_BATCH_TOKENS, GOLDEN_BATCH_ITEMS, &golden->workspace,
                                &error)) {
        fail_msg("%s", error.message);
    }
    const char *at = golden->bytes;
    golden->case_count = golden_number(&at);
    uint32_t vector_size = golden_number(&at);
    assert_true(golden->case_count >= 1 && golden->case_count <= GOLDEN_CASES_MAX);
    assert_int_equal(vector_size, pipeline_vector_size(golden->pipeline));
    for (uint32_t i = 0; i < golden->case_count; i++) {
        golden_read_case(&at, vector_size, &golden->arena, &golden->cases[i]);
    }
    assert_ptr_equal(at, golden->bytes + size);
}

static inline void golden_close(Golden *golden)
{
    pipeline_workspace_close(golden->workspace);
    pipeline_close(golden->pipeline);
    arena_free(&golden->arena);
    free(golden->bytes);
}

/* A prepared item with room for its results, in the arena. */
static inline PipelineItem *golden_item(Golden *golden, const GoldenCase *one)
{
    Prepared *prepared = arena_allocate_zeroed(&golden->arena, 1, sizeof *prepared);
    PipelineItem *item = arena_allocate_zeroed(&golden->arena, 1, sizeof *item);
    Error error;
    if (pipeline_prepare(golden->pipeline, one->text, one->has_pair ? &one->pair : NULL, &one->prepare,
                         &golden->arena, prepared, &error)) {
        fail_msg("'%.*s': %s", (int)one->text.size, one->text.bytes, error.message);
    }
    float *vector = arena_allocate_zeroed(&golden->arena, one->vector_size, sizeof *vector);
    *item = (PipelineItem){.prepared = prepared, .embed = &one->embed, .output = vector};
    return item;
}
