/* What a model's tokens show of a text; ranges of the original through cleaning; the clean text's results. */
#include "pipeline/sanitize.h"

#include "pipeline/pipeline_state.h"
#include "pipeline/text_edits.h"
#include "unit/pipeline/golden.h"

static const SanitizeOptions REPORT = {.policy = SANITIZE_REPORT, .level = SANITIZE_HIGH};
static const SanitizeOptions CLEAN = {.policy = SANITIZE_CLEAN, .level = SANITIZE_HIGH};

static Sanitized sanitized_of(const Pipeline *pipeline, Task task, const char *text,
                              const SanitizeOptions *options, Arena *arena)
{
    Sanitized sanitized;
    Error error;
    if (pipeline_sanitize(pipeline, task, text_view(text), options, arena, &sanitized, &error))
        fail_msg("%s", error.message);
    return sanitized;
}

/* Sanitized, prepared and with its tokens checked. */
static Prepared prepared_of(const Pipeline *pipeline, Task task, const char *text, const SanitizeOptions *options,
                            Sanitized *out_sanitized, Arena *arena)
{
    Prepared prepared;
    Error error;
    *out_sanitized = sanitized_of(pipeline, task, text, options, arena);
    const PrepareOptions prepare = {.task = task, .length_policy = LENGTH_AUTO};
    if (pipeline_prepare(pipeline, out_sanitized->text, NULL, &prepare, arena, &prepared, &error))
        fail_msg("%s", error.message);
    pipeline_set_origin(&prepared, out_sanitized, NULL);
    pipeline_check_tokens(pipeline, &prepared, false, options, out_sanitized);
    return prepared;
}

static const Finding *finding_of(const Sanitized *sanitized, SanitizeRule rule)
{
    for (uint32_t i = 0; i < sanitized->finding_count; i++) {
        if (sanitized->findings[i].rule == rule) return &sanitized->findings[i];
    }
    return NULL;
}

static void assert_finding(const Sanitized *sanitized, SanitizeRule rule, uint32_t begin, uint32_t end)
{
    const Finding *finding = finding_of(sanitized, rule);
    assert_non_null(finding);
    assert_int_equal(finding->range.begin, begin);
    assert_int_equal(finding->range.end, end);
}

static void texts_of_special_tokens_are_found(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 4 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Sanitized sanitized = sanitized_of(pipeline, TASK_EMBED, "cat [SEP] dog [CLS]", &REPORT, &arena);
    assert_int_equal(sanitized.totals[RULE_TOK_SPECIAL], 2);
    assert_finding(&sanitized, RULE_TOK_SPECIAL, 4, 9);
    assert_int_equal(sanitized.findings[0].action, ACTION_ENCODED_AS_TEXT);
    assert_memory_equal(sanitized.findings[0].detail, "[SEP]", sanitized.findings[0].detail_size);
    assert_true(sanitizer_refuses(&sanitized, &REPORT));
    const char *const harmless[] = {"cat [sep] dog", "[ SEP ]", "SEP", "[UNK]", "[[cls]]"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        sanitized = sanitized_of(pipeline, TASK_EMBED, harmless[i], &REPORT, &arena);
        assert_int_equal(sanitized.finding_count, 0);
    }
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void masks_are_the_business_of_filling(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 4 * MIB);
    Pipeline *pipeline = golden_checkpoint("tasks/bert/fill", (PipelineOptions){0});
    Sanitized sanitized = sanitized_of(pipeline, TASK_FILL, "the [MASK] sat", &REPORT, &arena);
    assert_int_equal(sanitized.totals[RULE_TOK_SPECIAL], 0);
    sanitized = sanitized_of(pipeline, TASK_FILL, "the [MASK] sat [SEP]", &REPORT, &arena);
    assert_int_equal(sanitized.totals[RULE_TOK_SPECIAL], 1);
    sanitized = sanitized_of(pipeline, TASK_EMBED, "the [MASK] sat", &REPORT, &arena);
    assert_int_equal(sanitized.totals[RULE_TOK_SPECIAL], 1);
    pipeline_close(pipeline);
    arena_free(&arena);
}

