/* Copies without some tokens say what the text without them says, global tokens and all. */
#include "pipeline/study_run.h"

#include "unit/pipeline/golden.h"

enum { CAPACITY_TOKENS = 64 };

typedef struct Fixture {
    Pipeline *pipeline;
    PipelineWorkspace *workspace;
    Arena arena;
} Fixture;

static void fixture_open(Fixture *fixture, const char *name, uint32_t item_capacity)
{
    Error error;
    fixture->pipeline = golden_checkpoint(name, (PipelineOptions){0});
    arena_init(&fixture->arena, 4 * MIB);
    if (pipeline_workspace_open(fixture->pipeline, CAPACITY_TOKENS, item_capacity, &fixture->workspace, &error))
        fail_msg("%s", error.message);
}

static void fixture_close(Fixture *fixture)
{
    arena_free(&fixture->arena);
    pipeline_workspace_close(fixture->workspace);
    pipeline_close(fixture->pipeline);
}

static Prepared prepared_of(Fixture *fixture, const char *text, const uint32_t *globals, uint32_t global_count)
{
    Prepared prepared = {0};
    Error error;
    const PrepareOptions options = {
        .task = TASK_CLASSIFY, .global_positions = globals, .global_count = global_count};
    if (pipeline_prepare(fixture->pipeline, text_view(text), NULL, &options, &fixture->arena, &prepared, &error))
        fail_msg("%s", error.message);
    return prepared;
}

static void run_item(Fixture *fixture, const Prepared *prepared, float *output)
{
    PipelineItem item = {.prepared = prepared, .task = TASK_CLASSIFY, .output = output};
    PipelineItem *items[] = {&item};
    pipeline_run(fixture->pipeline, fixture->workspace, NULL, items, 1);
    assert_int_equal(item.status, STATUS_OK);
}

/* A study of one round. */
typedef struct OneRound {
    Study study; /* first */
    StudyRound round;
} OneRound;

static void one_round_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    *out_round = ((OneRound *)study)->round;
    if (last) out_round->copy_count = 0;
}

/* Answers to copies of `whole`, of kept[count][its tokens of the text]; returns the steps they took. */
static uint32_t run_copies(Fixture *fixture, const Prepared *whole, ExplainRemoval removal, uint8_t *kept,
                           uint32_t count, StudyAnswer *answers)
{
    const ExplainSpec spec = {0};
    const ExplainSubject subject = {
        .pipeline = fixture->pipeline, .task = TASK_CLASSIFY, .spec = &spec, .prepared = whole, .target = 1};
    uint32_t features[CAPACITY_TOKENS];
    uint32_t feature_count = copies_number_tokens(whole, features);
    Arena arena;
    arena_init(&arena, copies_bytes(&subject));
    Copies *copies = copies_open(&subject, features, feature_count, removal, &arena);
    assert_non_null(copies);
    float output[64];
    run_item(fixture, whole, output);
    const PipelineItem item = {.prepared = whole, .task = TASK_CLASSIFY, .output = output};
    const ExplainStep step = {.item = &item, .workspace = fixture->workspace};
    OneRound study = {.study = {.next = one_round_next, .text = {.feature_count = feature_count}},
                      .round = {.kept = kept, .answers = answers, .copy_count = count}};
    StudyRun run = {.study = &study.study, .copies = copies};
    uint32_t step_count = 0;
    Error error;
    for (bool done = false; !done; step_count++)
        if (study_run_step(&run, &step, &done, &error)) fail_msg("%s", error.message);
    assert_true(study.study.text.whole.score == scores_value(fixture->pipeline, TASK_CLASSIFY, output, 1));
    arena_free(&arena);
    return step_count;
}

static float score_of(Fixture *fixture, const Prepared *prepared)
{
    float output[64];
    run_item(fixture, prepared, output);
    return scores_value(fixture->pipeline, TASK_CLASSIFY, output, 1);
}

