/* What a probe makes of a text that a crew shares: the same bits as without one. */
#include "explain/attention.h"

#include "explain/value_norm.h"
#include "unit/encoder/golden_crew.h"
#include "unit/explain/pooled.h"

typedef struct Shared {
    Encoder *encoder;
    EncoderWorkspace *workspace;
    EncoderSequence sequences[2];
    const Crew *crew; /* NULL: nobody helps */
    Arena arena;
} Shared;

static bool every_row(const void *context, uint32_t row)
{
    (void)context, (void)row;
    return true;
}

/* Behind another text, so that rows do not begin where the batch does. */
static void run_shared(Shared *shared, EncoderProbe *probe)
{
    shared->sequences[1].probe = probe;
    encoder_forward(shared->encoder, shared->workspace, shared->crew, shared->sequences, 2);
}

static ExplainSequence shared_sequence(const Shared *shared)
{
    return (ExplainSequence){.encoder = shared->encoder,
                             .token_count = shared->sequences[1].token_count,
                             .global_positions = shared->sequences[1].global_positions,
                             .global_count = shared->sequences[1].global_count,
                             .is_pooled = every_row};
}

static const ExplainWeights *explain_shared(Shared *shared, const ExplainSpec *spec, uint32_t *out_count)
{
    Error error;
    ExplainAttention *attention;
    const ExplainSequence explained = shared_sequence(shared);
    const ExplainAsked asked = {spec, &explained};
    PooledFan fan;
    pooled_fan_open(&asked, &shared->arena, &fan);
    golden_check(explain_attention_open(&asked, fan.pooled, &shared->arena, &attention, &error), &error);
    run_shared(shared, pooled_fan_probe(&fan, explain_attention_probe(attention)));
    return explain_attention_weights(attention, out_count);
}

static const float *norms_shared(Shared *shared)
{
    Error error;
    ExplainValueNorm *norm;
    static const ExplainSpec spec = {0};
    const ExplainSequence explained = shared_sequence(shared);
    const ExplainAsked asked = {&spec, &explained};
    PooledFan fan;
    pooled_fan_open(&asked, &shared->arena, &fan);
    golden_check(explain_value_norm_open(&asked, fan.pooled, &shared->arena, &norm, &error), &error);
    run_shared(shared, pooled_fan_probe(&fan, explain_value_norm_probe(norm)));
    return explain_value_norm_scores(norm);
}

static void compare_shared(Shared *shared, const Crew *crew, const ExplainSpec *spec)
{
    uint32_t count;
    arena_init(&shared->arena, SIZE_MAX / 2);
    shared->crew = NULL;
    const ExplainWeights *alone = explain_shared(shared, spec, &count);
    const float *norms = norms_shared(shared);
    shared->crew = crew;
    const ExplainWeights *together = explain_shared(shared, spec, &count);
    for (uint32_t i = 0; i < count; i++) {
        size_t rows = alone[i].row_count;
        size_t entries =
            alone[i].row_offsets ? alone[i].row_offsets[rows] : rows * shared->sequences[1].token_count;
        assert_memory_equal(together[i].weights, alone[i].weights, entries * sizeof(float));
        assert_memory_equal(together[i].dropped, alone[i].dropped, rows * sizeof(float));
        if (alone[i].columns)
            assert_memory_equal(together[i].columns, alone[i].columns, entries * sizeof(uint32_t));
    }
    assert_memory_equal(norms_shared(shared), norms, shared->sequences[1].token_count * sizeof *norms);
    arena_free(&shared->arena);
}

/* `window` 0: as the checkpoint says. */
static void share_model(const char *name, uint32_t window)
{
    Golden golden;
    Error error;
    Shared shared = {0};
    TestCrew crew = {.crew.run = crew_run_threads, .crew.pause = crew_pause_member};
    golden_open(name, &golden);
    golden_check(encoder_open(golden.checkpoint, kernels_select(KERNELS_ALL), &shared.encoder, &error), &error);
    if (window) golden_check(encoder_limit_window(shared.encoder, window, &error), &error);
    shared.sequences[0] = golden.cases[0].sequence;
    shared.sequences[0].global_count = 0;
    repeat_longest(&golden, shared.encoder, &shared.sequences[1]);
    uint32_t tokens = shared.sequences[0].token_count + shared.sequences[1].token_count;
    golden_check(encoder_workspace_open(shared.encoder, tokens, &shared.workspace, &error), &error);
    for (int i = 0; i < MEMBER_COUNT; i++)
        golden_check(encoder_helper_open(shared.encoder, &crew.helpers[i], &error), &error);
    encoder_workspace_set_helpers(shared.workspace, crew.helpers);
    static const ExplainSpec specs[] = {
        {.rows = EXPLAIN_ROWS_POOLED},
        {.rows = EXPLAIN_ROWS_ALL, .form = EXPLAIN_FORM_TOP_K, .top_k = 5, .aggregate = EXPLAIN_HEADS_MEAN},
        {.rows = EXPLAIN_ROWS_ALL, .form = EXPLAIN_FORM_SPARSE},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) compare_shared(&shared, &crew.crew, &specs[i]);
    for (int i = 0; i < MEMBER_COUNT; i++) encoder_helper_close(crew.helpers[i]);
    encoder_workspace_close(shared.workspace);
    encoder_close(shared.encoder);
    golden_close(&golden);
}

static void a_crew_leaves_an_explanation_its_bits(void **state)
{
    (void)state;
    share_model("modernbert/window_of_8", 0);
    share_model("longformer/window_of_8", 0);
    share_model("big_bird/blocks_of_4", 0);
    share_model("jina-v2/head_of_64", 0);
    share_model("gte/published_settings", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crew_leaves_an_explanation_its_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
