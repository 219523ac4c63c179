/* Gradients of the word embeddings against torch's autograd in double precision, and against themselves in company. */
#include "unit/encoder/golden_gradients.h"

#include "encoder/backward.h"
#include "encoder/head_run.h"
#include "encoder/target.h"
#include "encoder/weights.h"
#include "unit/kernels/openblas.h"

#include <math.h>

enum { ROWS_MAX = 512 };

/* Of the largest gradient of a case: what sharp attention makes of fp32, in torch 5e-6. */
static const float GRADIENT_TOLERANCE = 2e-5f;
static const float VALUE_TOLERANCE = 2e-5f;

/* A checkpoint with its cases, and the memory that they take. */
typedef struct Gradients {
    GoldenGradients golden;
    SentenceConfig sentence;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    float *tape;    /* [runs][ROWS_MAX][H] */
    float *rows;    /* [ROWS_MAX][H] */
    float *words;   /* [ROWS_MAX][E] */
    float *scratch; /* of both */
} Gradients;

/* Keeps what the runs of one sequence read. */
typedef struct TapeProbe {
    EncoderProbe probe;
    float *tape;   /* the sequence's first row */
    size_t stride; /* from a run to the next */
    size_t size;   /* of the sequence's rows */
} TapeProbe;

static void tape_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    TapeProbe *self = (TapeProbe *)probe;
    memcpy(self->tape + run * self->stride, hidden, self->size * sizeof *hidden);
}

static float *floats_of(size_t count)
{
    float *floats = aligned_alloc(64, (count + 15) / 16 * 64);
    assert_non_null(floats);
    return floats;
}

static void gradients_open(const char *folder, const Kernels *kernels, Gradients *self)
{
    Error error;
    *self = (Gradients){.sentence = {.pooling_count = 1, .poolings = {POOLING_MEAN}}};
    golden_gradients_open(folder, &self->golden);
    golden_check(encoder_open(self->golden.checkpoint, kernels, &self->encoder, &error), &error);
    golden_check(encoder_check_backward(self->encoder, &error), &error);
    golden_check(encoder_workspace_open(self->encoder, ROWS_MAX, &self->workspace, &error), &error);
    const ModelConfig *config = checkpoint_config(self->golden.checkpoint);
    size_t target = encoder_target_scratch_size(self->encoder);
    size_t backward = encoder_backward_scratch_size(self->encoder, ROWS_MAX, ROWS_MAX);
    self->tape = floats_of((size_t)encoder_run_count(self->encoder) * ROWS_MAX * config->hidden_size);
    self->rows = floats_of((size_t)ROWS_MAX * config->hidden_size);
    self->words = floats_of((size_t)ROWS_MAX * config->embedding_size);
    self->scratch = floats_of(target > backward ? target : backward);
}

static void gradients_close(Gradients *self)
{
    free(self->tape);
    free(self->rows);
    free(self->words);
    free(self->scratch);
    encoder_workspace_close(self->workspace);
    encoder_close(self->encoder);
    golden_gradients_close(&self->golden);
}

/* self->words becomes the gradients of `count` cases, run together, and out_values their values. */
static void gradients_run(Gradients *self, const GradientCase *const *cases, uint32_t count, float *out_values)
{
    size_t size = checkpoint_config(self->golden.checkpoint)->hidden_size;
    size_t stride = ROWS_MAX * size;
    EncoderSequence sequences[GOLDEN_CASES_MAX];
    TapeProbe probes[GOLDEN_CASES_MAX];
    size_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        sequences[i] = cases[i]->sequence;
        probes[i] =
            (TapeProbe){{.enter = tape_enter}, self->tape + row * size, stride, sequences[i].token_count * size};
        sequences[i].probe = &probes[i].probe;
        row += sequences[i].token_count;
    }
    const float *hidden = encoder_forward(self->encoder, self->workspace, NULL, sequences, count);
    row = 0;
    for (uint32_t i = 0; i < count; i++) {
        EncoderTarget target = {.label = (uint32_t)cases[i]->label};
        if (cases[i]->label == NO_LABEL)
            target = (EncoderTarget){
                .sentence = &self->sentence, .direction = cases[i]->direction, .dimensions = (uint32_t)size};
        out_values[i] = encoder_target(self->encoder, &target, hidden + row * size, sequences[i].token_count,
                                       self->rows + row * size, self->scratch);
        row += sequences[i].token_count;
    }
    for (uint32_t run = encoder_run_count(self->encoder); run-- > 0;)
        encoder_backward_run(self->encoder, run, sequences, count, self->tape + run * stride, self->rows,
                             self->scratch);
    encoder_backward_words(self->encoder, sequences, count, self->rows, self->words, self->scratch);
}

static float greatest_of(const float *values, size_t count)
{
    float greatest = 0.0f;
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(values[i]) <= greatest)) greatest = fabsf(values[i]);
    return greatest;
}

/* Returns the largest difference, of the largest gradient. */
static float compare_case(Gradients *self, const GradientCase *item)
{
    float value;
    size_t count = (size_t)item->sequence.token_count * checkpoint_config(self->golden.checkpoint)->embedding_size;
    gradients_run(self, &item, 1, &value);
    assert_true(fabsf(value - item->value) <= VALUE_TOLERANCE * (1.0f + fabsf(item->value)));
    float differences = 0.0f;
    for (size_t i = 0; i < count; i++) {
        float difference = fabsf(self->words[i] - item->gradients[i]);
        if (!(difference <= differences)) differences = difference;
    }
    return differences / greatest_of(item->gradients, count);
}