/* By cleaning, and by the tokenizer's own normalizer; a Unigram model has special tokens among its pieces. */
static void no_text_becomes_a_special_token(void **state)
{
    (void)state;
    const char *const checkpoints[] = {"tasks/xlm-roberta/tag", "tasks/albert/tag", "tasks/bert/tag",
                                       "tasks/roberta/tag", "tasks/modernbert/tag"};
    const char *const texts[] = {"at </s> on",      "</s>",
                                 "<s>a</s>",        "on\xEF\xBC\x9C/s\xEF\xBC\x9E",
                                 "<pad><mask>",     "[CLS] a [SEP]",
                                 "a[SEP]",          "\xEF\xBC\xBB\xEF\xBC\xB3\xEF\xBC\xA5\xEF\xBC\xB0\xEF\xBC\xBD",
                                 "</\xE2\x80\x8Bs>"};
    Arena arena;
    arena_init(&arena, 8 * MIB);
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++) {
        Pipeline *pipeline = golden_checkpoint(checkpoints[i], (PipelineOptions){0});
        const Tokenizer *tokenizer = pipeline_tokenizer(pipeline);
        uint32_t unknown_id = TOKENIZER_NO_ID;
        (void)tokenizer_unknown_id(tokenizer, &unknown_id);
        for (size_t j = 0; j < 2 * sizeof texts / sizeof *texts; j++) {
            Sanitized sanitized;
            Prepared prepared =
                prepared_of(pipeline, TASK_TAG, texts[j / 2], j % 2 ? &REPORT : &CLEAN, &sanitized, &arena);
            for (uint32_t k = 0; k < prepared.encoding.count; k++) {
                uint32_t id = prepared.encoding.ids[k];
                if (prepared.encoding.segments[k] == ENCODING_SEGMENT_NONE || id == unknown_id) continue;
                if (tokenizer_token_special(tokenizer, id))
                    fail_msg("%s: '%s' has %u", checkpoints[i], texts[j / 2], id);
            }
        }
        pipeline_close(pipeline);
    }
    arena_free(&arena);
}

/* "[S<ZWSP>EP]", whether or not it is cleaned. */
static void special_tokens_that_cleaning_creates_are_found(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 4 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    const char *text = "cat [S\xE2\x80\x8B"
                       "EP] dog";
    Sanitized reported = sanitized_of(pipeline, TASK_EMBED, text, &REPORT, &arena);
    Sanitized cleaned = sanitized_of(pipeline, TASK_EMBED, text, &CLEAN, &arena);
    assert_true(text_equal(cleaned.text, text_view("cat [SEP] dog")));
    assert_finding(&reported, RULE_TOK_SPECIAL, 4, 12);
    assert_finding(&cleaned, RULE_TOK_SPECIAL, 4, 12);
    assert_int_equal(reported.totals[RULE_TOK_SPECIAL], 1);
    assert_int_equal(cleaned.totals[RULE_TOK_SPECIAL], 1);
    assert_false(reported.changed);
    assert_ptr_equal(reported.text.bytes, text);
    pipeline_close(pipeline);
    arena_free(&arena);
}

/* As cleaning leaves it: without the characters of three bytes that stand for nothing. */
static Sanitized without_invisible(const char *text, Arena *arena)
{
    TextEdit edits[16];
    uint32_t count = 0;
    Sanitized sanitized = {.text = text_view(text)};
    for (const char *at = text; (at = strstr(at, "\xE2\x80\x8B")); at += 3) {
        uint32_t begin = (uint32_t)(at - text);
        edits[count++] = (TextEdit){.range = {begin, begin + 3}};
    }
    Error error;
    if (text_edits_apply(edits, count, (uint32_t)strlen(text), arena, &sanitized, &error))
        fail_msg("%s", error.message);
    return sanitized;
}