static void copies_without_words_are_the_shorter_text(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "tasks/longformer/classify", 4);
    static const uint32_t globals[] = {0, 2, 4, 7};
    static const uint32_t globals_left[] = {0, 2, 4};
    const Prepared whole = prepared_of(&fixture, "the cat and the dog", globals, 4);
    const Prepared shorter = prepared_of(&fixture, "the and dog", globals_left, 3);
    uint8_t kept[] = {1, 1, 0, 0, 1, 0, 1, 1}; /* t he, c at, and, the, do g */
    uint32_t features[CAPACITY_TOKENS];
    assert_int_equal(copies_number_tokens(&whole, features), sizeof kept);
    assert_int_equal(shorter.encoding.count, 7);
    StudyAnswer answer;
    run_copies(&fixture, &whole, EXPLAIN_DELETE, kept, 1, &answer);
    assert_true(answer.score == score_of(&fixture, &shorter));
    fixture_close(&fixture);
}

static void copies_with_masks_have_the_mask_for_tokens(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "tasks/bert/classify", 4);
    Prepared whole = prepared_of(&fixture, "the cat and the dog", NULL, 0);
    assert_int_equal(whole.encoding.count, 7);
    uint8_t kept[] = {1, 0, 1, 1, 1};
    StudyAnswer answer;
    run_copies(&fixture, &whole, EXPLAIN_MASK, kept, 1, &answer);
    whole.encoding.ids[2] = tokenizer_mask_id(pipeline_tokenizer(fixture.pipeline));
    assert_true(answer.score == score_of(&fixture, &whole));
    fixture_close(&fixture);
}

/* A workspace for one text at a time is one that --max-batch-requests 1 gives, or a lane. */
static void batches_of_copies_do_not_change_their_bits(void **state)
{
    (void)state;
    enum { COPIES = 12, WORDS = 5 };
    uint8_t kept[COPIES * WORDS];
    StudyAnswer alone[COPIES], together[COPIES];
    for (uint32_t i = 0; i < COPIES * WORDS; i++) kept[i] = i * 7 % 3 > 0;
    for (int removal = EXPLAIN_MASK; removal <= EXPLAIN_DELETE; removal++) {
        for (uint32_t capacity = 1; capacity <= 16; capacity += 15) {
            Fixture fixture;
            fixture_open(&fixture, "tasks/bert/classify", capacity);
            const Prepared whole = prepared_of(&fixture, "the cat and the dog", NULL, 0);
            uint32_t steps = run_copies(&fixture, &whole, (ExplainRemoval)removal, kept, COPIES,
                                        capacity == 1 ? alone : together);
            uint32_t most = EXPLAIN_STEP_TOKENS / whole.encoding.count;
            assert_int_equal(steps, capacity == 1 ? COPIES : (COPIES + most - 1) / most);
            fixture_close(&fixture);
        }
        for (int i = 0; i < COPIES; i++) assert_true(alone[i].score == together[i].score);
        for (int i = 0; i < COPIES; i++) assert_int_equal(alone[i].agrees, together[i].agrees);
    }
}

static void a_copy_without_any_word_is_what_the_template_leaves(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "tasks/bert/classify", 4);
    const Prepared whole = prepared_of(&fixture, "the cat", NULL, 0);
    uint8_t kept[] = {0, 0};
    StudyAnswer answer;
    run_copies(&fixture, &whole, EXPLAIN_DELETE, kept, 1, &answer);
    const Prepared empty = prepared_of(&fixture, "", NULL, 0);
    assert_int_equal(empty.encoding.count, 2);
    assert_true(answer.score == score_of(&fixture, &empty));
    fixture_close(&fixture);
}

/* As of a tokenizer without a template. */
static void a_copy_keeps_a_token(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "tasks/bert/classify", 4);
    Prepared whole = prepared_of(&fixture, "the cat and the dog", NULL, 0);
    memset(whole.encoding.segments, 0, whole.encoding.count);
    uint8_t kept[7] = {0};
    StudyAnswer answer;
    run_copies(&fixture, &whole, EXPLAIN_DELETE, kept, 1, &answer);
    Prepared last = whole;
    last.encoding.ids += whole.encoding.count - 1;
    last.encoding.count = 1;
    assert_true(answer.score == score_of(&fixture, &last));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_without_words_are_the_shorter_text),
        cmocka_unit_test(copies_with_masks_have_the_mask_for_tokens),
        cmocka_unit_test(batches_of_copies_do_not_change_their_bits),
        cmocka_unit_test(a_copy_without_any_word_is_what_the_template_leaves),
        cmocka_unit_test(a_copy_keeps_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
