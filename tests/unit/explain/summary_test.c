#include "explain/summary.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_summary(const SummaryNumbers *numbers, const char *expected)
{
    char bytes[SUMMARY_BYTES_MAX + 1];
    bytes[summary_write(numbers, bytes)] = '\0';
    assert_string_equal(bytes, expected);
}

static void summary_of_nothing_is_empty(void **state)
{
    (void)state;
    expect_summary(&(SummaryNumbers){.word_count = 0}, "");
}

static void summary_names_what_speaks_for_the_label_and_against_it(void **state)
{
    (void)state;
    const TextView words[] = {text_view("a"),      text_view("moving"), text_view("if"),
                              text_view("clumsy"), text_view("film"),   text_view("so")};
    const float scores[] = {0.01F, 0.4F, 0.05F, -0.25F, 0.1F, 0.0F};
    const ExplainAttribution attribution = {
        .method = EXPLAIN_INTEGRATED_GRADIENTS,
        .has_faithfulness = true,
        .faithfulness = {0.5F, 0.125F, EXPLAIN_MASK},
    };
    const SummaryNumbers numbers = {
        .label = text_view("positive"),
        .has_score = true,
        .score = 0.9312F,
        .words = words,
        .word_count = 6,
        .attribution = &attribution,
        .word_scores = scores,
    };
    expect_summary(
        &numbers,
        "The label is \"positive\" with a score of 0.931. By integrated gradients, most for it is \"moving\" "
        "(+0.400), \"film\" (+0.100) and \"if\" (+0.050), and most against it \"clumsy\" (-0.250). Without the "
        "tokens of the highest scores the target's score falls by 0.500, and with those alone by 0.125, on the "
        "average of 1 to 50 % of the tokens, the others masked.");
}

static void summary_of_scores_without_signs_has_their_parts(void **state)
{
    (void)state;
    const TextView words[] = {text_view("dull"), text_view("film")};
    const float scores[] = {3, 1};
    const ExplainAttribution attribution = {.method = EXPLAIN_VALUE_NORM};
    const SummaryNumbers numbers = {
        .words = words, .word_count = 2, .attribution = &attribution, .word_scores = scores};
    expect_summary(&numbers, "By value norms, most was read from \"dull\" (75 %) and \"film\" (25 %).");
}

static void summary_tells_what_surrogates_found(void **state)
{
    (void)state;
    const TextView words[] = {text_view("so"), text_view("dull"), text_view("film")};
    const uint32_t features[] = {1, 0};
    const float weights[] = {0.5F, -0.25F};
    const ExplainNode nodes[] = {{1, 1, 2, 0.5F, 100}, {-1, -1, -1, 0.75F, 50}, {-1, -1, -1, 0.25F, 50}};
    const ExplainSurrogate surrogates[] = {
        {.method = EXPLAIN_SURROGATE_LINEAR,
         .features = features,
         .weights = weights,
         .feature_count = 2,
         .fidelity = 0.8F},
        {.method = EXPLAIN_SURROGATE_TREE, .nodes = nodes, .node_count = 3, .fidelity = 0.9F},
        {.method = EXPLAIN_ANCHOR_RULE, .features = features, .feature_count = 1, .fidelity = 0.985F},
        {.method = EXPLAIN_ANCHOR_RULE, .fidelity = 1},
    };
    const SummaryNumbers numbers = {
        .words = words, .word_count = 3, .surrogates = surrogates, .surrogate_count = 4};
    expect_summary(
        &numbers,
        "A linear model of copies without some of the words (R2 0.80) gives most weight to \"dull\" (+0.500) "
        "and \"so\" (-0.250). A tree that foretells 90 % of the labels of such copies asks first for \"dull\": "
        "with it the score is 0.750, without it 0.250. As long as \"dull\" stays, the label holds in 98.5 % of "
        "copies without half of the other words. Whichever words are left out, the label holds in 100.0 % of "
        "copies without half of the other words.");
}

static void summary_of_a_pair_says_which_text_words_are_of(void **state)
{
    (void)state;
    const TextView words[] = {text_view("film"), text_view("dull"), text_view("film")};
    const float scores[] = {0.2F, -0.3F, 0.1F};
    const uint32_t features[] = {1, 2};
    const ExplainAttribution attribution = {.method = EXPLAIN_OCCLUSION};
    const ExplainSurrogate rule = {
        .method = EXPLAIN_ANCHOR_RULE, .features = features, .feature_count = 2, .fidelity = 1};
    const SummaryNumbers numbers = {
        .words = words,
        .word_count = 3,
        .pair_count = 1,
        .attribution = &attribution,
        .word_scores = scores,
        .surrogates = &rule,
        .surrogate_count = 1,
    };
    expect_summary(&numbers,
                   "By occlusion, most for it is \"film\" in the text (+0.200) and \"film\" in the pair (+0.100), "
                   "and most against it \"dull\" in the text (-0.300). As long as \"dull\" in the text and "
                   "\"film\" in the pair stay, the label holds in 100.0 % of copies without half of the other "
                   "words.");
}

