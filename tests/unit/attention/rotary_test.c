/* Rotary embeddings against what transformers computes for the last position of a text. */
#include "attention/rotary.h"

#include "base/limits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 16, HALF = SIZE / 2 };

/* Cosines and sines of EuroBertRotaryEmbedding of transformers 5.24 at position token_count - 1. */
static const struct RotaryCase {
    RotaryPlan plan;
    uint32_t token_count;
    float cosines[HALF], sines[HALF];
} cases[] = {
    {{.scaling = ROTARY_DEFAULT, .position_count = 8192, .theta = 160000.0},
     8192,
     {-0.646390498f, -0.999891758f, 0.414890975f, -0.890668094f, -0.0571156591f, -0.133084521f, 0.520060122f,
      0.973906279f},
     {-0.763006806f, -0.0147148483f, 0.909871101f, -0.454654098f, 0.998367548f, -0.991104662f, 0.854129672f,
      0.226950586f}},
    {{.scaling = ROTARY_LINEAR, .position_count = 2048, .theta = 10000.0, .factor = 3.5},
     2048,
     {0.867349625f, -0.918750465f, -0.358116537f, 0.937734127f, 0.907032609f, -0.275091171f, 0.833790898f,
      0.9829458f},
     {0.497699291f, 0.394838661f, 0.933676898f, -0.347353816f, -0.421060324f, 0.961418152f, 0.552080333f,
      0.183895513f}},
    {{.scaling = ROTARY_DYNAMIC, .position_count = 100, .theta = 1000.0, .factor = 3.0},
     2048,
     {0.249715254f, -0.60029161f, 0.979097843f, 0.0473118499f, 0.999929547f, 0.0952214673f, 0.940356553f,
      0.996667206f},
     {-0.968319297f, -0.799781203f, 0.203389958f, 0.998880148f, -0.0118713612f, 0.9954561f, 0.340190411f,
      0.0815748349f}},
    {{.scaling = ROTARY_DYNAMIC, .position_count = 512, .theta = 1000.0, .factor = 3.0},
     100,
     {0.0398208797f, -0.615913928f, 0.320451051f, 0.416897655f, -0.999940217f, 0.247995019f, 0.848993957f,
      0.97256881f},
     {-0.999206841f, -0.787813485f, -0.947265089f, 0.908953428f, 0.0109373853f, 0.968761325f, 0.528402567f,
      0.232615411f}},
    {{.scaling = ROTARY_YARN,
      .position_count = 4096,
      .original_position_count = 1024,
      .theta = 10000.0,
      .factor = 4.0},
     600,
     {-0.572271109f, 0.685388267f, -0.0295231193f, 0.850303352f, -0.987576604f, 1.01332831f, 1.12588632f,
      1.13735294f},
     {0.984369218f, 0.909241438f, -1.13824654f, -0.757272124f, 0.566718221f, 0.519271374f, 0.169873208f,
      0.0538997725f}},
    {{.scaling = ROTARY_YARN,
      .position_count = 4096,
      .original_position_count = 1024,
      .theta = 10000.0,
      .factor = 4.0,
      .beta_fast = 20.0,
      .beta_slow = 2.0,
      .mscale = 0.7,
      .mscale_all_dim = 1.2,
      .no_truncation = true},
     600,
     {-0.472727895f, 0.566169024f, 0.752769232f, -0.383441359f, 0.0688787848f, 0.837065756f, 0.930045068f,
      0.93951714f},
     {0.813143969f, 0.751084208f, -0.563926637f, -0.858864069f, 0.938046098f, 0.428947181f, 0.140324757f,
      0.0445242226f}},
    {{.scaling = ROTARY_LLAMA3,
      .position_count = 8192,
      .original_position_count = 1024,
      .theta = 10000.0,
      .factor = 8.0,
      .low_frequency_factor = 1.0,
      .high_frequency_factor = 4.0},
     600,
     {-0.502596438f, 0.601941466f, -0.978084862f, 0.99572593f, -0.274599582f, 0.972099364f, 0.997198164f,
      0.999719679f},
     {0.864521146f, 0.798540235f, -0.208206683f, 0.0923574865f, 0.9615587f, 0.234569371f, 0.074805066f,
      0.023675343f}},
};

static Rotary *open_rotary(const RotaryPlan *plan)
{
    Rotary *rotary = NULL;
    Error error;
    assert_int_equal(rotary_open(plan, &rotary, &error), STATUS_OK);
    return rotary;
}

/* Turns rows of two heads of SIZE + 1 whose pairs are (1, 0), in two parts; the last of a head must stay. */
static float *turned_rows(const Rotary *rotary, uint32_t token_count)
{
    enum { HEAD = SIZE + 1, STRIDE = 2 * HEAD + 3 };
    float *rows = calloc((size_t)token_count * STRIDE, sizeof *rows);
    assert_non_null(rows);
    for (size_t i = 0; i < (size_t)token_count * STRIDE; i++)
        rows[i] = i % STRIDE >= 2 * HEAD || i % STRIDE % HEAD < HALF ? 1.0f : 0.0f;
    uint32_t cut = token_count / 3;
    RotaryRows part = {.rows = rows,
                       .stride = STRIDE,
                       .row_count = cut,
                       .token_count = token_count,
                       .head_count = 2,
                       .head_size = HEAD};
    rotary_apply(rotary, kernels_select(KERNELS_ALL), &part);
    part.rows += (size_t)cut * STRIDE;
    part.first = cut;
    part.row_count = token_count - cut;
    rotary_apply(rotary, kernels_select(KERNELS_ALL), &part);
    for (uint32_t token = 0; token < token_count; token++) {
        float *row = rows + (size_t)token * STRIDE;
        assert_memory_equal(row, row + HEAD, SIZE * sizeof *row);
        assert_true(row[SIZE] == 0.0f && row[HEAD + SIZE] == 0.0f && row[2 * HEAD] == 1.0f);
        memmove(rows + (size_t)token * SIZE, row, SIZE * sizeof *row);
    }
    return rows;
}

