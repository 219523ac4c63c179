/* Attention rollout, step by step, against numpy's over the attention of transformers, for every architecture and
 * pattern; and against itself where a crew made the answer. */
#include "unit/encoder/golden.h"

#include "explain/rollout.h"

#include <math.h>

enum { POOLINGS = 2 };

static const float SCORE_TOLERANCE = 1e-5f;

/* What golden files have of one case: scores[POOLINGS][tokens]. */
typedef struct RolloutCase {
    const GoldenCase *item;
    const float *scores;
} RolloutCase;

static bool pooled_first(const void *context, uint32_t row)
{
    (void)context;
    return row == 0;
}

static bool pooled_all(const void *context, uint32_t row)
{
    (void)context;
    (void)row;
    return true;
}

static bool (*const poolings[POOLINGS])(const void *context, uint32_t row) = {pooled_first, pooled_all};

/* Runs the sequence and takes all steps. Returns the largest difference from `scores`. */
static float rollout_difference(const Encoder *encoder, EncoderWorkspace *workspace, const RolloutCase *wanted,
                                uint32_t pooling)
{
    Arena arena;
    Error error;
    ExplainRollout *rollout;
    EncoderSequence sequence = wanted->item->sequence;
    uint32_t tokens = sequence.token_count;
    const ExplainSequence explained = {.encoder = encoder,
                                       .token_count = tokens,
                                       .global_positions = sequence.global_positions,
                                       .global_count = sequence.global_count,
                                       .is_pooled = poolings[pooling]};
    arena_init(&arena, explain_rollout_bytes(&explained));
    golden_check(explain_rollout_open(&explained, &sequence, &arena, &rollout, &error), &error);
    sequence.probe = explain_rollout_probe(rollout);
    encoder_forward(encoder, workspace, NULL, &sequence, 1);
    uint32_t steps = 1;
    while (!explain_rollout_step(rollout, workspace)) steps++;
    assert_int_equal(steps, encoder_run_count(encoder));
    float greatest = 0.0f;
    for (uint32_t i = 0; i < tokens; i++) {
        float difference = fabsf(explain_rollout_scores(rollout)[i] - wanted->scores[pooling * tokens + i]);
        if (!(difference <= greatest)) greatest = difference;
    }
    arena_free(&arena);
    return greatest;
}

static void compare_model(const char *name, void *context)
{
    (void)context;
    Golden golden;
    Error error;
    char path[1024];
    char *bytes;
    size_t size;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    float greatest = 0.0f;
    golden_open(name, &golden);
    golden_encoder_open(&golden, kernels_select(KERNELS_ALL), &encoder, &workspace);
    snprintf(path, sizeof path, "%s/golden/encoder/%s/rollouts.bin", TESTS_DATA, name);
    golden_check(file_read(path, 1 << 20, &bytes, &size, &error), &error);
    const char *next = bytes;
    uint32_t count = *(const uint32_t *)golden_take(&next, bytes + size, 4);
    assert_in_range(count, 1, golden.case_count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = *(const uint32_t *)golden_take(&next, bytes + size, 4);
        assert_in_range(index, 0, golden.case_count - 1);
        RolloutCase wanted = {.item = &golden.cases[index]};
        wanted.scores =
            golden_take(&next, bytes + size, POOLINGS * sizeof(float) * wanted.item->sequence.token_count);
        for (uint32_t pooling = 0; pooling < POOLINGS; pooling++) {
            float difference = rollout_difference(encoder, workspace, &wanted, pooling);
            if (!(difference <= SCORE_TOLERANCE))
                fail_msg("%s, case %u, pooling %u: off by %g", name, index, pooling, (double)difference);
            if (difference > greatest) greatest = difference;
        }
    }
    assert_ptr_equal(next, bytes + size);
    print_message("%-32s off by %.1e\n", name, (double)greatest);
    free(bytes);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

static void scores_equal_numpy(void **state)
{
    (void)state;
    golden_each(compare_model, NULL);
}

static void memory_that_was_not_counted_is_refused(void **state)
{
    (void)state;
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    Arena arena;
    Error error;
    ExplainRollout *rollout;
    golden_open("bert/one_head", &golden);
    golden_encoder_open(&golden, kernels_select(KERNELS_REFERENCE), &encoder, &workspace);
    EncoderSequence sequence = golden.cases[3].sequence;
    const ExplainSequence explained = {
        .encoder = encoder, .token_count = sequence.token_count, .is_pooled = pooled_first};
    arena_init(&arena, explain_rollout_bytes(&explained) / 2);
    assert_int_equal(explain_rollout_open(&explained, &sequence, &arena, &rollout, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    arena_free(&arena);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_equal_numpy),
        cmocka_unit_test(memory_that_was_not_counted_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
