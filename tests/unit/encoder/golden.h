/* The cases that tests/golden/make_encoder.py wrote beside each small checkpoint. */
#pragma once

#include "base/file.h"
#include "encoder/encoder.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GOLDEN_CASES_MAX = 16 };

typedef struct GoldenCase {
    EncoderSequence sequence;
    uint32_t row_count;
    const uint32_t *rows; /* indices of the rows kept */
    const float *hidden;  /* [row_count][hidden size] */
    const float *trace;   /* of each row i the value i % hidden size; NULL where it was not kept */
} GoldenCase;

typedef struct Golden {
    Checkpoint *checkpoint;
    char *bytes; /* what the cases point into */
    char *trace; /* of all cases, or NULL */
    uint32_t *globals[GOLDEN_CASES_MAX];
    uint32_t case_count;
    uint32_t token_count; /* of all cases */
    GoldenCase cases[GOLDEN_CASES_MAX];
} Golden;

static inline void golden_check(Status status, const Error *error)
{
    if (status) fail_msg("%s", error->message);
}

/* Takes `size` bytes, whole words, off the front of *next. */
static inline const void *golden_take(const char **next, const char *end, size_t size)
{
    size = (size + 3) / 4 * 4;
    assert_true((size_t)(end - *next) >= size);
    const char *start = *next;
    *next += size;
    return start;
}

/* Calls `visit` with every checkpoint of tests/golden/encoder, as "<architecture>/<case>". */
static inline void golden_each(void (*visit)(const char *name, void *state), void *state)
{
    static const char folder[] = TESTS_DATA "/golden/encoder/";
    glob_t found;
    assert_int_equal(glob(TESTS_DATA "/golden/encoder/*/*/cases.bin", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        *strrchr(found.gl_pathv[i], '/') = 0;
        visit(found.gl_pathv[i] + strlen(folder), state);
    }
    globfree(&found);
}

enum { GOLDEN_GLOBAL_TYPE = 128 }; /* what a global token's type has more */

/* Takes the marks of global tokens off the case's types. */
static inline void golden_find_globals(uint8_t *types, EncoderSequence *sequence, uint32_t **out_globals)
{
    uint32_t *globals = calloc(sequence->token_count, sizeof *globals);
    assert_non_null(globals);
    for (uint32_t i = 0; i < sequence->token_count; i++) {
        if (types[i] >= GOLDEN_GLOBAL_TYPE) globals[sequence->global_count++] = i;
        types[i] %= GOLDEN_GLOBAL_TYPE;
    }
    sequence->type_ids = types;
    sequence->global_positions = *out_globals = globals;
}

/* Reads trace.bin of `folder`, where there is one. */
static inline void golden_read_trace(const char *folder, Golden *golden)
{
    Error error;
    char path[1024];
    snprintf(path, sizeof path, "%s/trace.bin", folder);
    if (!file_exists(path)) return;
    size_t size;
    golden_check(file_read(path, 1 << 20, &golden->trace, &size, &error), &error);
    assert_int_equal(size, golden->token_count * sizeof(float));
    const float *next = (const float *)golden->trace;
    for (uint32_t i = 0; i < golden->case_count; i++) {
        golden->cases[i].trace = next;
        next += golden->cases[i].sequence.token_count;
    }
}

/* Opens tests/golden/encoder/<name>; fails the running test when it cannot. */
static inline void golden_open(const char *name, Golden *out_golden)
{
    *out_golden = (Golden){0};
    Error error;
    char folder[512];
    char path[1024];
    snprintf(folder, sizeof folder, "%s/golden/encoder/%s", TESTS_DATA, name);
    golden_check(checkpoint_open(folder, &out_golden->checkpoint, &error), &error);
    size_t hidden_size = checkpoint_config(out_golden->checkpoint)->hidden_size;
    size_t size;
    snprintf(path, sizeof path, "%s/cases.bin", folder);
    golden_check(file_read(path, 1 << 20, &out_golden->bytes, &size, &error), &error);
    const char *next = out_golden->bytes;
    const char *end = next + size;
    out_golden->case_count = *(const uint32_t *)golden_take(&next, end, 4);
    assert_in_range(out_golden->case_count, 1, GOLDEN_CASES_MAX);
    for (uint32_t i = 0; i < out_golden->case_count; i++) {
        GoldenCase *item = &out_golden->cases[i];
        item->sequence.token_count = *(const uint32_t *)golden_take(&next, end, 4);
        item->row_count = *(const uint32_t *)golden_take(&next, end, 4);
        item->sequence.ids = golden_take(&next, end, item->sequence.token_count * sizeof(uint32_t));
        const void *types = golden_take(&next, end, item->sequence.token_count);
        golden_find_globals((uint8_t *)types, &item->sequence, &out_golden->globals[i]);
        item->rows = golden_take(&next, end, item->row_count * sizeof(uint32_t));
        item->hidden = golden_take(&next, end, item->row_count * hidden_size * sizeof(float));
        out_golden->token_count += item->sequence.token_count;
    }
    assert_ptr_equal(next, end);
    golden_read_trace(folder, out_golden);
}

static inline void golden_close(Golden *golden)
{
    checkpoint_close(golden->checkpoint);
    free(golden->bytes);
    free(golden->trace);
    for (uint32_t i = 0; i < golden->case_count; i++) free(golden->globals[i]);
}

/* Opens an encoder and a workspace for all cases together; fails the running test when it cannot. */
static inline void golden_encoder_open(const Golden *golden, const Kernels *kernels, Encoder **out_encoder,
                                       EncoderWorkspace **out_workspace)
{
    Error error;
    golden_check(encoder_open(golden->checkpoint, kernels, out_encoder, &error), &error);
    golden_check(encoder_workspace_open(*out_encoder, golden->token_count, out_workspace, &error), &error);
}
