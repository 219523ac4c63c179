/* The cases that tests/golden/make_gradients.py wrote beside the small checkpoints that have gradients. */
#pragma once

#include "unit/encoder/golden.h"

enum { NO_LABEL = -1, GOLDEN_POINTS = 7 };

typedef struct GradientCase {
    EncoderSequence sequence;
    int label;
    const float *direction;
    float value;
    const float *gradients;   /* [tokens][E] */
    const uint32_t *baseline; /* [tokens] */
    const float *integrated;  /* [tokens], of GOLDEN_POINTS */
    float completeness_error;
} GradientCase;

typedef struct GoldenGradients {
    Checkpoint *checkpoint;
    char *bytes; /* what the cases point into */
    uint32_t case_count;
    GradientCase cases[GOLDEN_CASES_MAX];
} GoldenGradients;

/* Opens `folder`; fails the running test when it cannot. */
static inline void golden_gradients_open(const char *folder, GoldenGradients *self)
{
    Error error;
    char path[1024];
    size_t size;
    *self = (GoldenGradients){0};
    golden_check(checkpoint_open(folder, &self->checkpoint, &error), &error);
    const ModelConfig *config = checkpoint_config(self->checkpoint);
    snprintf(path, sizeof path, "%s/gradients.bin", folder);
    golden_check(file_read(path, 1 << 20, &self->bytes, &size, &error), &error);
    const char *next = self->bytes;
    const char *end = next + size;
    self->case_count = *(const uint32_t *)golden_take(&next, end, 4);
    assert_in_range(self->case_count, 1, GOLDEN_CASES_MAX);
    for (uint32_t i = 0; i < self->case_count; i++) {
        GradientCase *item = &self->cases[i];
        uint32_t tokens = *(const uint32_t *)golden_take(&next, end, 4);
        item->sequence.token_count = tokens;
        item->label = *(const int32_t *)golden_take(&next, end, 4);
        item->sequence.ids = golden_take(&next, end, tokens * sizeof(uint32_t));
        item->sequence.type_ids = golden_take(&next, end, tokens);
        if (item->label == NO_LABEL)
            item->direction = golden_take(&next, end, config->hidden_size * sizeof(float));
        item->value = *(const float *)golden_take(&next, end, 4);
        item->gradients = golden_take(&next, end, tokens * config->embedding_size * sizeof(float));
        item->baseline = golden_take(&next, end, tokens * sizeof(uint32_t));
        item->integrated = golden_take(&next, end, tokens * sizeof(float));
        item->completeness_error = *(const float *)golden_take(&next, end, 4);
    }
    assert_ptr_equal(next, end);
}

static inline void golden_gradients_close(GoldenGradients *self)
{
    checkpoint_close(self->checkpoint);
    free(self->bytes);
}

/* Calls `visit` with every folder that has gradients, and each of the CPU's variants. */
static inline void golden_gradients_each(void (*visit)(const char *folder, const Kernels *kernels))
{
    static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};
    glob_t found;
    assert_int_equal(glob(TESTS_DATA "/golden/*/*/*/gradients.bin", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 40);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        *strrchr(found.gl_pathv[i], '/') = 0;
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
            if (variants[v] & kernels_available()) visit(found.gl_pathv[i], kernels_select(variants[v]));
    }
    globfree(&found);
}
