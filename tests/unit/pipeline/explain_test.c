/* Explanations take no more of an arena than they announce. */
#include "pipeline/explain.h"

#include "unit/pipeline/golden.h"

typedef struct Case {
    const char *checkpoint;
    Task task;
    const char *text;
} Case;

static const Case cases[] = {
    {"tasks/bert/classify", TASK_CLASSIFY, "the cat"},
    {"tasks/bert/classify", TASK_CLASSIFY, "The cat and the dog - it's the house, the cat! And the dog, again."},
    {"tasks/longformer/classify", TASK_CLASSIFY, "the cat and the dog and the house"},
    {"pipeline/passages", TASK_EMBED, "the cat and the dog"},
};

static void open_in_what_is_announced(const Pipeline *pipeline, const Case *one, const ExplainSpec *spec)
{
    const char *field;
    Prepared prepared;
    PipelineExplain *explain;
    Arena text_arena, arena;
    Error error;
    const PrepareOptions options = {.task = one->task, .length_policy = LENGTH_TRUNCATE_RIGHT};
    if (pipeline_check_explain(pipeline, one->task, spec, &field, &error)) return; /* no gradients of Longformer */
    arena_init(&text_arena, 4 * MIB);
    if (pipeline_prepare(pipeline, text_view(one->text), NULL, &options, &text_arena, &prepared, &error))
        fail_msg("%s", error.message);
    const ExplainCost cost = pipeline_explain_cost(pipeline, one->task, spec, &prepared);
    arena_init(&arena, cost.memory_bytes + ARENA_CHUNK_HEADER_BYTES_MAX);
    assert_true(arena_reserve(&arena, cost.memory_bytes));
    if (pipeline_explain_open(pipeline, one->task, spec, &prepared, text_view(one->text), (TextView){0}, &arena,
                              &explain, &error))
        fail_msg("%s, methods %x: %s", one->checkpoint, spec->methods, error.message);
    arena_free(&arena);
    arena_free(&text_arena);
}

static void explain_takes_what_it_announces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Pipeline *pipeline = golden_checkpoint(cases[i].checkpoint, (PipelineOptions){0});
        for (uint32_t method = 0; method <= EXPLAIN_METHOD_COUNT; method++) {
            bool each = method < EXPLAIN_METHOD_COUNT; /* and in the end all of them together */
            ExplainSpec spec = {.methods = each ? 1u << method : (1u << EXPLAIN_METHOD_COUNT) - 1,
                                .sample_count = 100,
                                .step_count = 4};
            open_in_what_is_announced(pipeline, &cases[i], &spec);
            spec.faithfulness = true;
            open_in_what_is_announced(pipeline, &cases[i], &spec);
        }
        pipeline_close(pipeline);
    }
}

static void explain_makes_the_pooled_row_once(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/bert/classify", (PipelineOptions){0});
    const PrepareOptions options = {.task = TASK_CLASSIFY, .length_policy = LENGTH_TRUNCATE_RIGHT};
    const ExplainSpec norms = {.methods = 1u << EXPLAIN_VALUE_NORM};
    const ExplainSpec both = {.methods = 1u << EXPLAIN_VALUE_NORM | 1u << EXPLAIN_ATTENTION};
    Prepared prepared;
    Arena arena;
    Error error;
    arena_init(&arena, 4 * MIB);
    if (pipeline_prepare(pipeline, text_view(cases[1].text), NULL, &options, &arena, &prepared, &error))
        fail_msg("%s", error.message);
    assert_int_equal(pipeline_explain_cost(pipeline, TASK_CLASSIFY, &both, &prepared).passing_work,
                     pipeline_explain_cost(pipeline, TASK_CLASSIFY, &norms, &prepared).passing_work);
    arena_free(&arena);
    pipeline_close(pipeline);
}

/* As a feature and in its condition: a word may be nearly all of the text. */
static void explain_counts_what_a_rule_names_twice(void **state)
{
    (void)state;
    static const char text[] = "thecatandthedogandthehouseandthecatagain";
    Pipeline *pipeline = golden_checkpoint("tasks/bert/classify", (PipelineOptions){0});
    const PrepareOptions options = {.task = TASK_CLASSIFY, .length_policy = LENGTH_TRUNCATE_RIGHT};
    const ExplainSpec spec = {.methods = 1u << EXPLAIN_ANCHOR_RULE};
    Prepared prepared;
    Arena arena;
    Error error;
    arena_init(&arena, 4 * MIB);
    if (pipeline_prepare(pipeline, text_view(text), NULL, &options, &arena, &prepared, &error))
        fail_msg("%s", error.message);
    const ExplainCost cost = pipeline_explain_cost(pipeline, TASK_CLASSIFY, &spec, &prepared);
    assert_true(cost.counts.feature_bytes >= 2 * strlen(text));
    arena_free(&arena);
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_takes_what_it_announces),
        cmocka_unit_test(explain_makes_the_pooled_row_once),
        cmocka_unit_test(explain_counts_what_a_rule_names_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
