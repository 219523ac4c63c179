/* Pipelines give what sentence-transformers gives, in any batch, and say what is wrong with a text. */
#include "unit/pipeline/golden.h"

#include <math.h>
#include <time.h>

static const char *const golden_names[] = {"queries", "passages", "modules", "sparse", "sparse_sum"};
enum { GOLDEN_COUNT = sizeof golden_names / sizeof *golden_names };

static void pipeline_vectors_equal_sentence_transformers(void **state)
{
    (void)state;
    for (size_t g = 0; g < GOLDEN_COUNT; g++) {
        Golden golden;
        golden_open(&golden, golden_names[g]);
        for (uint32_t i = 0; i < golden.case_count; i++) {
            const GoldenCase *one = &golden.cases[i];
            PipelineItem *item = golden_item(&golden, one);
            pipeline_run(golden.pipeline, golden.workspace, NULL, &item, 1);
            assert_int_equal(item->status, STATUS_OK);
            for (uint32_t j = 0; j < one->vector_size; j++) {
                double difference = fabs((double)item->output[j] - (double)one->vector[j]);
                if (difference < 1e-5) continue;
                fail_msg("%s, case %u '%.*s' (prompt '%.*s'): value %u is %g, expected %g", golden_names[g], i,
                         (int)one->text.size, one->text.bytes, (int)one->prepare.prompt_name.size,
                         one->prepare.prompt_name.bytes, j, (double)item->output[j], (double)one->vector[j]);
            }
        }
        golden_close(&golden);
    }
}

static void assert_same_bits(const char *name, unsigned *seed)
{
    Golden golden;
    golden_open(&golden, name);
    for (uint32_t i = 0; i < golden.case_count; i++) {
        PipelineItem *items[6];
        uint32_t count = 1 + (uint32_t)rand_r(seed) % 6;
        uint32_t place = (uint32_t)rand_r(seed) % count;
        PipelineItem *alone = golden_item(&golden, &golden.cases[i]);
        pipeline_run(golden.pipeline, golden.workspace, NULL, &alone, 1);
        for (uint32_t j = 0; j < count; j++) {
            uint32_t other = (uint32_t)rand_r(seed) % golden.case_count;
            items[j] = golden_item(&golden, &golden.cases[j == place ? i : other]);
        }
        pipeline_run(golden.pipeline, golden.workspace, NULL, items, count);
        assert_memory_equal(items[place]->output, alone->output, golden.cases[i].vector_size * sizeof(float));
    }
    golden_close(&golden);
}

static void pipeline_vectors_are_the_same_bits_in_any_batch(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (size_t i = 0; i < GOLDEN_COUNT; i++) assert_same_bits(golden_names[i], &seed);
}

static void pipeline_returns_one_row_for_each_token(void **state)
{
    (void)state;
    Golden golden;
    golden_open(&golden, "queries");
    GoldenCase one = golden.cases[2];
    one.embed.return_tokens = true;
    PipelineItem *item = golden_item(&golden, &one);
    uint32_t size = pipeline_vector_size(golden.pipeline);
    uint32_t count = item->prepared->encoding.count;
    item->tokens = arena_allocate_zeroed(&golden.arena, (size_t)count * size, sizeof *item->tokens);
    pipeline_run(golden.pipeline, golden.workspace, NULL, &item, 1);
    for (uint32_t j = 0; j < size; j++) {
        double mean = 0;
        for (uint32_t i = 0; i < count; i++) mean += (double)item->tokens[i * size + j] / count;
        double norm = 0;
        for (uint32_t k = 0; k < size; k++) {
            double sum = 0;
            for (uint32_t i = 0; i < count; i++) sum += (double)item->tokens[i * size + k] / count;
            norm += sum * sum;
        }
        assert_true(fabs(mean / sqrt(norm) - (double)item->output[j]) < 1e-5);
    }
    golden_close(&golden);
}

static void assert_refused(const char *name, uint32_t limit, TextView text, const TextView *pair,
                           const char *prompt_name, Status expected, const char *message)
{
    Pipeline *pipeline = golden_pipeline(name, limit);
    const PrepareOptions options = {.prompt_name = text_view(prompt_name)};
    Arena arena;
    arena_init(&arena, MIB);
    Prepared prepared = {0};
    Error error;
    assert_int_equal(pipeline_prepare(pipeline, text, pair, &options, &arena, &prepared, &error), expected);
    if (!strstr(error.message, message)) fail_msg("'%s' does not say '%s'", error.message, message);
    arena_free(&arena);
    pipeline_close(pipeline);
}