static void entities_are_the_clean_texts_in_the_original(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_checkpoint("tasks/bert/tag", (PipelineOptions){0});
    PipelineWorkspace *workspace = NULL;
    Error error;
    assert_int_equal(pipeline_workspace_open(pipeline, 256, 8, &workspace, &error), STATUS_OK);
    const char *texts[] = {
        "the answer was in the house and a long dog wrote it",
        "the ans\xE2\x80\x8Bwer was in the ho\xE2\x80\x8Buse and a lo\xE2\x80\x8Bng dog wrote it"};
    Entity *entities[2];
    uint32_t counts[2];
    for (int i = 0; i < 2; i++) {
        const Sanitized sanitized = without_invisible(texts[i], &arena);
        Prepared prepared;
        const PrepareOptions options = {.task = TASK_TAG};
        assert_int_equal(pipeline_prepare(pipeline, sanitized.text, NULL, &options, &arena, &prepared, &error),
                         STATUS_OK);
        pipeline_set_origin(&prepared, &sanitized, NULL);
        uint64_t size = pipeline_output_size(pipeline, TASK_TAG, &prepared, 0);
        float *output = arena_allocate(&arena, size * sizeof *output);
        PipelineItem item = {.prepared = &prepared, .task = TASK_TAG, .output = output};
        PipelineItem *items[] = {&item};
        pipeline_run(pipeline, workspace, NULL, items, 1);
        const float *outputs[] = {output};
        assert_int_equal(pipeline_tag(pipeline, &prepared, sanitized.text, outputs, AGGREGATION_AVERAGE, &arena,
                                      &entities[i], &counts[i], &error),
                         STATUS_OK);
    }
    assert_true(counts[0] > 0);
    assert_int_equal(counts[0], counts[1]);
    for (uint32_t i = 0; i < counts[0]; i++) {
        ByteRange clean = entities[0][i].range, sent = entities[1][i].range;
        assert_true(entities[0][i].score == entities[1][i].score);
        char shown[64] = "";
        memcpy(shown, texts[1] + sent.begin, sent.end - sent.begin);
        TextView word = without_invisible(shown, &arena).text;
        assert_true(text_equal(word, (TextView){texts[0] + clean.begin, clean.end - clean.begin}));
    }
    pipeline_workspace_close(workspace);
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void chunks_are_ranges_of_the_original(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    char text[4096] = "\xE2\x80\x8B";
    for (int i = 0; i < 200; i++) strcat(text, "cat dog ");
    const Sanitized sanitized = without_invisible(text, &arena);
    const PrepareOptions options = {.task = TASK_EMBED, .length_policy = LENGTH_AUTO};
    Prepared prepared;
    Error error;
    assert_int_equal(pipeline_prepare(pipeline, sanitized.text, NULL, &options, &arena, &prepared, &error),
                     STATUS_OK);
    pipeline_set_origin(&prepared, &sanitized, NULL);
    assert_true(pipeline_is_cut(&prepared));
    for (uint32_t i = 0; i < prepared.chunks.count; i++) {
        ByteRange range = pipeline_chunk_range(&prepared, i);
        assert_true(strncmp(text + range.begin, "cat", 3) == 0 || strncmp(text + range.begin, "dog", 3) == 0);
    }
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void unknown_tokens_and_floods_are_found(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 8 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Sanitized sanitized;
    prepared_of(pipeline, TASK_EMBED, "cat \xCE\xB1 dog \xCE\xB2 cat \xCE\xB3 the of to and", &REPORT, &sanitized,
                &arena);
    assert_finding(&sanitized, RULE_TOK_UNK, 4, 20);
    assert_int_equal(finding_of(&sanitized, RULE_TOK_UNK)->count, 3);
    prepared_of(pipeline, TASK_EMBED, "cat \xCE\xB1 dog \xCE\xB2 cat the the of to and", &REPORT, &sanitized,
                &arena);
    assert_null(finding_of(&sanitized, RULE_TOK_UNK));
    char text[1024] = "the server answers ";
    for (int i = 0; i < 40; i++) strcat(text, "cat dog ");
    prepared_of(pipeline, TASK_EMBED, text, &REPORT, &sanitized, &arena);
    assert_finding(&sanitized, RULE_FLOOD_REPEAT, 19, (uint32_t)strlen(text) - 1);
    pipeline_close(pipeline);
    arena_free(&arena);
}

static void off_finds_nothing(void **state)
{
    (void)state;
    const SanitizeOptions off = {.policy = SANITIZE_OFF};
    Arena arena;
    arena_init(&arena, 4 * MIB);
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Sanitized sanitized;
    const char *text = "cat [SEP] d\xE2\x80\x8Bog";
    prepared_of(pipeline, TASK_EMBED, text, &off, &sanitized, &arena);
    assert_int_equal(sanitized.finding_count, 0);
    assert_ptr_equal(sanitized.text.bytes, text);
    assert_null(sanitized.map);
    pipeline_close(pipeline);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_special_tokens_are_found),
        cmocka_unit_test(masks_are_the_business_of_filling),
        cmocka_unit_test(no_text_becomes_a_special_token),
        cmocka_unit_test(special_tokens_that_cleaning_creates_are_found),
        cmocka_unit_test(entities_are_the_clean_texts_in_the_original),
        cmocka_unit_test(chunks_are_ranges_of_the_original),
        cmocka_unit_test(unknown_tokens_and_floods_are_found),
        cmocka_unit_test(off_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