/* Within the roundings of cos, sin and the products by the magnitude. */
static void rotary_turns_as_transformers_does(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        RotaryPlan plan = cases[c].plan;
        plan.size = SIZE;
        Rotary *rotary = open_rotary(&plan);
        float *rows = turned_rows(rotary, cases[c].token_count);
        const float *last = rows + (size_t)(cases[c].token_count - 1) * SIZE;
        for (int i = 0; i < HALF; i++) {
            if (fabsf(last[i] - cases[c].cosines[i]) > 3e-7f || fabsf(last[HALF + i] - cases[c].sines[i]) > 3e-7f)
                fail_msg("case %zu, pair %d: %.9g, %.9g instead of %.9g, %.9g", c, i, (double)last[i],
                         (double)last[HALF + i], (double)cases[c].cosines[i], (double)cases[c].sines[i]);
        }
        free(rows);
        rotary_close(rotary);
    }
}

/* GTE's rule, which transformers knows no more: theta * factor, and frequencies / factor^(2 / size). A frequency is
 * within 3 u, so an angle within 4 u of itself. */
static void rotary_ntk_stretches_as_gte_does(void **state)
{
    (void)state;
    enum { TOKENS = 3000 };
    Rotary *rotary = open_rotary(&(RotaryPlan){
        .scaling = ROTARY_NTK, .size = SIZE, .position_count = 8192, .theta = 20000.0, .factor = 8.0});
    float *rows = turned_rows(rotary, TOKENS);
    for (int token = 0; token < TOKENS; token += 37)
        for (int i = 0; i < HALF; i++) {
            double angle = token / pow(20000.0 * 8.0, 2.0 * i / SIZE) / pow(8.0, 2.0 / SIZE);
            double bound = 4 * 0x1p-24 * angle + 1e-7;
            assert_true(fabs((double)rows[token * SIZE + i] - cos(angle)) <= bound);
            assert_true(fabs((double)rows[token * SIZE + HALF + i] - sin(angle)) <= bound);
        }
    free(rows);
    rotary_close(rotary);
}

/* What is computed on the way has the bits of the table. */
static void rotary_beyond_its_table_has_the_same_bits(void **state)
{
    (void)state;
    enum { TOKENS = 700 };
    RotaryPlan plan = {.size = SIZE, .position_count = TOKENS, .theta = 10000.0};
    Rotary *table = open_rotary(&plan);
    plan.position_count = 3;
    Rotary *computed = open_rotary(&plan);
    float *expected = turned_rows(table, TOKENS);
    float *actual = turned_rows(computed, TOKENS);
    assert_memory_equal(actual, expected, TOKENS * SIZE * sizeof *actual);
    free(expected);
    free(actual);
    rotary_close(table);
    rotary_close(computed);
}

static void rotary_of_numbers_that_are_not_usable_is_refused(void **state)
{
    (void)state;
    static const RotaryPlan plans[] = {
        {.size = ROTARY_SIZE_MAX + 2, .position_count = 8, .theta = 10000.0},
        {.size = 2, .position_count = 8, .theta = 10000.0, .scaling = ROTARY_DYNAMIC, .factor = 2.0},
        {.size = 8, .position_count = 8, .theta = 0.0},
        {.size = 8, .position_count = 8, .theta = -5.0},
        {.size = 8, .position_count = 8, .theta = 10000.0, .scaling = ROTARY_LINEAR},
        {.size = 8, .position_count = 8, .theta = 1.0, .scaling = ROTARY_YARN, .factor = 2.0},
        {.size = 8, .position_count = 8, .theta = 10000.0, .scaling = ROTARY_LLAMA3},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        Rotary *rotary = NULL;
        Error error;
        if (rotary_open(&plans[i], &rotary, &error) != STATUS_UNSUPPORTED) fail_msg("plan %zu", i);
        assert_null(rotary);
    }
}

/* A table of a million positions would take 4 GiB. */
static void rotary_takes_no_more_memory_than_its_limit(void **state)
{
    (void)state;
    Rotary *rotary = open_rotary(
        &(RotaryPlan){.size = ROTARY_SIZE_MAX, .position_count = MODEL_POSITION_COUNT_MAX, .theta = 10000.0});
    rotary_close(rotary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotary_turns_as_transformers_does),
        cmocka_unit_test(rotary_ntk_stretches_as_gte_does),
        cmocka_unit_test(rotary_beyond_its_table_has_the_same_bits),
        cmocka_unit_test(rotary_of_numbers_that_are_not_usable_is_refused),
        cmocka_unit_test(rotary_takes_no_more_memory_than_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
