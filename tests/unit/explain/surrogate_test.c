/* Surrogates of models that are known in full. */
#include "explain/surrogate.h"

#include "base/limits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ARENA_CHUNK_HEADER_BYTES = 64 };

/* The score of a copy; it agrees from 0.5 on. */
typedef float Model(const uint8_t *kept, uint32_t feature_count);

static StudyAnswer answer_of(Model *model, const uint8_t *kept, uint32_t feature_count)
{
    float score = model(kept, feature_count);
    return (StudyAnswer){score, score >= 0.5F};
}

/* Runs a study to its end, in an arena that holds what was announced and no more. */
static const ExplainSurrogate *surrogate_of(ExplainMethod method, Model *model, uint32_t feature_count,
                                            uint32_t sample_count, uint64_t seed, Arena *arena)
{
    uint8_t all[EXPLAIN_FEATURE_COUNT_MAX];
    memset(all, 1, sizeof all);
    const StudyText text = {feature_count, answer_of(model, all, feature_count)};
    arena_init(arena, surrogate_bytes(method, feature_count, sample_count));
    Study *study = surrogate_open(method, &text, sample_count, seed, arena);
    assert_non_null(study);
    StudyRound rounds[2];
    uint32_t asked = 0;
    study->next(study, NULL, &rounds[0]);
    for (unsigned at = 0; rounds[at].copy_count > 0; at = !at) {
        assert_in_range(rounds[at].copy_count, 1, STUDY_ROUND_COPIES_MAX);
        asked += rounds[at].copy_count;
        for (uint32_t i = 0; i < rounds[at].copy_count; i++)
            rounds[at].answers[i] = answer_of(model, rounds[at].kept + (size_t)i * feature_count, feature_count);
        study->next(study, &rounds[at], &rounds[!at]);
    }
    assert_in_range(asked, 0, surrogate_copies_max(feature_count, sample_count));
    assert_int_equal(surrogate_result(study)->sample_count, asked);
    return surrogate_result(study);
}

static float constant_model(const uint8_t *kept, uint32_t feature_count)
{
    (void)kept, (void)feature_count;
    return 0.75F;
}

/* Words 2, 5 and 11 of 12 and more count. */
static float linear_model(const uint8_t *kept, uint32_t feature_count)
{
    (void)feature_count;
    return 0.4F + 0.3F * kept[2] - 0.2F * kept[5] + 0.1F * kept[11];
}

static void surrogate_linear_finds_the_weights_of_a_linear_model(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_SURROGATE_LINEAR, linear_model, 20, 1000, 1, &arena);
    static const uint32_t features[] = {2, 5, 11};
    static const float weights[] = {0.3F, -0.2F, 0.1F};
    assert_int_equal(found->method, EXPLAIN_SURROGATE_LINEAR);
    assert_int_equal(found->feature_count, 10);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(found->features[i], features[i]);
        assert_float_equal(found->weights[i], weights[i], 0.01); /* ridge draws them towards 0 */
    }
    for (unsigned i = 3; i < 10; i++) assert_float_equal(found->weights[i], 0, 1e-3);
    assert_true(found->fidelity > 0.999F && found->fidelity <= 1);
    arena_free(&arena);
}

/* Expected: sklearn's Ridge(alpha=1) of all copies of three words, each weighted by lime's kernel and as often as
 * it is drawn on average. Draws scatter by 0.005. */
static float three_words(const uint8_t *kept, uint32_t feature_count)
{
    (void)feature_count;
    return kept[0] && kept[1] ? 0.9F : kept[2] ? 0.5F : 0.2F;
}

static void surrogate_linear_is_limes_ridge_regression(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_SURROGATE_LINEAR, three_words, 3, 10000, 3, &arena);
    static const float expected[] = {0.4084F, 0.4084F, 0.1757F};
    assert_int_equal(found->feature_count, 3);
    for (unsigned i = 0; i < 3; i++) assert_float_equal(found->weights[i], expected[found->features[i]], 0.02);
    assert_float_equal(found->fidelity, 0.6196, 0.03);
    arena_free(&arena);
}

/* A tree of depth 3 itself. */
static float tree_model(const uint8_t *kept, uint32_t feature_count)
{
    (void)feature_count;
    if (!kept[4]) return kept[1] ? 0.3F : 0.1F;
    if (!kept[7]) return 0.5F;
    return kept[9] ? 0.95F : 0.85F;
}

static void surrogate_tree_finds_a_tree(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_SURROGATE_TREE, tree_model, 12, 1000, 1, &arena);
    const ExplainNode *nodes = found->nodes;
    assert_int_equal(found->node_count, 9);
    assert_int_equal(nodes[0].feature, 4);
    assert_int_equal(nodes[0].sample_count, 1000);
    const ExplainNode *with = &nodes[nodes[0].if_true], *without = &nodes[nodes[0].if_false];
    assert_int_equal(with->feature, 7);
    assert_int_equal(without->feature, 1);
    assert_float_equal(nodes[without->if_true].value, 0.3, 1e-6);
    assert_float_equal(nodes[without->if_false].value, 0.1, 1e-6);
    assert_float_equal(nodes[with->if_false].value, 0.5, 1e-6);
    assert_int_equal(nodes[with->if_true].feature, 9);
    assert_float_equal(nodes[nodes[with->if_true].if_true].value, 0.95, 1e-6);
    assert_float_equal(found->fidelity, 1, 0);
    arena_free(&arena);
}

