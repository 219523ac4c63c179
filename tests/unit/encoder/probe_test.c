/* What a probe is shown of a forward pass, and that it changes nothing. */
#include "unit/encoder/golden_crew.h"

#include "encoder/workspace.h"

typedef struct CountingProbe {
    EncoderProbe probe;
    const EncoderSequence *sequence;
    uint32_t unit_count;
    uint32_t entered;
    uint32_t left;
    const float *first_hidden;
    const float *_Atomic keys;
    atomic_uint rows[REPEATED_TOKENS_MAX]; /* how often each row was shown, of all runs */
    atomic_uint globals[REPEATED_TOKENS_MAX];
} CountingProbe;

static void count_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    CountingProbe *self = (CountingProbe *)probe;
    assert_int_equal(run, self->entered++);
    assert_int_equal(run, self->left);
    if (!self->first_hidden) self->first_hidden = hidden;
    assert_ptr_equal(hidden, self->first_hidden);
}

static void count_leave(EncoderProbe *probe, uint32_t run, const AttentionRows *rows)
{
    CountingProbe *self = (CountingProbe *)probe;
    assert_ptr_equal(rows->keys, self->keys);
    assert_int_equal(rows->token_count, self->sequence->token_count);
    assert_int_equal(run, self->left++);
}

static void count_attend(EncoderProbe *probe, const ProbedRows *shown)
{
    CountingProbe *self = (CountingProbe *)probe;
    assert_int_equal(shown->run, self->left);
    assert_int_equal(shown->rows->token_count, self->sequence->token_count);
    assert_int_equal(shown->rows->head_count, 0);
    atomic_store(&self->keys, shown->rows->keys);
    shown->room.scratch[attention_scratch_size(kernels_select(KERNELS_REFERENCE), shown->plan) - 1] = 1e9f;
    for (size_t i = 0; i < shown->room.space_size; i++) shown->room.space[i] = 1e9f;
    assert_true(shown->room.space_size >= (size_t)PROBE_SPACE_ROWS * shown->rows->token_count);
    assert_true(shown->unit < self->unit_count);
    for (uint32_t i = 0; i < shown->rows->query_count; i++)
        atomic_fetch_add(shown->global ? &self->globals[shown->rows->first_query]
                                       : &self->rows[shown->rows->first_query + i],
                         1);
}

static void count_globals(EncoderProbe *probe, const ProbedGlobals *shown)
{
    CountingProbe *self = (CountingProbe *)probe;
    assert_int_equal(shown->token_count, self->sequence->token_count);
    assert_ptr_equal(shown->hidden, self->first_hidden);
    shown->room.scratch[0] = 1e9f;
    for (size_t i = 0; i < shown->room.space_size; i++) shown->room.space[i] = 1e9f;
    assert_true(shown->unit < self->unit_count);
    for (uint32_t i = 0; i < shown->count; i++) atomic_fetch_add(&self->globals[shown->positions[i]], 1);
}

static void expect_all_rows(const CountingProbe *probe, uint32_t runs)
{
    const EncoderSequence *sequence = probe->sequence;
    assert_int_equal(probe->entered, runs);
    assert_int_equal(probe->left, runs);
    for (uint32_t i = 0; i < sequence->token_count; i++) assert_int_equal(probe->rows[i], runs);
    for (uint32_t i = 0; i < sequence->global_count; i++)
        assert_int_equal(probe->globals[sequence->global_positions[i]], runs);
}

static void look_on(Encoder *encoder, EncoderWorkspace *workspace, const Crew *crew, EncoderSequence *sequences,
                    const float *expected)
{
    const ModelConfig *config = &encoder->config;
    uint32_t tokens = sequences[0].token_count + sequences[1].token_count;
    static CountingProbe probe;
    probe = (CountingProbe){
        .probe = {count_enter, count_attend, count_globals, count_leave},
        .sequence = &sequences[1],
        .unit_count = encoder_probe_units(encoder, sequences[1].token_count, sequences[1].global_count),
    };
    sequences[1].probe = &probe.probe;
    const float *rows = encoder_forward(encoder, workspace, crew, sequences, 2);
    sequences[1].probe = NULL;
    assert_memory_equal(rows, expected, (size_t)tokens * config->hidden_size * sizeof(float));
    assert_ptr_equal(probe.first_hidden, workspace->hidden + config->hidden_size);
    expect_all_rows(&probe, config->layer_count * config->inner_count);
}

/* `window` 0: as the checkpoint says. */
static bool probe_opened(const Golden *golden, uint32_t window)
{
    Encoder *encoder;
    EncoderWorkspace *workspace;
    Error error;
    TestCrew crew = {.crew.run = crew_run_threads, .crew.pause = crew_pause_member};
    golden_check(encoder_open(golden->checkpoint, kernels_select(KERNELS_ALL), &encoder, &error), &error);
    bool opened = window == 0 || encoder_limit_window(encoder, window, &error) == STATUS_OK;
    if (!opened) goto close;
    EncoderSequence sequences[2] = {golden->cases[0].sequence};
    sequences[0].token_count = 1; /* in front, so that rows do not begin where the text does */
    sequences[0].global_count = 0;
    repeat_longest(golden, encoder, &sequences[1]);
    golden_check(encoder_workspace_open(encoder, 1 + sequences[1].token_count, &workspace, &error), &error);
    for (int i = 0; i < MEMBER_COUNT; i++)
        golden_check(encoder_helper_open(encoder, &crew.helpers[i], &error), &error);
    encoder_workspace_set_helpers(workspace, crew.helpers);
    size_t bytes = (sequences[1].token_count + (size_t)1) * encoder->config.hidden_size * sizeof(float);
    float *expected = malloc(bytes);
    assert_non_null(expected);
    memcpy(expected, encoder_forward(encoder, workspace, NULL, sequences, 2), bytes);
    look_on(encoder, workspace, &crew.crew, sequences, expected);
    free(expected);
    for (int i = 0; i < MEMBER_COUNT; i++) encoder_helper_close(crew.helpers[i]);
    encoder_workspace_close(workspace);
close:
    encoder_close(encoder);
    return opened;
}

typedef struct Probed {
    unsigned plain, windowed;
} Probed;

static void probe_model(const char *name, void *state)
{
    Probed *probed = state;
    Golden golden;
    golden_open(name, &golden);
    probed->plain += probe_opened(&golden, 0);
    probed->windowed += probe_opened(&golden, 8);
    golden_close(&golden);
}

static void a_probe_is_shown_each_row_of_each_run_once_and_changes_no_bit(void **state)
{
    (void)state;
    Probed probed = {0};
    golden_each(probe_model, &probed);
    assert_true(probed.plain > 10 && probed.windowed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_is_shown_each_row_of_each_run_once_and_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