static void summary_of_another_label_says_that_it_is_not_the_answer(void **state)
{
    (void)state;
    const ExplainSurrogate rule = {.method = EXPLAIN_ANCHOR_RULE, .fidelity = 0.95F};
    const SummaryNumbers numbers = {
        .label = text_view("negative"),
        .label_is_other = true,
        .has_score = true,
        .score = 0.125F,
        .surrogates = &rule,
        .surrogate_count = 1,
    };
    expect_summary(&numbers,
                   "The label \"negative\" is not the answer, with a score of 0.125. Whichever words are "
                   "left out, that score stays on its side of the middle in 95.0 % of copies without "
                   "half of the other words.");
}

static void summary_cuts_long_words_between_characters(void **state)
{
    (void)state;
    const TextView words[] = {text_view("xüüüüüüüüüüüüüüüüüüüüüüü"), text_view("a\nb\x7F")};
    const float scores[] = {3, 1};
    const ExplainAttribution attribution = {.method = EXPLAIN_ROLLOUT};
    const SummaryNumbers numbers = {
        .words = words, .word_count = 2, .attribution = &attribution, .word_scores = scores};
    expect_summary(&numbers,
                   "By attention rollout, most was read from \"xüüüüüüüüüüüüüüüüüüü...\" (75 %) and \"a b \" "
                   "(25 %).");
}

/* Everything at its longest. */
static void summary_always_has_room(void **state)
{
    (void)state;
    static char label[LABEL_BYTES_MAX + 10], bytes[SUMMARY_BYTES_MAX];
    memset(label, 'x', sizeof label);
    TextView words[EXPLAIN_FEATURE_COUNT_MAX];
    float scores[EXPLAIN_FEATURE_COUNT_MAX], weights[10];
    uint32_t features[10];
    for (uint32_t i = 0; i < EXPLAIN_FEATURE_COUNT_MAX; i++) {
        words[i] = (TextView){label, sizeof label};
        scores[i] = i % 2 ? -3e38F : 3e38F;
    }
    for (uint32_t i = 0; i < 10; i++) {
        features[i] = i;
        weights[i] = -3e38F;
    }
    const ExplainNode nodes[] = {{1, 1, 1, 0, 0}, {-1, -1, -1, -3e38F, 0}};
    const ExplainAttribution attribution = {
        .method = EXPLAIN_OCCLUSION, .has_faithfulness = true, .faithfulness = {-3e38F, -3e38F, EXPLAIN_DELETE}};
    const ExplainSurrogate surrogates[] = {
        {.method = EXPLAIN_SURROGATE_LINEAR,
         .features = features,
         .weights = weights,
         .feature_count = 10,
         .fidelity = -3e38F},
        {.method = EXPLAIN_SURROGATE_TREE, .nodes = nodes, .node_count = 2},
        {.method = EXPLAIN_ANCHOR_RULE, .features = features, .feature_count = 10},
    };
    const SummaryNumbers numbers = {
        .label = {label, sizeof label},
        .label_is_other = true,
        .has_score = true,
        .score = -3e38F,
        .words = words,
        .word_count = EXPLAIN_FEATURE_COUNT_MAX,
        .pair_count = 1,
        .attribution = &attribution,
        .word_scores = scores,
        .surrogates = surrogates,
        .surrogate_count = 3,
    };
    assert_in_range(summary_write(&numbers, bytes), LABEL_BYTES_MAX, SUMMARY_BYTES_MAX);
}

static void summary_chooses_the_most_faithful_attribution(void **state)
{
    (void)state;
    const ExplainAttribution attributions[] = {
        {.method = EXPLAIN_ROLLOUT}, {.method = EXPLAIN_VALUE_NORM}, {.method = EXPLAIN_OCCLUSION}};
    assert_ptr_equal(summary_choose(attributions, 3), &attributions[2]);
    assert_ptr_equal(summary_choose(attributions, 2), &attributions[1]);
    assert_null(summary_choose(attributions, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary_of_nothing_is_empty),
        cmocka_unit_test(summary_names_what_speaks_for_the_label_and_against_it),
        cmocka_unit_test(summary_of_scores_without_signs_has_their_parts),
        cmocka_unit_test(summary_tells_what_surrogates_found),
        cmocka_unit_test(summary_of_a_pair_says_which_text_words_are_of),
        cmocka_unit_test(summary_of_another_label_says_that_it_is_not_the_answer),
        cmocka_unit_test(summary_cuts_long_words_between_characters),
        cmocka_unit_test(summary_always_has_room),
        cmocka_unit_test(summary_chooses_the_most_faithful_attribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
