/* Masked copies of a text, and what their labels make of its own. */
#include "pipeline/vote.h"

#include "pipeline/pipeline_state.h"
#include "unit/pipeline/golden.h"

typedef struct Fixture {
    Pipeline *pipeline;
    Arena arena;
    Prepared prepared;
} Fixture;

static void fixture_open(Fixture *fixture, const char *text)
{
    Error error;
    fixture->pipeline = golden_checkpoint("tasks/bert/classify", (PipelineOptions){0});
    arena_init(&fixture->arena, 4 * MIB);
    const PrepareOptions options = {.task = TASK_CLASSIFY, .length_policy = LENGTH_REFUSE};
    if (pipeline_prepare(fixture->pipeline, text_view(text), NULL, &options, &fixture->arena, &fixture->prepared,
                         &error))
        fail_msg("%s", error.message);
}

static void fixture_close(Fixture *fixture)
{
    arena_free(&fixture->arena);
    pipeline_close(fixture->pipeline);
}

static Prepared copy_of(Fixture *fixture, uint32_t index)
{
    Prepared copy;
    Error error;
    if (pipeline_vote_copy(fixture->pipeline, &fixture->prepared, index, &fixture->arena, &copy, &error))
        fail_msg("%s", error.message);
    return copy;
}

static void copies_mask_all_tokens_equally_often(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "the cat and the dog was in the house");
    const Encoding *encoding = &fixture.prepared.encoding;
    uint32_t counts[64] = {0};
    uint32_t mask_id = tokenizer_mask_id(pipeline_tokenizer(fixture.pipeline));
    for (uint32_t i = 0; i < VOTE_COUNT_MAX; i++) {
        Prepared copy = copy_of(&fixture, i), again = copy_of(&fixture, i);
        assert_memory_equal(copy.encoding.ids, again.encoding.ids, encoding->count * sizeof(uint32_t));
        uint32_t masked_count = 0;
        for (uint32_t k = 0; k < encoding->count; k++) {
            if (copy.encoding.ids[k] == encoding->ids[k]) continue;
            assert_int_equal(copy.encoding.ids[k], mask_id);
            assert_int_not_equal(encoding->segments[k], ENCODING_SEGMENT_NONE);
            counts[k]++;
            masked_count++;
        }
        assert_int_equal(masked_count, 3); /* 30 % of 9 */
    }
    for (uint32_t k = 1; k + 1 < encoding->count; k++) assert_in_range(counts[k], 5, 6); /* 48 of 9 */
    fixture_close(&fixture);
}

/* Three labels: copies of logits that are 1 for one label each. */
static Sanitized vote(Fixture *fixture, const uint32_t *labels, uint32_t count, bool repairs, float *logits)
{
    static float values[VOTE_COUNT_MAX][64];
    const float *copies[VOTE_COUNT_MAX];
    for (uint32_t i = 0; i < count; i++) {
        memset(values[i], 0, sizeof values[i]);
        values[i][labels[i]] = 1 + (float)i;
        copies[i] = values[i];
    }
    Sanitized sanitized = {0};
    pipeline_vote(fixture->pipeline, copies, count, 10, repairs, logits, &sanitized);
    return sanitized;
}

static void a_label_that_most_copies_have_is_stable(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "the cat");
    float logits[64] = {1};
    const uint32_t labels[] = {0, 1, 0, 0};
    assert_int_equal(vote(&fixture, labels, 4, true, logits).finding_count, 0);
    assert_int_equal(vote(&fixture, labels, 0, true, logits).finding_count, 0);
    assert_true(logits[0] == 1 && logits[1] == 0);
    fixture_close(&fixture);
}

static void the_majority_is_named_and_answers_if_it_is_asked_to(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "the cat");
    assert_true(pipeline_label_count(fixture.pipeline) >= 2);
    const uint32_t labels[] = {1, 1, 0, 1};
    float logits[64] = {1};
    Sanitized sanitized = vote(&fixture, labels, 4, false, logits);
    assert_int_equal(sanitized.totals[RULE_VOTE_UNSTABLE], 1);
    const Finding *finding = &sanitized.findings[0];
    assert_int_equal(finding->count, 3);
    assert_int_equal(finding->action, ACTION_NONE);
    TextView label = pipeline_label(fixture.pipeline, 1);
    assert_true(text_equal((TextView){finding->detail, finding->detail_size}, label));
    assert_true(logits[0] == 1);
    sanitized = vote(&fixture, labels, 4, true, logits);
    assert_int_equal(sanitized.findings[0].action, ACTION_MAPPED);
    assert_true(logits[0] == 0 && logits[1] == 7.0f / 3.0f); /* the mean of 1, 2 and 4 */
    fixture_close(&fixture);
}

static void a_draw_leaves_the_answer_and_is_reported(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "the cat");
    const uint32_t labels[] = {1, 0, 0, 1};
    float logits[64] = {1};
    Sanitized sanitized = vote(&fixture, labels, 4, true, logits);
    assert_int_equal(sanitized.totals[RULE_VOTE_UNSTABLE], 1);
    assert_int_equal(sanitized.findings[0].action, ACTION_NONE);
    assert_true(logits[0] == 1);
    fixture_close(&fixture);
}

static void scores_of_their_own_are_not_voted_on(void **state)
{
    (void)state;
    Error error;
    Pipeline *pipeline = golden_checkpoint("tasks/bert/classify", (PipelineOptions){0});
    assert_int_equal(pipeline_check_vote(pipeline, &error), STATUS_OK);
    pipeline_close(pipeline);
    pipeline = golden_checkpoint("tasks/bert/classify_many", (PipelineOptions){0});
    assert_int_equal(pipeline_check_vote(pipeline, &error), STATUS_INVALID_ARGUMENT);
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_mask_all_tokens_equally_often),
        cmocka_unit_test(a_label_that_most_copies_have_is_stable),
        cmocka_unit_test(the_majority_is_named_and_answers_if_it_is_asked_to),
        cmocka_unit_test(a_draw_leaves_the_answer_and_is_reported),
        cmocka_unit_test(scores_of_their_own_are_not_voted_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