static void pipeline_refuses_texts_with_a_reason(void **state)
{
    (void)state;
    const TextView text = text_view("a cat");
    const TextView pair = text_view("a dog");
    assert_refused("queries", 0, text_view("a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"), NULL,
                   "", STATUS_INVALID_ARGUMENT,
                   "text has 32 tokens, the model's limit is 24: set options.length_policy");
    assert_refused("queries", 5, text, &pair, "", STATUS_INVALID_ARGUMENT, "text and pair have 7 tokens");
    assert_refused("queries", 0, text, NULL, "title", STATUS_INVALID_ARGUMENT,
                   "unknown prompt 'title': the model has query, passage, none");
    assert_refused("queries", 0, (TextView){"a \xC0\x80", 4}, NULL, "", STATUS_INVALID_ARGUMENT, "UTF-8");
    assert_refused("passages", 0, (TextView){"a \xC0\x80", 4}, NULL, "", STATUS_INVALID_ARGUMENT, "UTF-8");
    assert_refused("passages", 0, text, &pair, "", STATUS_UNSUPPORTED, "one text, not a pair");
}

static void pipeline_refuses_global_tokens_where_there_are_none(void **state)
{
    (void)state;
    static const uint32_t positions[] = {0};
    Pipeline *pipeline = golden_pipeline("queries", 0);
    PrepareOptions options = {0};
    Error error;
    assert_int_equal(pipeline_check_globals(pipeline, &options, &error), STATUS_OK);
    options.global_positions = positions;
    options.global_count = 1;
    assert_int_equal(pipeline_check_globals(pipeline, &options, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "global_token_indices"));
    pipeline_close(pipeline);
}

/* "passages" has the default prompt passage, and no prompt document. */
static void pipeline_prompts_query_and_document_always_exist(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "document", ""};
    Pipeline *pipeline = golden_pipeline("passages", 0);
    Arena arena;
    arena_init(&arena, MIB);
    Prepared prepared[3] = {0};
    Error error;
    for (int i = 0; i < 3; i++) {
        const PrepareOptions options = {.prompt_name = text_view(names[i])};
        assert_int_equal(pipeline_check_prompt(pipeline, options.prompt_name, &error), STATUS_OK);
        assert_int_equal(
            pipeline_prepare(pipeline, text_view("a cat"), NULL, &options, &arena, &prepared[i], &error),
            STATUS_OK);
    }
    uint32_t count = prepared[0].encoding.count;
    assert_int_equal(prepared[1].encoding.count, count);
    assert_memory_equal(prepared[1].encoding.ids, prepared[0].encoding.ids,
                        count * sizeof *prepared[0].encoding.ids);
    assert_int_equal(prepared[1].prompt_token_count, 0);
    assert_true(prepared[2].encoding.count > count);
    arena_free(&arena);
    pipeline_close(pipeline);
}

