/* Window mode: what is the same as without it, and for which models it is. */
#include "unit/encoder/golden.h"

#include <math.h>

static float difference_of_row(const GoldenCase *item, uint32_t kept, const float *hidden, size_t size)
{
    float greatest = 0.0f;
    for (size_t i = 0; i < size; i++) {
        float difference = fabsf(hidden[item->rows[kept] * size + i] - item->hidden[kept * size + i]);
        if (!(difference <= greatest)) greatest = difference;
    }
    return greatest;
}

typedef struct Windowed {
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
} Windowed;

static void windowed_open(Windowed *windowed, const char *name, uint32_t window)
{
    Error error;
    golden_open(name, &windowed->golden);
    golden_check(
        encoder_open(windowed->golden.checkpoint, kernels_select(kernels_available()), &windowed->encoder, &error),
        &error);
    golden_check(encoder_limit_window(windowed->encoder, window, &error), &error);
    golden_check(
        encoder_workspace_open(windowed->encoder, windowed->golden.token_count, &windowed->workspace, &error),
        &error);
}

static void windowed_close(Windowed *windowed)
{
    encoder_workspace_close(windowed->workspace);
    encoder_close(windowed->encoder);
    golden_close(&windowed->golden);
}

/* In a model of one layer, the rows of global tokens are those of the dense model, and most others are not. */
static void compare_one_layer(const char *name)
{
    Windowed windowed;
    windowed_open(&windowed, name, 8);
    size_t size = checkpoint_config(windowed.golden.checkpoint)->hidden_size;
    uint32_t others = 0;
    for (uint32_t i = 0; i < windowed.golden.case_count; i++) {
        const GoldenCase *item = &windowed.golden.cases[i];
        const uint32_t ends[] = {0, item->sequence.token_count - 1};
        EncoderSequence sequence = item->sequence;
        sequence.global_positions = ends;
        sequence.global_count = sequence.token_count < 2 ? 1 : 2;
        const float *hidden = encoder_forward(windowed.encoder, windowed.workspace, NULL, &sequence, 1);
        for (uint32_t kept = 0; kept < item->row_count; kept++) {
            bool global = item->rows[kept] == 0 || item->rows[kept] == ends[1];
            float difference = difference_of_row(item, kept, hidden, size);
            if (global && !(difference <= 2e-5f)) fail_msg("%s, case %u: %g", name, i, (double)difference);
            others += !global && difference > 1e-3f;
        }
    }
    assert_true(others > 0);
    windowed_close(&windowed);
}

static void global_rows_see_what_they_saw(void **state)
{
    (void)state;
    compare_one_layer("nomic_bert/published_settings");
    compare_one_layer("gte/published_settings");
    compare_one_layer("eurobert/one_key");
    compare_one_layer("jina-v2/head_of_64");
}

static void a_window_wider_than_the_text_changes_nothing(void **state)
{
    (void)state;
    Windowed windowed;
    windowed_open(&windowed, "jina-v2/three_heads", 1024);
    size_t size = checkpoint_config(windowed.golden.checkpoint)->hidden_size;
    for (uint32_t i = 0; i < windowed.golden.case_count; i++) {
        const GoldenCase *item = &windowed.golden.cases[i];
        static const uint32_t first[] = {0};
        EncoderSequence sequence = item->sequence;
        sequence.global_positions = first;
        sequence.global_count = i % 2;
        const float *hidden = encoder_forward(windowed.encoder, windowed.workspace, NULL, &sequence, 1);
        for (uint32_t kept = 0; kept < item->row_count; kept++)
            assert_true(difference_of_row(item, kept, hidden, size) <= 2e-5f);
    }
    windowed_close(&windowed);
}

static void bits_do_not_depend_on_company(void **state)
{
    (void)state;
    Windowed windowed;
    windowed_open(&windowed, "eurobert/grouped_heads", 6);
    size_t size = checkpoint_config(windowed.golden.checkpoint)->hidden_size;
    EncoderSequence sequences[GOLDEN_CASES_MAX];
    uint32_t count = windowed.golden.case_count;
    uint32_t ends[GOLDEN_CASES_MAX][2] = {{0}};
    for (uint32_t i = 0; i < count; i++) {
        sequences[i] = windowed.golden.cases[i].sequence;
        ends[i][1] = sequences[i].token_count - 1;
        sequences[i].global_positions = ends[i];
        sequences[i].global_count = sequences[i].token_count < 2 ? 1 : 2;
    }
    size_t floats = windowed.golden.token_count * size;
    float *together = malloc(floats * sizeof *together);
    assert_non_null(together);
    memcpy(together, encoder_forward(windowed.encoder, windowed.workspace, NULL, sequences, count),
           floats * sizeof *together);
    const float *rows = together;
    for (uint32_t i = 0; i < count; i++) {
        const float *alone = encoder_forward(windowed.encoder, windowed.workspace, NULL, &sequences[i], 1);
        assert_memory_equal(rows, alone, sequences[i].token_count * size * sizeof *alone);
        rows += sequences[i].token_count * size;
    }
    free(together);
    windowed_close(&windowed);
}

static void assert_refused(const char *name, uint32_t window, Status status, const char *reason)
{
    Golden golden;
    Encoder *encoder;
    Error error;
    golden_open(name, &golden);
    golden_check(encoder_open(golden.checkpoint, kernels_select(kernels_available()), &encoder, &error), &error);
    bool takes = encoder_takes_globals(encoder);
    assert_int_equal(encoder_limit_window(encoder, window, &error), status);
    if (!strstr(error.message, reason)) fail_msg("'%s' does not say '%s'", error.message, reason);
    assert_int_equal(encoder_takes_globals(encoder), takes);
    encoder_close(encoder);
    golden_close(&golden);
}

static void other_models_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused("bert/one_head", 8, STATUS_UNSUPPORTED, "not for bert");
    assert_refused("deberta-v2/three_heads", 8, STATUS_UNSUPPORTED, "not for deberta-v2");
    assert_refused("modernbert/window_of_8", 8, STATUS_UNSUPPORTED, "not for modernbert");
    assert_refused("eurobert/one_key", 7, STATUS_INVALID_ARGUMENT, "window 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_rows_see_what_they_saw),
        cmocka_unit_test(a_window_wider_than_the_text_changes_nothing),
        cmocka_unit_test(bits_do_not_depend_on_company),
        cmocka_unit_test(other_models_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
