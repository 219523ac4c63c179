/* Integrated gradients and gradient x input, step by step, against torch's in double precision. */
#include "unit/encoder/golden_gradients.h"

#include "explain/path.h"

#include <math.h>

enum { STEPS_MAX = 1000 };

/* Of the largest score. A token alone may be a small difference of large products: one here is a 760th of their sum. */
static const float SCORE_TOLERANCE = 1e-4f;
static const float LONE_SCORE_TOLERANCE = 3e-4f;
static const float ERROR_TOLERANCE = 1e-3f;

/* What runs a path. */
typedef struct PathTest {
    GoldenGradients golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    SentenceConfig sentence;
} PathTest;

static void path_test_open(const char *folder, const Kernels *kernels, uint32_t token_capacity, PathTest *self)
{
    Error error;
    *self = (PathTest){.sentence = {.pooling_count = 1, .poolings = {POOLING_MEAN}}};
    golden_gradients_open(folder, &self->golden);
    golden_check(encoder_open(self->golden.checkpoint, kernels, &self->encoder, &error), &error);
    golden_check(encoder_workspace_open(self->encoder, token_capacity, &self->workspace, &error), &error);
}

static void path_test_close(PathTest *self)
{
    encoder_workspace_close(self->workspace);
    encoder_close(self->encoder);
    golden_gradients_close(&self->golden);
}

/* Runs the path of `item` to its end, within the memory that it asked for. Returns the number of steps. */
static uint32_t path_run(PathTest *self, const GradientCase *item, const PathSpec *spec, Arena *arena,
                         Path **out_path)
{
    EncoderTarget target = {.label = (uint32_t)item->label};
    if (item->label == NO_LABEL)
        target = (EncoderTarget){.sentence = &self->sentence,
                                 .direction = item->direction,
                                 .dimensions = encoder_hidden_size(self->encoder)};
    arena_init(arena, path_bytes(spec));
    Error error;
    golden_check(path_open(spec, arena, out_path, &error), &error);
    for (uint32_t step = 1; step < STEPS_MAX; step++)
        if (path_step(*out_path, self->workspace, NULL, &target)) return step;
    fail_msg("a path does not end");
    return 0;
}

static void expect_scores(const char *what, const float *scores, const float *expected, uint32_t count)
{
    float greatest = 1e-6f, tolerance = count == 1 ? LONE_SCORE_TOLERANCE : SCORE_TOLERANCE;
    for (uint32_t i = 0; i < count; i++)
        if (fabsf(expected[i]) > greatest) greatest = fabsf(expected[i]);
    for (uint32_t i = 0; i < count; i++)
        if (!(fabsf(scores[i] - expected[i]) <= tolerance * greatest))
            fail_msg("%s, token %u: %g is not %g", what, i, (double)scores[i], (double)expected[i]);
}

static void compare_gradient_input(PathTest *self, const char *folder, const GradientCase *item)
{
    Arena arena;
    Path *path;
    uint32_t count = item->sequence.token_count;
    size_t size = encoder_word_size(self->encoder);
    PathSpec spec = {.encoder = self->encoder, .sequence = item->sequence};
    float *words = malloc(count * size * sizeof *words);
    float *expected = malloc(count * sizeof *expected);
    assert_non_null(words);
    assert_non_null(expected);
    path_run(self, item, &spec, &arena, &path);
    encoder_read_words(self->encoder, item->sequence.ids, count, words);
    for (uint32_t token = 0; token < count; token++) {
        double sum = 0.0;
        for (size_t i = token * size; i < (token + 1) * size; i++)
            sum += (double)words[i] * (double)item->gradients[i];
        expected[token] = (float)sum;
    }
    expect_scores(folder, path_scores(path), expected, count);
    free(words);
    free(expected);
    arena_free(&arena);
}

static void compare_integrated(PathTest *self, const char *folder, const GradientCase *item)
{
    Arena arena;
    Path *path;
    PathSpec spec = {.encoder = self->encoder,
                     .sequence = item->sequence,
                     .baseline = item->baseline,
                     .point_count = GOLDEN_POINTS};
    path_run(self, item, &spec, &arena, &path);
    expect_scores(folder, path_scores(path), item->integrated, item->sequence.token_count);
    float error = path_completeness_error(path);
    assert_true(fabsf(error - item->completeness_error) <= ERROR_TOLERANCE * (1.0f + item->completeness_error));
    arena_free(&arena);
}