static void surrogate_tree_of_a_constant_is_one_leaf(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_SURROGATE_TREE, constant_model, 12, 100, 1, &arena);
    assert_int_equal(found->node_count, 1);
    assert_int_equal(found->nodes[0].feature, -1);
    assert_float_equal(found->nodes[0].value, 0.75, 0);
    assert_float_equal(found->fidelity, 1, 0);
    arena_free(&arena);
}

/* Two words hold the label together; others by chance, in one copy of 8. */
static float rule_model(const uint8_t *kept, uint32_t feature_count)
{
    (void)feature_count;
    return (kept[3] && kept[8]) || (kept[0] && kept[1] && kept[2]) ? 0.9F : 0.1F;
}

static void surrogate_anchor_finds_the_words_that_hold_the_label(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        Arena arena;
        const ExplainSurrogate *found = surrogate_of(EXPLAIN_ANCHOR_RULE, rule_model, 15, 1000, seed, &arena);
        assert_int_equal(found->feature_count, 2);
        assert_int_equal(found->features[0], 3);
        assert_int_equal(found->features[1], 8);
        assert_float_equal(found->fidelity, 1, 0);
        assert_float_equal(found->coverage, 0.25, 0);
        arena_free(&arena);
    }
}

static void surrogate_anchor_of_a_constant_needs_no_word(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_ANCHOR_RULE, constant_model, 15, 1000, 1, &arena);
    assert_int_equal(found->feature_count, 0);
    assert_float_equal(found->fidelity, 1, 0);
    assert_float_equal(found->coverage, 1, 0);
    arena_free(&arena);
}

/* The label holds with nine words of ten only. */
static float fragile_model(const uint8_t *kept, uint32_t feature_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < feature_count; i++) count += kept[i];
    return count * 10 >= feature_count * 9 ? 0.9F : 0.1F;
}

static void surrogate_anchor_says_so_where_it_finds_no_precise_rule(void **state)
{
    (void)state;
    Arena arena;
    const ExplainSurrogate *found = surrogate_of(EXPLAIN_ANCHOR_RULE, fragile_model, 200, 400, 1, &arena);
    assert_true(found->fidelity < 0.5F);
    arena_free(&arena);
}

static void surrogates_are_the_same_from_the_same_seed(void **state)
{
    (void)state;
    for (ExplainMethod method = EXPLAIN_SURROGATE_LINEAR; method <= EXPLAIN_ANCHOR_RULE; method++) {
        Arena arenas[3];
        const ExplainSurrogate *found[3];
        for (unsigned i = 0; i < 3; i++)
            found[i] = surrogate_of(method, three_words, 30, 300, i == 2 ? 8 : 7, &arenas[i]);
        assert_float_equal(found[0]->fidelity, found[1]->fidelity, 0);
        assert_int_equal(found[0]->sample_count, found[1]->sample_count);
        if (method == EXPLAIN_SURROGATE_LINEAR) {
            assert_memory_equal(found[0]->weights, found[1]->weights, 10 * sizeof(float));
            assert_memory_not_equal(found[0]->weights, found[2]->weights, 10 * sizeof(float));
        }
        for (unsigned i = 0; i < 3; i++) arena_free(&arenas[i]);
    }
}

static void surrogates_take_texts_of_any_size(void **state)
{
    (void)state;
    static const uint32_t feature_counts[] = {0, 1, 2, 63, 64, 65, EXPLAIN_FEATURE_COUNT_MAX};
    static const uint32_t sample_counts[] = {1, 2, 70};
    for (ExplainMethod method = EXPLAIN_SURROGATE_LINEAR; method <= EXPLAIN_ANCHOR_RULE; method++) {
        for (unsigned i = 0; i < 7 * 3; i++) {
            Arena arena;
            const ExplainSurrogate *found =
                surrogate_of(method, fragile_model, feature_counts[i / 3], sample_counts[i % 3], 1, &arena);
            assert_true(isfinite(found->fidelity));
            for (uint32_t k = 0; k < found->feature_count; k++)
                assert_in_range(found->features[k], 0, feature_counts[i / 3] - 1);
            arena_free(&arena);
        }
    }
}

static void surrogate_open_leaves_room_for_nothing_else(void **state)
{
    (void)state;
    for (ExplainMethod method = EXPLAIN_SURROGATE_LINEAR; method <= EXPLAIN_ANCHOR_RULE; method++) {
        Arena arena;
        arena_init(&arena, surrogate_bytes(method, 40, 100) - ARENA_CHUNK_HEADER_BYTES);
        assert_null(surrogate_open(method, &(StudyText){.feature_count = 40}, 100, 1, &arena));
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surrogate_linear_finds_the_weights_of_a_linear_model),
        cmocka_unit_test(surrogate_linear_is_limes_ridge_regression),
        cmocka_unit_test(surrogate_tree_finds_a_tree),
        cmocka_unit_test(surrogate_tree_of_a_constant_is_one_leaf),
        cmocka_unit_test(surrogate_anchor_finds_the_words_that_hold_the_label),
        cmocka_unit_test(surrogate_anchor_of_a_constant_needs_no_word),
        cmocka_unit_test(surrogate_anchor_says_so_where_it_finds_no_precise_rule),
        cmocka_unit_test(surrogates_are_the_same_from_the_same_seed),
        cmocka_unit_test(surrogates_take_texts_of_any_size),
        cmocka_unit_test(surrogate_open_leaves_room_for_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