static void compare_with_torch(const char *folder, const Kernels *kernels)
{
    Gradients self;
    gradients_open(folder, kernels, &self);
    float greatest = 0.0f;
    for (uint32_t i = 0; i < self.golden.case_count; i++) {
        float difference = compare_case(&self, &self.golden.cases[i]);
        if (!(difference <= GRADIENT_TOLERANCE))
            fail_msg("%s, %s, case %u: off by %g", folder, kernels_describe(kernels), i, (double)difference);
        if (difference > greatest) greatest = difference;
    }
    print_message("%-40s %-20s max %.2e\n", folder + strlen(TESTS_DATA "/golden/"), kernels_describe(kernels),
                  (double)greatest);
    gradients_close(&self);
}

static void gradients_equal_torch(void **state)
{
    (void)state;
    golden_gradients_each(compare_with_torch);
}

static void gradients_with_openblas_equal_torch(void **state)
{
    (void)state;
    const Kernels *kernels = openblas_kernels();
    compare_with_torch(TESTS_DATA "/golden/encoder/bert/seven_heads", kernels);
    compare_with_torch(TESTS_DATA "/golden/tasks/electra/classify", kernels);
}

static void compare_company(const char *folder, const Kernels *kernels)
{
    Gradients self;
    float values[GOLDEN_CASES_MAX];
    const GradientCase *cases[GOLDEN_CASES_MAX];
    float *alone[GOLDEN_CASES_MAX];
    gradients_open(folder, kernels, &self);
    size_t size = checkpoint_config(self.golden.checkpoint)->embedding_size;
    for (uint32_t i = 0; i < self.golden.case_count; i++) {
        cases[i] = &self.golden.cases[i];
        size_t bytes = cases[i]->sequence.token_count * size * sizeof(float);
        alone[i] = malloc(bytes);
        assert_non_null(alone[i]);
        gradients_run(&self, &cases[i], 1, values);
        memcpy(alone[i], self.words, bytes);
    }
    gradients_run(&self, cases, self.golden.case_count, values);
    const float *words = self.words;
    for (uint32_t i = 0; i < self.golden.case_count; i++) {
        size_t count = cases[i]->sequence.token_count * size;
        assert_memory_equal(words, alone[i], count * sizeof *words);
        words += count;
        free(alone[i]);
    }
    gradients_close(&self);
}

static void a_sequence_has_the_same_gradients_in_any_batch(void **state)
{
    (void)state;
    golden_gradients_each(compare_company);
}

/* More rows than the way back takes at a time. */
static void many_copies_have_the_gradients_of_one(void **state)
{
    (void)state;
    enum { COPIES = 7 };
    Gradients self;
    float values[COPIES];
    const GradientCase *copies[COPIES];
    gradients_open(TESTS_DATA "/golden/encoder/bert/seven_heads", kernels_select(KERNELS_ALL), &self);
    const GradientCase *item = &self.golden.cases[2];
    size_t count = item->sequence.token_count * encoder_word_size(self.encoder);
    for (int i = 0; i < COPIES; i++) copies[i] = item;
    assert_in_range(COPIES * item->sequence.token_count, 300, ROWS_MAX);
    assert_true(compare_case(&self, item) <= GRADIENT_TOLERANCE);
    float *alone = floats_of(count);
    memcpy(alone, self.words, count * sizeof *alone);
    gradients_run(&self, copies, COPIES, values);
    for (int i = 0; i < COPIES; i++) {
        assert_memory_equal(self.words + i * count, alone, count * sizeof *alone);
        assert_true(values[i] == values[0]);
    }
    free(alone);
    gradients_close(&self);
}

/* Reading the table's rows beforehand is the same as looking ids up. */
static void words_take_the_place_of_ids(void **state)
{
    (void)state;
    Gradients self;
    gradients_open(TESTS_DATA "/golden/tasks/bert/classify", kernels_select(KERNELS_REFERENCE), &self);
    EncoderSequence sequence = self.golden.cases[2].sequence;
    size_t size = sequence.token_count * checkpoint_config(self.golden.checkpoint)->hidden_size * sizeof(float);
    memcpy(self.rows, encoder_forward(self.encoder, self.workspace, NULL, &sequence, 1), size);
    encoder_read_words(self.encoder, sequence.ids, sequence.token_count, self.words);
    sequence.words = self.words;
    assert_memory_equal(encoder_forward(self.encoder, self.workspace, NULL, &sequence, 1), self.rows, size);
    self.words[0] += 1.0f;
    assert_memory_not_equal(encoder_forward(self.encoder, self.workspace, NULL, &sequence, 1), self.rows, size);
    gradients_close(&self);
}

static void refuse_or_have(const char *name, void *state)
{
    (void)state;
    static const char *const have[] = {"albert/",  "bert/",    "camembert/",   "distilbert/",
                                       "electra/", "roberta/", "xlm-roberta/", "big_bird/original_full"};
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    Error error;
    bool expected = false;
    for (size_t i = 0; i < sizeof have / sizeof *have; i++) expected |= !strncmp(name, have[i], strlen(have[i]));
    golden_open(name, &golden);
    golden_encoder_open(&golden, kernels_select(KERNELS_REFERENCE), &encoder, &workspace);
    Status status = encoder_check_backward(encoder, &error);
    assert_int_equal(status, expected ? STATUS_OK : STATUS_UNSUPPORTED);
    if (status) assert_non_null(strstr(error.message, checkpoint_config(golden.checkpoint)->model_type));
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

static void other_architectures_are_refused_by_name(void **state)
{
    (void)state;
    golden_each(refuse_or_have, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_torch),
        cmocka_unit_test(gradients_with_openblas_equal_torch),
        cmocka_unit_test(a_sequence_has_the_same_gradients_in_any_batch),
        cmocka_unit_test(many_copies_have_the_gradients_of_one),
        cmocka_unit_test(words_take_the_place_of_ids),
        cmocka_unit_test(other_architectures_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