static void compare_with_torch(const char *folder, const Kernels *kernels)
{
    PathTest self;
    if (kernels != kernels_select(KERNELS_ALL))
        return; /* the other variants' gradients have a test of their own */
    path_test_open(folder, kernels, 256, &self);
    for (uint32_t i = 0; i < self.golden.case_count; i++) {
        compare_gradient_input(&self, folder, &self.golden.cases[i]);
        compare_integrated(&self, folder, &self.golden.cases[i]);
    }
    path_test_close(&self);
}

static void scores_equal_torch(void **state)
{
    (void)state;
    golden_gradients_each(compare_with_torch);
}

/* Whatever room a worker has for copies: scores stay, steps become more. */
static void a_small_workspace_gives_the_same_scores(void **state)
{
    (void)state;
    PathTest large, small;
    Arena arenas[2];
    Path *paths[2];
    path_test_open(TESTS_DATA "/golden/tasks/bert/classify", kernels_select(KERNELS_ALL), 256, &large);
    const GradientCase *item = &large.golden.cases[2];
    uint32_t count = item->sequence.token_count;
    path_test_open(TESTS_DATA "/golden/tasks/bert/classify", kernels_select(KERNELS_ALL), count, &small);
    PathSpec spec = {.encoder = large.encoder,
                     .sequence = item->sequence,
                     .baseline = item->baseline,
                     .point_count = GOLDEN_POINTS};
    uint32_t steps = path_run(&large, item, &spec, &arenas[0], &paths[0]);
    /* 3 copies of 65 tokens a batch: the ends, and 3 batches of a forward pass and two steps back. */
    assert_int_equal(steps, 1 + 3 * 3);
    steps = path_run(&small, item, &spec, &arenas[1], &paths[1]);
    assert_int_equal(steps, 2 + GOLDEN_POINTS * 3);
    assert_memory_equal(path_scores(paths[0]), path_scores(paths[1]), count * sizeof(float));
    for (int i = 0; i < 2; i++) arena_free(&arenas[i]);
    path_test_close(&large);
    path_test_close(&small);
}

/* The finer the points, the less of the way they miss. */
static void completeness_grows_with_the_points(void **state)
{
    (void)state;
    static const uint32_t counts[] = {4, 50, 150};
    PathTest self;
    float errors[3];
    path_test_open(TESTS_DATA "/golden/tasks/roberta/classify", kernels_select(KERNELS_ALL), 256, &self);
    const GradientCase *item = &self.golden.cases[2];
    for (int i = 0; i < 3; i++) {
        Arena arena;
        Path *path;
        PathSpec spec = {.encoder = self.encoder,
                         .sequence = item->sequence,
                         .baseline = item->baseline,
                         .point_count = counts[i]};
        path_run(&self, item, &spec, &arena, &path);
        errors[i] = path_completeness_error(path);
        arena_free(&arena);
        print_message("%u points: completeness error %g\n", counts[i], (double)errors[i]);
    }
    assert_true(errors[0] < 0.02f && errors[1] < 1e-4f && errors[2] < 1e-4f);
    path_test_close(&self);
}

static void a_path_of_no_length_is_complete(void **state)
{
    (void)state;
    PathTest self;
    Arena arena;
    Path *path;
    path_test_open(TESTS_DATA "/golden/tasks/bert/classify", kernels_select(KERNELS_REFERENCE), 256, &self);
    const GradientCase *item = &self.golden.cases[1];
    PathSpec spec = {
        .encoder = self.encoder, .sequence = item->sequence, .baseline = item->sequence.ids, .point_count = 3};
    path_run(&self, item, &spec, &arena, &path);
    for (uint32_t i = 0; i < item->sequence.token_count; i++) assert_true(path_scores(path)[i] == 0.0f);
    assert_true(path_completeness_error(path) == 0.0f);
    arena_free(&arena);
    path_test_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_equal_torch),
        cmocka_unit_test(a_small_workspace_gives_the_same_scores),
        cmocka_unit_test(completeness_grows_with_the_points),
        cmocka_unit_test(a_path_of_no_length_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
