#include "explain/faithfulness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FEATURE_COUNT = 100 };

/* The first ten features hold the whole score, a tenth each. */
static float score_of(const uint8_t *kept)
{
    float score = 0;
    for (int i = 0; i < 10; i++) score += kept[i] ? 0.1F : 0;
    return score;
}

static ExplainFaithfulness measure(Study *study, const float *scores)
{
    StudyRound round;
    faithfulness_set_scores(study, scores);
    study->text.whole.score = 1;
    study->next(study, NULL, &round);
    assert_int_equal(round.copy_count, faithfulness_copies(FEATURE_COUNT));
    for (uint32_t i = 0; i < round.copy_count; i++)
        round.answers[i].score = score_of(round.kept + (size_t)i * FEATURE_COUNT);
    StudyRound last = round;
    study->next(study, &last, &round);
    assert_int_equal(round.copy_count, 0);
    return faithfulness_result(study);
}

static void faithfulness_tells_true_scores_from_wrong_ones(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, faithfulness_bytes(FEATURE_COUNT));
    Study *study = faithfulness_open(FEATURE_COUNT, &arena);
    assert_non_null(study);
    float scores[FEATURE_COUNT];
    for (int i = 0; i < FEATURE_COUNT; i++) scores[i] = (float)-i;
    ExplainFaithfulness right = measure(study, scores);
    /* 1, 5, 10, 20 and 50 features of 100. */
    assert_float_equal(right.comprehensiveness, (0.1 + 0.5 + 1 + 1 + 1) / 5, 1e-6);
    assert_float_equal(right.sufficiency, (0.9 + 0.5) / 5, 1e-6);
    for (int i = 0; i < FEATURE_COUNT; i++) scores[i] = (float)i;
    ExplainFaithfulness wrong = measure(study, scores);
    assert_float_equal(wrong.comprehensiveness, 0, 1e-6);
    assert_float_equal(wrong.sufficiency, 1, 1e-6);
    for (int i = 0; i < FEATURE_COUNT; i++) scores[i] = 1; /* the first come first */
    assert_float_equal(measure(study, scores).comprehensiveness, right.comprehensiveness, 1e-6);
    arena_free(&arena);
}

static void faithfulness_of_few_features_takes_one_at_least(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, faithfulness_bytes(1));
    Study *study = faithfulness_open(1, &arena);
    StudyRound round;
    faithfulness_set_scores(study, &(float){0.5F});
    study->next(study, NULL, &round);
    for (uint32_t i = 0; i < round.copy_count; i++) assert_int_equal(round.kept[i], i >= round.copy_count / 2);
    arena_free(&arena);
}

static void faithfulness_of_nothing_is_nothing(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, faithfulness_bytes(0));
    Study *study = faithfulness_open(0, &arena);
    StudyRound round;
    faithfulness_set_scores(study, NULL);
    study->next(study, NULL, &round);
    assert_int_equal(round.copy_count, 0);
    assert_int_equal(faithfulness_copies(0), 0);
    assert_true(faithfulness_result(study).comprehensiveness == 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faithfulness_tells_true_scores_from_wrong_ones),
        cmocka_unit_test(faithfulness_of_few_features_takes_one_at_least),
        cmocka_unit_test(faithfulness_of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