static void pipeline_limit_is_the_checkpoints_until_raised(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("queries", 0);
    assert_int_equal(pipeline_token_count_max(pipeline), 24);
    pipeline_close(pipeline);
    pipeline = golden_pipeline("queries", 64);
    assert_int_equal(pipeline_token_count_max(pipeline), 64);
    pipeline_close(pipeline);
    char directory[PATH_BYTES_MAX];
    snprintf(directory, sizeof directory, "%s/golden/pipeline/queries", TESTS_DATA);
    PipelineOptions options = {
        .directory = directory, .token_count_max = 65, .kernels = kernels_select(KERNELS_ALL)};
    Error error;
    pipeline = NULL;
    assert_int_equal(pipeline_open(&options, &pipeline, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "65 input tokens asked for, the model has 64 positions");
    assert_null(pipeline);
    options.token_count_max = 2;
    assert_int_equal(pipeline_open(&options, &pipeline, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "the template alone takes 2"));
}

static void pipeline_lower_cased_offsets_are_of_the_original_text(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("passages", 0);
    Arena arena;
    arena_init(&arena, MIB);
    Encoding encoding = {0};
    Error error;
    const EncodeOptions options = {.without_special_tokens = true};
    /* Two bytes of U+0130 become three. */
    const TextView text = text_view("\xC4\xB0 CAT");
    assert_int_equal(pipeline_encode(pipeline, text, NULL, &options, &arena, &encoding, &error), STATUS_OK);
    ByteRange last = encoding.offsets[encoding.count - 1];
    assert_int_equal(last.begin, 3);
    assert_int_equal(last.end, 6);
    assert_true(text_equal(tokenizer_token_text(pipeline_tokenizer(pipeline), encoding.ids[encoding.count - 1]),
                           text_view("cat")));
    arena_free(&arena);
    pipeline_close(pipeline);
}

static void pipeline_refuses_more_dimensions_than_the_vector_has(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Error error;
    EmbedOptions options = {.dimensions = 32};
    assert_int_equal(pipeline_check_embed(pipeline, &options, &error), STATUS_OK);
    options.dimensions = 33;
    assert_int_equal(pipeline_check_embed(pipeline, &options, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "33 dimensions asked for, the model's vectors have 32");
    pipeline_close(pipeline);
    pipeline = golden_pipeline("sparse", 0);
    assert_true(pipeline_is_sparse(pipeline));
    options.dimensions = 8;
    assert_int_equal(pipeline_check_embed(pipeline, &options, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "vectors are sparse"));
    pipeline_close(pipeline);
}

static void pipeline_refuses_tasks_that_the_checkpoint_has_no_head_for(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("queries", 0);
    Error error;
    assert_int_equal(pipeline_check_task(pipeline, TASK_EMBED, &error), STATUS_OK);
    assert_int_equal(pipeline_check_task(pipeline, TASK_TAG, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.message, "the model does not serve tag; its tasks: embed");
    assert_int_equal(pipeline_label_count(pipeline), 0);
    pipeline_close(pipeline);
    pipeline = golden_pipeline("sparse", 0);
    assert_true(pipeline_has_task(pipeline, TASK_FILL));
    assert_false(pipeline_has_task(pipeline, TASK_CLASSIFY));
    pipeline_close(pipeline);
}

static Status prepare_for(const Pipeline *pipeline, Task task, const char *text, Prepared *prepared, Error *error)
{
    Arena arena;
    arena_init(&arena, MIB);
    const PrepareOptions options = {.task = task};
    Status status = pipeline_prepare(pipeline, text_view(text), NULL, &options, &arena, prepared, error);
    arena_free(&arena);
    return status;
}

static void pipeline_masks_are_those_of_the_text(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("sparse", 0);
    Prepared prepared = {0};
    Error error;
    assert_int_equal(prepare_for(pipeline, TASK_FILL, "a [MASK] in [MASK][MASK]", &prepared, &error), STATUS_OK);
    assert_int_equal(prepared.mask_count, 3);
    assert_int_equal(prepare_for(pipeline, TASK_FILL, "a [mask] [SEP]", &prepared, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "the text has no mask: put \"[MASK]\" where a token is to be filled in");
    assert_int_equal(prepare_for(pipeline, TASK_EMBED, "a [MASK]", &prepared, &error), STATUS_OK);
    assert_int_equal(prepared.mask_count, 0);
    pipeline_close(pipeline);
}

static void pipeline_small_arena_is_an_error(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("queries", 0);
    const PrepareOptions options = {.prompt_name = text_view("query")};
    Error error;
    bool succeeded = false;
    for (size_t budget = 64; !succeeded; budget += 64) {
        Arena arena;
        arena_init(&arena, budget);
        Prepared prepared = {0};
        Status status =
            pipeline_prepare(pipeline, text_view("a cat in it"), NULL, &options, &arena, &prepared, &error);
        succeeded = status == STATUS_OK;
        if (!succeeded) assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
        arena_free(&arena);
        assert_true(budget < MIB);
    }
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline_vectors_equal_sentence_transformers),
        cmocka_unit_test(pipeline_vectors_are_the_same_bits_in_any_batch),
        cmocka_unit_test(pipeline_returns_one_row_for_each_token),
        cmocka_unit_test(pipeline_refuses_texts_with_a_reason),
        cmocka_unit_test(pipeline_prompts_query_and_document_always_exist),
        cmocka_unit_test(pipeline_limit_is_the_checkpoints_until_raised),
        cmocka_unit_test(pipeline_lower_cased_offsets_are_of_the_original_text),
        cmocka_unit_test(pipeline_refuses_more_dimensions_than_the_vector_has),
        cmocka_unit_test(pipeline_refuses_tasks_that_the_checkpoint_has_no_head_for),
        cmocka_unit_test(pipeline_masks_are_those_of_the_text),
        cmocka_unit_test(pipeline_small_arena_is_an_error),
        cmocka_unit_test(pipeline_refuses_global_tokens_where_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
