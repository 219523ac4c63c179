/* What gradients are of, and their way back to the encoder's rows, against differences of the number itself. */
#include "unit/encoder/golden.h"

#include "encoder/head_run.h"
#include "encoder/target.h"
#include "encoder/vector_steps.h"
#include "kernels/kernels.h"

#include <math.h>

enum { ROWS = 7, DIRECTIONS = 8 };

static unsigned seed = 7; /* always the same: a difference may step across the bend of an activation */

typedef struct TargetTest {
    Checkpoint *checkpoint;
    Encoder *encoder;
    float *scratch;
    size_t size; /* of a hidden row */
    float *rows, *moved, *gradients, *unused, *way;
} TargetTest;

static float random_float(void)
{
    return (float)rand_r(&seed) / (float)RAND_MAX * 2.0f - 1.0f;
}

static float *floats_of(size_t count)
{
    float *floats = aligned_alloc(64, (count + 15) / 16 * 64);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++) floats[i] = random_float();
    return floats;
}

static void target_test_open(const char *folder, TargetTest *self)
{
    Error error;
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/%s", TESTS_DATA, folder);
    golden_check(checkpoint_open(path, &self->checkpoint, &error), &error);
    golden_check(encoder_open(self->checkpoint, kernels_select(KERNELS_ALL), &self->encoder, &error), &error);
    self->size = encoder_hidden_size(self->encoder);
    self->scratch = floats_of(encoder_target_scratch_size(self->encoder));
    float **const all[] = {&self->rows, &self->moved, &self->gradients, &self->unused, &self->way};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = floats_of(ROWS * self->size);
}

static void target_test_close(TargetTest *self)
{
    float *const all[] = {self->rows, self->moved, self->gradients, self->unused, self->way, self->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    encoder_close(self->encoder);
    checkpoint_close(self->checkpoint);
}

/* The number where the rows are moved by `step` along the way. */
static double target_at(TargetTest *self, const EncoderTarget *target, float step)
{
    for (size_t i = 0; i < ROWS * self->size; i++) self->moved[i] = self->rows[i] + step * self->way[i];
    return (double)encoder_target(self->encoder, target, self->moved, ROWS, self->unused, self->scratch);
}

/* Along random ways, the gradient foretells how the number changes: central differences leave fp32 two digits. */
static void expect_slopes(TargetTest *self, const EncoderTarget *target, const char *what)
{
    static const float step = 4e-3f;
    encoder_target(self->encoder, target, self->rows, ROWS, self->gradients, self->scratch);
    double length = 0.0;
    for (size_t i = 0; i < ROWS * self->size; i++)
        length += (double)self->gradients[i] * (double)self->gradients[i];
    assert_true(length > 0.0);
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        double slope = 0.0;
        for (size_t i = 0; i < ROWS * self->size; i++) {
            self->way[i] = random_float();
            slope += (double)self->way[i] * (double)self->gradients[i];
        }
        double change = (target_at(self, target, step) - target_at(self, target, -step)) / (2.0 * (double)step);
        if (!(fabs(change - slope) <= 2e-2 * sqrt(length)))
            fail_msg("%s: the slope is %g, the gradient says %g of %g", what, change, slope, sqrt(length));
    }
}

static void each_pooling_leads_back_to_its_rows(void **state)
{
    (void)state;
    TargetTest self;
    target_test_open("encoder/bert/three_heads", &self);
    float *direction = floats_of(self.size);
    for (int pooling = 0; pooling < POOLING_COUNT; pooling++) {
        char what[32];
        SentenceConfig sentence = {.pooling_count = 1, .poolings = {(Pooling)pooling}};
        EncoderTarget target = {
            .sentence = &sentence, .direction = direction, .dimensions = (uint32_t)self.size - 5, .first_row = 2};
        snprintf(what, sizeof what, "pooling %d", pooling);
        /* Rows that are far apart: no step changes which one is the greatest. */
        for (size_t i = 0; i < ROWS * self.size; i++)
            self.rows[i] = 0.1f * (float)((i * 5 + i / self.size * 3) % ROWS) - 0.3f;
        expect_slopes(&self, &target, what);
        for (size_t i = 0; i < 2 * self.size; i++) assert_true(self.gradients[i] == 0.0f);
    }
    free(direction);
    target_test_close(&self);
}

/* Normalize, Dense, LayerNorm, Dense with their activations. */
static void modules_behind_the_pooling_lead_back(void **state)
{
    (void)state;
    TargetTest self;
    target_test_open("pipeline/modules", &self);
    const SentenceConfig *sentence = checkpoint_sentence_config(self.checkpoint);
    assert_in_range(sentence->step_count, 3, VECTOR_STEP_COUNT_MAX);
    float *direction = floats_of(vector_steps_width(self.encoder));
    EncoderTarget target = {.sentence = sentence, .direction = direction, .dimensions = sentence->vector_size};
    expect_slopes(&self, &target, "modules");
    free(direction);
    target_test_close(&self);
}

static void logits_lead_back_to_the_first_row(void **state)
{
    (void)state;
    static const char *const folders[] = {"tasks/bert/classify", "tasks/roberta/classify",
                                          "tasks/electra/classify", "tasks/distilbert/classify"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        TargetTest self;
        Error error;
        target_test_open(folders[i], &self);
        golden_check(encoder_check_target(self.encoder, NULL, &error), &error);
        for (uint32_t label = 0; label < 4; label++) {
            EncoderTarget target = {.label = label};
            expect_slopes(&self, &target, folders[i]);
            for (size_t j = self.size; j < ROWS * self.size; j++) assert_true(self.gradients[j] == 0.0f);
        }
        target_test_close(&self);
    }
}

static void what_has_no_gradient_is_refused(void **state)
{
    (void)state;
    TargetTest self;
    Error error;
    const SentenceConfig sparse = {.sparse = true};
    target_test_open("tasks/bert/tag", &self);
    assert_int_equal(encoder_check_target(self.encoder, &sparse, &error), STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "sparse"));
    assert_int_equal(encoder_check_target(self.encoder, NULL, &error), STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "classify"));
    target_test_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pooling_leads_back_to_its_rows),
        cmocka_unit_test(modules_behind_the_pooling_lead_back),
        cmocka_unit_test(logits_lead_back_to_the_first_row),
        cmocka_unit_test(what_has_no_gradient_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
