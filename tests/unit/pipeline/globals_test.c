/* Which tokens are global: by the task, as transformers has them, or by the request; in texts, chunks and windows. */
#include "unit/pipeline/golden.h"

static Prepared prepared_of(const Pipeline *pipeline, const PrepareOptions *options, Arena *arena)
{
    Prepared prepared = {0};
    Error error;
    if (pipeline_prepare(pipeline, text_view("the cat sat on the mat"), NULL, options, arena, &prepared, &error))
        fail_msg("%s", error.message);
    return prepared;
}

static void tasks_have_global_tokens_of_their_own(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/longformer/classify", (PipelineOptions){0});
    Arena arena;
    arena_init(&arena, MIB);
    const Prepared none = prepared_of(pipeline, &(PrepareOptions){.task = TASK_EMBED}, &arena);
    assert_int_equal(none.global_count, 0);
    const Prepared first = prepared_of(pipeline, &(PrepareOptions){.task = TASK_CLASSIFY}, &arena);
    assert_int_equal(first.global_count, 1);
    assert_int_equal(first.global_positions[0], 0);
    static const uint32_t positions[] = {1, 4};
    const PrepareOptions options = {.task = TASK_CLASSIFY, .global_positions = positions, .global_count = 2};
    const Prepared asked = prepared_of(pipeline, &options, &arena);
    assert_int_equal(asked.global_count, 2);
    assert_memory_equal(asked.global_positions, positions, sizeof positions);
    assert_true(asked.work > first.work && first.work > none.work);
    arena_free(&arena);
    pipeline_close(pipeline);
}

static void positions_beyond_a_text_are_refused(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/longformer/classify", (PipelineOptions){0});
    Arena arena;
    arena_init(&arena, MIB);
    const Prepared whole = prepared_of(pipeline, &(PrepareOptions){.task = TASK_EMBED}, &arena);
    const uint32_t positions[] = {0, whole.encoding.count};
    const PrepareOptions options = {.task = TASK_EMBED, .global_positions = positions, .global_count = 2};
    Prepared prepared;
    Error error;
    assert_int_equal(
        pipeline_prepare(pipeline, text_view("the cat sat on the mat"), NULL, &options, &arena, &prepared, &error),
        STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "counted from 0"));
    arena_free(&arena);
    pipeline_close(pipeline);
}

/* In each window; of asked ones, those within it. */
static void questions_are_global_in_each_window(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/longformer/answer", (PipelineOptions){0});
    uint32_t separator = checkpoint_config(pipeline_checkpoint(pipeline))->separator_id;
    Arena arena;
    arena_init(&arena, 4 * MIB);
    char context[4096] = "";
    for (int i = 0; i < 300; i++) strcat(context, "the cat ");
    PrepareOptions options = {.task = TASK_ANSWER};
    Prepared whole, *windows = NULL;
    uint32_t count = 0;
    Error error;
    Status status = pipeline_prepare_answer(pipeline, text_view("who sat"), text_view(context), &options, &arena,
                                            &whole, &windows, &count, &error);
    if (status) fail_msg("%s", error.message);
    assert_true(count > 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t expected = 0;
        while (windows[i].encoding.ids[expected] != separator) expected++;
        assert_int_equal(windows[i].global_count, expected);
        assert_int_equal(windows[i].global_positions[expected - 1], expected - 1);
    }
    const uint32_t positions[] = {0, windows[count - 1].encoding.count};
    assert_true(positions[1] < windows[0].encoding.count);
    options.global_positions = positions;
    options.global_count = 2;
    status = pipeline_prepare_answer(pipeline, text_view("who sat"), text_view(context), &options, &arena, &whole,
                                     &windows, &count, &error);
    if (status) fail_msg("%s", error.message);
    assert_int_equal(windows[0].global_count, 2);
    assert_int_equal(windows[count - 1].global_count, 1);
    arena_free(&arena);
    pipeline_close(pipeline);
}

static void window_mode_has_both_ends(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/nomic_bert/classify", (PipelineOptions){.attention_window = 8});
    Arena arena;
    arena_init(&arena, MIB);
    const Prepared prepared = prepared_of(pipeline, &(PrepareOptions){.task = TASK_EMBED}, &arena);
    assert_int_equal(prepared.global_count, 2);
    assert_int_equal(prepared.global_positions[0], 0);
    assert_int_equal(prepared.global_positions[1], prepared.encoding.count - 1);
    arena_free(&arena);
    pipeline_close(pipeline);
}

/* BigBird's class makes types of its own, which the template's are not. */
static void bigbirds_types_begin_behind_the_question(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_checkpoint("tasks/big_bird/answer", (PipelineOptions){0});
    const ModelConfig *config = checkpoint_config(pipeline_checkpoint(pipeline));
    Arena arena;
    arena_init(&arena, MIB);
    Prepared whole, *windows = NULL;
    uint32_t count = 0;
    Error error;
    Status status =
        pipeline_prepare_answer(pipeline, text_view("who sat"), text_view("the cat sat"),
                                &(PrepareOptions){.task = TASK_ANSWER}, &arena, &whole, &windows, &count, &error);
    if (status) fail_msg("%s", error.message);
    const Encoding *encoding = &windows[0].encoding;
    uint8_t type = 0;
    for (uint32_t i = 0; i < encoding->count; i++) {
        assert_int_equal(encoding->type_ids[i], config->type_count > 1 ? type : 0);
        if (encoding->ids[i] == config->separator_id) type = 1;
    }
    assert_int_equal(type, 1);
    assert_int_equal(windows[0].global_count, 0);
    arena_free(&arena);
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_have_global_tokens_of_their_own),
        cmocka_unit_test(positions_beyond_a_text_are_refused),
        cmocka_unit_test(questions_are_global_in_each_window),
        cmocka_unit_test(window_mode_has_both_ends),
        cmocka_unit_test(bigbirds_types_begin_behind_the_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
