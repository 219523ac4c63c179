/* The forward pass shared by several threads, and what it takes of memory. */
#include "unit/encoder/golden_crew.h"

#include "encoder/workspace.h"
#include "kernels/kernels.h"

static void share_model(const char *name, void *state)
{
    unsigned *shared_units = state;
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    Error error;
    TestCrew crew = {.crew.run = crew_run_threads, .crew.pause = crew_pause_member};
    golden_open(name, &golden);
    golden_check(encoder_open(golden.checkpoint, kernels_select(KERNELS_ALL), &encoder, &error), &error);
    EncoderSequence sequences[2] = {golden.cases[0].sequence};
    sequences[0].token_count = 1; /* in front, so that units do not begin where the text does */
    repeat_longest(&golden, encoder, &sequences[1]);
    golden_check(encoder_workspace_open(encoder, 1 + sequences[1].token_count, &workspace, &error), &error);
    for (int i = 0; i < MEMBER_COUNT; i++)
        golden_check(encoder_helper_open(encoder, &crew.helpers[i], &error), &error);
    encoder_workspace_set_helpers(workspace, crew.helpers);
    size_t bytes =
        (sequences[1].token_count + (size_t)1) * checkpoint_config(golden.checkpoint)->hidden_size * sizeof(float);
    float *alone = malloc(bytes);
    assert_non_null(alone);
    memcpy(alone, encoder_forward(encoder, workspace, NULL, sequences, 2), bytes);
    assert_memory_equal(encoder_forward(encoder, workspace, &crew.crew, sequences, 2), alone, bytes);
    *shared_units += crew.units_run;
    free(alone);
    for (int i = 0; i < MEMBER_COUNT; i++) encoder_helper_close(crew.helpers[i]);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

static void a_shared_text_has_the_same_bits(void **state)
{
    (void)state;
    unsigned shared_units = 0;
    golden_each(share_model, &shared_units);
    print_message("%u units\n", shared_units);
    assert_true(shared_units > 100);
}

/* ModernBERT-base: 22 layers, every third of them sees all keys, the others 64 to each side. */
static void a_long_text_takes_its_hidden_rows_and_its_keys_and_values(void **state)
{
    (void)state;
    enum { LAYERS = 22, HIDDEN = 768, INTERMEDIATE = 1152, HEADS = 12, TOKENS = 8192 };
    const uint64_t extra_max = (uint64_t)64 << 20;
    static EncoderLayer layers[LAYERS];
    static const EncoderLayout layout = {.norm_order = NORM_BEFORE};
    Encoder encoder = {.kernels = kernels_select(KERNELS_ALL), .layout = &layout, .layers = layers};
    encoder.config.hidden_size = encoder.config.embedding_size = HIDDEN;
    encoder.config.head_count = encoder.config.key_value_head_count = HEADS;
    encoder.config.head_size = HIDDEN / HEADS;
    encoder.config.layer_count = encoder.config.group_count = LAYERS;
    encoder.config.inner_count = 1;
    encoder.config.position_count = TOKENS;
    for (int i = 0; i < LAYERS; i++) {
        layers[i].intermediate.weights.columns = 2 * INTERMEDIATE;
        layers[i].plan = (AttentionPlan){.head_count = HEADS,
                                         .key_value_head_count = HEADS,
                                         .head_size = HIDDEN / HEADS,
                                         .window_reach = i % 3 ? 64 : ATTENTION_UNLIMITED,
                                         .scale = 0.125f};
    }
    uint64_t hidden = (uint64_t)TOKENS * HIDDEN * sizeof(float);
    uint64_t extra = encoder_workspace_bytes(&encoder, TOKENS) - hidden;
    print_message("%.1f MiB beyond weights and hidden rows\n", (double)extra / (1 << 20));
    assert_true(extra <= extra_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_text_has_the_same_bits),
        cmocka_unit_test(a_long_text_takes_its_hidden_rows_and_its_keys_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
