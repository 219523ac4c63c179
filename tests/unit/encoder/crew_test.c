/* The forward pass shared by several threads, and what it takes of memory. */
#include "unit/encoder/golden.h"

#include "encoder/workspace.h"
#include "kernels/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { MEMBER_COUNT = 2, REPEATED_TOKENS_MAX = 1100 };

/* A crew of a leader and MEMBER_COUNT threads, started for each call. */
typedef struct TestCrew {
    Crew crew;
    EncoderHelper *helpers[MEMBER_COUNT];
    atomic_uint units_run;
    CrewUnit unit;
    void *context;
    uint32_t unit_count;
    atomic_uint next;
} TestCrew;

typedef struct TestMember {
    TestCrew *crew;
    pthread_t thread;
    uint32_t index;
} TestMember;

static void crew_take_units(TestCrew *crew, uint32_t member)
{
    uint32_t taken;
    while ((taken = atomic_fetch_add(&crew->next, 1)) < crew->unit_count) {
        crew->unit(crew->context, crew->unit_count - 1 - taken, member); /* the last first */
        atomic_fetch_add(&crew->units_run, 1);
    }
}

static void *crew_member_main(void *argument)
{
    const TestMember *member = argument;
    crew_take_units(member->crew, member->index);
    return NULL;
}

static void crew_run_threads(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context)
{
    TestCrew *self = (TestCrew *)((char *)(uintptr_t)crew - offsetof(TestCrew, crew));
    TestMember members[MEMBER_COUNT];
    self->unit = unit;
    self->context = context;
    self->unit_count = unit_count;
    atomic_store(&self->next, 0);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) {
        members[i] = (TestMember){.crew = self, .index = i};
        assert_int_equal(pthread_create(&members[i].thread, NULL, crew_member_main, &members[i]), 0);
    }
    crew_take_units(self, CREW_LEADER);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) pthread_join(members[i].thread, NULL);
}

static void crew_pause_member(const Crew *crew, uint32_t member)
{
    (void)crew;
    assert_true(member < MEMBER_COUNT);
}

/* The longest case over and over, for several units; as far as there are positions, where they have a table. */
static void repeat_longest(const Golden *golden, Encoder *encoder, EncoderSequence *out_sequence)
{
    static uint32_t ids[REPEATED_TOKENS_MAX];
    static uint8_t types[REPEATED_TOKENS_MAX];
    EncoderSequence longest = golden->cases[0].sequence;
    for (uint32_t i = 1; i < golden->case_count; i++)
        if (golden->cases[i].sequence.token_count > longest.token_count) longest = golden->cases[i].sequence;
    if (!encoder->position_embeddings) encoder->config.position_count = REPEATED_TOKENS_MAX;
    uint32_t limit = encoder->config.position_count;
    uint32_t count = limit < REPEATED_TOKENS_MAX ? limit : REPEATED_TOKENS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = longest.ids[i % longest.token_count];
        types[i] = longest.type_ids[i % longest.token_count];
    }
    *out_sequence = (EncoderSequence){.ids = ids, .type_ids = types, .token_count = count};
    static uint32_t globals[] = {0, 3, 0};
    globals[2] = count - 1;
    if (!encoder_takes_globals(encoder)) return;
    out_sequence->global_positions = globals;
    out_sequence->global_count = 3;
}

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
