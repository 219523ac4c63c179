/* Repairs by the vocabulary: only when they are asked for. */
#include "pipeline/repair.h"

#include "pipeline/sanitize.h"
#include "unit/pipeline/golden.h"

static Sanitized repaired(const Pipeline *pipeline, const char *text, SanitizePolicy policy, SanitizeRule rule,
                          Arena *arena)
{
    const SanitizeOptions options = {.policy = policy, .level = SANITIZE_HIGH, .enabled = (uint64_t)1 << rule};
    Sanitized sanitized;
    Error error;
    if (pipeline_sanitize(pipeline, TASK_EMBED, text_view(text), &options, arena, &sanitized, &error))
        fail_msg("%s", error.message);
    return sanitized;
}

static void words_at_one_edit_become_the_word(void **state)
{
    (void)state;
    const char *const words[][2] = {
        {"servre", "server"},
        {"servr", "server"},
        {"seerver", "server"},
        {"serfer", "server"},
        {"Answres", "Answers"},
        {"qestion", "question"},
        {"the dcoument", "the document"},
        {"(saerch)", "(search)"},
        {"pasage!", "passage!"},
    };
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        Sanitized sanitized = repaired(pipeline, words[i][0], SANITIZE_CLEAN, RULE_TYPO_WORD, &arena);
        if (!text_equal(sanitized.text, text_view(words[i][1])))
            fail_msg("'%s' became '%.*s'", words[i][0], (int)sanitized.text.size, sanitized.text.bytes);
        assert_int_equal(sanitized.totals[RULE_TYPO_WORD], 1);
        assert_int_equal(sanitized.findings[0].action, ACTION_MAPPED);
        Sanitized again = repaired(pipeline, words[i][1], SANITIZE_CLEAN, RULE_TYPO_WORD, &arena);
        assert_false(again.changed);
    }
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void names_in_code_and_words_far_from_all_stay(void **state)
{
    (void)state;
    const char *const texts[] = {"servre.example.org",
                                 "/servre/x",
                                 "my_servre",
                                 "xyzzyx",
                                 "caat",
                                 "sErver x",
                                 "http://servre",
                                 "servers serving questions answered"}; /* endings of English */
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Sanitized sanitized = repaired(pipeline, texts[i], SANITIZE_CLEAN, RULE_TYPO_WORD, &arena);
        bool short_word = text_equal(text_view(texts[i]), text_view("caat"));
        if (sanitized.changed != short_word) fail_msg("'%s'", texts[i]);
    }
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void typos_are_only_reported_under_report_and_not_looked_for_unasked(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Sanitized sanitized = repaired(pipeline, "the servre answers", SANITIZE_REPORT, RULE_TYPO_WORD, &arena);
    assert_false(sanitized.changed);
    assert_int_equal(sanitized.totals[RULE_TYPO_WORD], 1);
    assert_int_equal(sanitized.findings[0].range.begin, 4);
    assert_int_equal(sanitized.findings[0].range.end, 10);
    assert_memory_equal(sanitized.findings[0].detail, "server", sanitized.findings[0].detail_size);
    sanitized = repaired(pipeline, "the servre answers", SANITIZE_CLEAN, RULE_LEET, &arena);
    assert_int_equal(sanitized.totals[RULE_TYPO_WORD], 0);
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void floods_collapse_to_one_cycle(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    char text[2048] = "is it the long question ";
    for (int i = 0; i < 50; i++) strcat(text, "cat dog ");
    strcat(text, "of the server");
    Sanitized sanitized = repaired(pipeline, text, SANITIZE_CLEAN, RULE_FLOOD_REPEAT, &arena);
    assert_true(text_equal(sanitized.text, text_view("is it the long question cat dog of the server")));
    assert_int_equal(sanitized.findings[0].action, ACTION_TRUNCATED);
    ByteRange server = sanitizer_original_range(sanitized.map, (ByteRange){39, 45});
    assert_memory_equal(text + server.begin, "server", server.end - server.begin);
    sanitized = repaired(pipeline, text, SANITIZE_CLEAN, RULE_TYPO_WORD, &arena);
    assert_false(sanitized.changed);
    pipeline_close(pipeline);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_at_one_edit_become_the_word),
        cmocka_unit_test(names_in_code_and_words_far_from_all_stay),
        cmocka_unit_test(typos_are_only_reported_under_report_and_not_looked_for_unasked),
        cmocka_unit_test(floods_collapse_to_one_cycle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
