/* sentence-transformers' files mean what that library takes them to mean; what is not served is refused by name.
 */
#include "model/sentence.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MODULE(path, type) "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define TRANSFORMER MODULE("", "sentence_transformers.models.Transformer")
#define POOLING MODULE("1_Pooling", "sentence_transformers.models.Pooling")
#define NORMALIZE MODULE("2_Normalize", "sentence_transformers.models.Normalize")

static const ModelConfig model = {.hidden_size = 4, .position_count = 32, .vocabulary_size = 100};

/* Runs one part on `text`. */
typedef enum Part {
    MODULES,
    POOLING_PART,
    SPARSE_PART,
    DENSE_PART,
    LAYER_NORM_PART,
    NORMALIZE_PART,
    TRANSFORMER_PART,
    TOKENIZER_PART,
    PROMPTS,
} Part;

static SentenceModules modules;
static SentenceConfig config;
static VectorStep step;
static Arena arena;

static Status read_part(Part part, const char *text, Error *error)
{
    JsonDocument *document = NULL;
    Status status = json_document_parse(text_view(text), &document, error);
    assert_int_equal(status, STATUS_OK);
    const JsonValue *root = json_document_root(document);
    config = (SentenceConfig){.include_prompt = true};
    arena_free(&arena);
    arena_init(&arena, 1 << 20);
    switch (part) {
    case MODULES:
        status = sentence_read_modules("f", root, &modules, error);
        break;
    case POOLING_PART:
        status = sentence_read_pooling("f", root, &model, &config, error);
        break;
    case SPARSE_PART:
        status = sentence_read_sparse_pooling("f", root, &model, &config, error);
        break;
    case DENSE_PART:
        status = sentence_read_dense("f", root, 4, &step, error);
        break;
    case LAYER_NORM_PART:
        status = sentence_read_layer_norm("f", root, 4, &step, error);
        break;
    case NORMALIZE_PART:
        status = sentence_read_normalize("f", root, error);
        break;
    case TRANSFORMER_PART:
        status = sentence_read_transformer("f", root, &model, &config, error);
        break;
    case TOKENIZER_PART:
        status = sentence_read_tokenizer("f", root, &model, &config, error);
        break;
    case PROMPTS:
        status = sentence_read_prompts("f", root, &arena, &config, error);
        break;
    }
    json_document_close(document);
    return status;
}

static void assert_read(Part part, const char *text)
{
    Error error;
    if (read_part(part, text, &error) != STATUS_OK) fail_msg("%s: %s", text, error.message);
}

static void assert_refused(Part part, const char *text, Status expected, const char *reason)
{
    Error error = {.message = ""};
    Status status = read_part(part, text, &error);
    if (status != expected || !strstr(error.message, reason) || strncmp(error.message, "f: ", 3) != 0) {
        fail_msg("%s: status \"%s\", message \"%s\", expected \"%s\"", text, status_name(status), error.message,
                 reason);
    }
}

#define DENSE MODULE("2_Dense", "sentence_transformers.models.Dense")
#define SPLADE MODULE("1_SpladePooling", "sentence_transformers.sparse_encoder.models.SpladePooling")

static void sentence_modules_are_read_in_order(void **state)
{
    (void)state;
    assert_read(MODULES, "[" TRANSFORMER "," POOLING "," DENSE "," NORMALIZE "]");
    assert_true(modules.has_pooling && !modules.sparse);
    assert_string_equal(modules.transformer_folder, "");
    assert_string_equal(modules.pooling_folder, "1_Pooling");
    assert_int_equal(modules.step_count, 2);
    assert_int_equal(modules.steps[0].kind, VECTOR_DENSE);
    assert_string_equal(modules.steps[0].folder, "2_Dense");
    assert_int_equal(modules.steps[1].kind, VECTOR_NORMALIZE);
    assert_read(MODULES, "[" TRANSFORMER "]");
    assert_false(modules.has_pooling);
    assert_read(
        MODULES,
        "[" MODULE("0_Transformer", "sentence_transformers.base.modules.transformer.Transformer") "," MODULE(
            "1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling") "]");
    assert_string_equal(modules.transformer_folder, "0_Transformer");
    assert_int_equal(modules.step_count, 0);
    assert_read(MODULES,
                "[" MODULE("", "sentence_transformers.sparse_encoder.models.MLMTransformer") "," SPLADE "]");
    assert_true(modules.sparse && modules.masked);
}

static void sentence_modules_of_another_kind_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[" TRANSFORMER "," MODULE("", "custom_code.Dense.Pooling") "]",
        "[" TRANSFORMER "," MODULE("", "sentence_transformers.models.SpladeDensePooling") "]",
        "[" MODULE("", "evil.Dense.Transformer") "," POOLING "]",
        "[" TRANSFORMER "," MODULE("", "Dense") "]",
        "[" TRANSFORMER "," DENSE "," POOLING "]",
        "[" TRANSFORMER "," SPLADE "," DENSE "]",
        "[" TRANSFORMER "," POOLING "," DENSE "," DENSE "," DENSE "," DENSE "," DENSE "," DENSE "," DENSE "," DENSE
        "," DENSE "]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_refused(MODULES, texts[i], STATUS_UNSUPPORTED, "Dense");
    }
    assert_refused(MODULES, "[" POOLING "," TRANSFORMER "]", STATUS_UNSUPPORTED,
                   "models.Pooling\" is not supported");
    assert_refused(MODULES, "[" TRANSFORMER "," NORMALIZE "]", STATUS_UNSUPPORTED, "Normalize");
    assert_refused(MODULES, "[" TRANSFORMER "," POOLING "," POOLING "]", STATUS_UNSUPPORTED, "Pooling");
    assert_refused(MODULES,
                   "[" MODULE("", "sentence_transformers.sparse_encoder.models.MLMTransformer") "," POOLING "]",
                   STATUS_UNSUPPORTED, "models.Pooling\" is not supported");
    assert_refused(MODULES, "[]", STATUS_UNSUPPORTED, "no Transformer module");
    assert_refused(MODULES, "{}", STATUS_CORRUPT, "expected a list");
    assert_refused(MODULES, "[7]", STATUS_CORRUPT, "expected an object, found a number");
    assert_refused(MODULES, "[{\"type\":7}]", STATUS_CORRUPT, "\"type\" must be a string");
}

static void sentence_modules_stay_within_the_checkpoint(void **state)
{
    (void)state;
    static const char *const paths[] = {"..", "../x", "a/../../x", "a/..", "/etc", "a\\\\..\\\\b", "/", "a//../b"};
    char text[1024];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(text, sizeof text,
                 "[" TRANSFORMER ",{\"path\":\"%s\",\"type\":\"sentence_transformers.models.Pooling\"}]",
                 paths[i]);
        assert_refused(MODULES, text, STATUS_CORRUPT, "only folders within the checkpoint");
    }
    snprintf(text, sizeof text,
             "[" TRANSFORMER ",{\"path\":\"%0300d\",\"type\":\"sentence_transformers.models.Pooling\"}]", 1);
    assert_refused(MODULES, text, STATUS_CORRUPT, "only folders within the checkpoint");
    assert_read(MODULES, "[" TRANSFORMER "," MODULE("a..b/..c/d", "sentence_transformers.models.Pooling") "]");
    assert_string_equal(modules.pooling_folder, "a..b/..c/d");
}

static void sentence_pooling_reads_both_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        Pooling pooling;
    } cases[] = {
        {"{\"word_embedding_dimension\":4,\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}",
         POOLING_CLS},
        {"{\"word_embedding_dimension\":4,\"pooling_mode_max_tokens\":true}", POOLING_MAX},
        {"{\"word_embedding_dimension\":4,\"pooling_mode_mean_tokens\":true}", POOLING_MEAN},
        {"{\"word_embedding_dimension\":4,\"pooling_mode_lasttoken\":true}", POOLING_LAST},
        {"{\"word_embedding_dimension\":4,\"pooling_mode_mean_tokens\":false}", POOLING_MEAN},
        {"{\"word_embedding_dimension\":4}", POOLING_MEAN},
        {"{\"embedding_dimension\":4,\"pooling_mode\":\"cls\"}", POOLING_CLS},
        {"{\"embedding_dimension\":4,\"pooling_mode\":\"lasttoken\"}", POOLING_LAST},
        {"{\"embedding_dimension\":4,\"pooling_mode\":[\"max\"]}", POOLING_MAX},
        {"{\"embedding_dimension\":4,\"pooling_mode\":\"mean\",\"pooling_mode_cls_token\":true}", POOLING_MEAN},
        {"{\"embedding_dimension\":4,\"pooling_mode_weightedmean_tokens\":true}", POOLING_WEIGHTED_MEAN},
        {"{\"embedding_dimension\":4,\"pooling_mode\":\"mean_sqrt_len_tokens\"}", POOLING_MEAN_SQRT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_read(POOLING_PART, cases[i].text);
        assert_int_equal(config.pooling_count, 1);
        assert_int_equal(config.poolings[0], cases[i].pooling);
        assert_int_equal(config.vector_size, 4);
        assert_true(config.include_prompt);
    }
    assert_read(POOLING_PART, "{\"embedding_dimension\":4,\"include_prompt\":false}");
    assert_false(config.include_prompt);
}

static void sentence_poolings_are_put_end_to_end(void **state)
{
    (void)state;
    assert_read(POOLING_PART, "{\"embedding_dimension\":4,\"pooling_mode\":[\"mean\",\"cls\"]}");
    assert_int_equal(config.pooling_count, 2);
    assert_int_equal(config.poolings[0], POOLING_MEAN);
    assert_int_equal(config.poolings[1], POOLING_CLS);
    assert_int_equal(config.vector_size, 8);
    assert_read(POOLING_PART, "{\"word_embedding_dimension\":4,\"pooling_mode_mean_tokens\":true,"
                              "\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true}");
    assert_int_equal(config.pooling_count, 3);
    assert_int_equal(config.poolings[0], POOLING_CLS);
    assert_int_equal(config.poolings[1], POOLING_MAX);
    assert_int_equal(config.poolings[2], POOLING_MEAN);
}

static void sentence_sparse_pooling_is_over_the_vocabulary(void **state)
{
    (void)state;
    assert_read(SPARSE_PART, "{\"pooling_strategy\":\"max\",\"activation_function\":\"relu\"}");
    assert_true(config.sparse && !config.sparse_sums && !config.sparse_logs_twice);
    assert_int_equal(config.vector_size, 100);
    assert_read(SPARSE_PART, "{\"pooling_strategy\":\"sum\",\"activation_function\":\"log1p_relu\"}");
    assert_true(config.sparse_sums && config.sparse_logs_twice);
    assert_refused(SPARSE_PART, "{\"pooling_strategy\":\"mean\"}", STATUS_UNSUPPORTED,
                   "pooling_strategy \"mean\" is not supported; supported: max, sum");
    assert_refused(SPARSE_PART, "{\"activation_function\":\"gelu\"}", STATUS_UNSUPPORTED,
                   "activation_function \"gelu\"");
}

static void sentence_dense_layers_fit_the_module_before(void **state)
{
    (void)state;
    assert_read(DENSE_PART, "{\"in_features\":4,\"out_features\":7,\"bias\":false,\"activation_function\":"
                            "\"torch.nn.modules.linear.Identity\"}");
    assert_int_equal(step.output_size, 7);
    assert_false(step.bias);
    assert_int_equal(step.activation, ACTIVATION_LINEAR);
    assert_read(DENSE_PART, "{\"in_features\":4,\"out_features\":1}");
    assert_true(step.bias);
    assert_int_equal(step.activation, ACTIVATION_TANH);
    assert_refused(DENSE_PART, "{\"in_features\":5,\"out_features\":1}", STATUS_CORRUPT,
                   "\"in_features\" is 5, but the module before gives 4");
    assert_refused(DENSE_PART, "{\"in_features\":4,\"out_features\":0}", STATUS_UNSUPPORTED, "out_features");
    assert_refused(DENSE_PART, "{\"in_features\":4,\"out_features\":1,\"activation_function\":\"os.Tanh\"}",
                   STATUS_UNSUPPORTED, "\"os.Tanh\" is not supported");
    assert_refused(DENSE_PART, "{\"in_features\":4,\"out_features\":1,\"module_input_name\":\"token_embeddings\"}",
                   STATUS_UNSUPPORTED, "\"token_embeddings\"");
    assert_refused(DENSE_PART, "{\"in_features\":4,\"out_features\":4,\"use_residual\":true}", STATUS_UNSUPPORTED,
                   "\"use_residual\" is not supported");
    assert_read(LAYER_NORM_PART, "{\"dimension\":4}");
    assert_refused(LAYER_NORM_PART, "{\"dimension\":5}", STATUS_CORRUPT, "\"dimension\" is 5");
}

static void sentence_pooling_of_another_kind_is_refused(void **state)
{
    (void)state;
    assert_refused(POOLING_PART, "{\"embedding_dimension\":4,\"pooling_mode\":\"median\"}", STATUS_UNSUPPORTED,
                   "\"median\" is not supported");
    assert_refused(POOLING_PART,
                   "{\"embedding_dimension\":4,\"pooling_mode\":[\"cls\",\"cls\",\"cls\",\"cls\",\"cls\","
                   "\"cls\",\"max\"]}",
                   STATUS_UNSUPPORTED, "up to 6 of cls");
    assert_refused(POOLING_PART, "{\"embedding_dimension\":4,\"pooling_mode\":[]}", STATUS_CORRUPT,
                   "must be a name");
    assert_refused(POOLING_PART, "{\"embedding_dimension\":4,\"pooling_mode\":7}", STATUS_CORRUPT,
                   "must be a name");
    assert_refused(POOLING_PART, "{\"embedding_dimension\":4,\"pooling_mode_cls_token\":1}", STATUS_CORRUPT,
                   "must be true or false, found a number");
    assert_refused(POOLING_PART, "{\"embedding_dimension\":5}", STATUS_CORRUPT,
                   "is 5, expected the model's hidden_size 4");
    assert_refused(POOLING_PART, "{\"pooling_mode\":\"mean\"}", STATUS_CORRUPT, "word_embedding_dimension");
}

static void sentence_normalize_takes_the_pooled_vector_only(void **state)
{
    (void)state;
    assert_read(NORMALIZE_PART, "{}");
    assert_read(NORMALIZE_PART, "{\"module_input_name\":\"sentence_embedding\",\"module_output_name\":null}");
    assert_refused(NORMALIZE_PART, "{\"module_input_name\":\"token_embeddings\"}", STATUS_UNSUPPORTED,
                   "\"token_embeddings\"");
}

static void sentence_limits_are_capped_by_the_positions(void **state)
{
    (void)state;
    static const struct {
        Part part;
        const char *text;
        uint32_t limit; /* 0: the file does not say */
    } cases[] = {
        {TRANSFORMER_PART, "{\"max_seq_length\":16,\"do_lower_case\":false}", 16},
        {TRANSFORMER_PART, "{\"max_seq_length\":33}", 32},
        {TRANSFORMER_PART, "{\"max_seq_length\":null}", 0},
        {TRANSFORMER_PART, "{\"transformer_task\":\"feature-extraction\"}", 0},
        {TOKENIZER_PART, "{\"model_max_length\":1000000000000000019884624838656}", 32},
        {TOKENIZER_PART, "{\"model_max_length\":20}", 20},
        {TOKENIZER_PART, "{\"max_len\":12}", 12},
        {TOKENIZER_PART, "{\"max_len\":12,\"model_max_length\":20}", 20},
        {TOKENIZER_PART, "{}", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_read(cases[i].part, cases[i].text);
        assert_int_equal(config.token_count_max, cases[i].limit);
        assert_false(config.lower_case);
    }
    assert_read(TRANSFORMER_PART, "{\"do_lower_case\":true}");
    assert_true(config.lower_case);
    assert_refused(TRANSFORMER_PART, "{\"max_seq_length\":0}", STATUS_CORRUPT, "expected a whole number from 1");
    assert_refused(TRANSFORMER_PART, "{\"max_seq_length\":-5}", STATUS_CORRUPT, "expected a whole number from 1");
    assert_refused(TRANSFORMER_PART, "{\"max_seq_length\":1.5}", STATUS_CORRUPT, "expected a whole number from 1");
    assert_refused(TRANSFORMER_PART, "{\"max_seq_length\":\"x\"}", STATUS_CORRUPT, "must be a number");
    assert_refused(TRANSFORMER_PART, "{\"transformer_task\":\"fill-mask\"}", STATUS_UNSUPPORTED, "fill-mask");
    assert_refused(TOKENIZER_PART, "{\"model_max_length\":0}", STATUS_CORRUPT, "model_max_length");
}

static void sentence_prompts_are_copied_in_order(void **state)
{
    (void)state;
    assert_read(PROMPTS,
                "{\"prompts\":{\"query\":\"query: \",\"passage\":null,\"\":\"\xC3\xA9\",\"query\":\"q: \"},"
                "\"default_prompt_name\":\"query\",\"model_type\":\"SentenceTransformer\"}");
    assert_int_equal(config.prompt_count, 3);
    assert_string_equal(config.prompts[0].name.bytes, "passage");
    assert_int_equal(config.prompts[0].text.size, 0);
    assert_string_equal(config.prompts[1].text.bytes, "\xC3\xA9");
    assert_string_equal(config.prompts[2].text.bytes, "q: ");
    assert_ptr_equal(config.default_prompt, &config.prompts[2]);
}

static void sentence_prompts_may_be_absent(void **state)
{
    (void)state;
    assert_read(PROMPTS, "{\"__version__\":{\"sentence_transformers\":\"2.0.0\"}}");
    assert_int_equal(config.prompt_count, 0);
    assert_null(config.default_prompt);
    assert_read(PROMPTS, "{\"prompts\":{},\"default_prompt_name\":null}");
    assert_null(config.default_prompt);
    assert_read(PROMPTS, "{\"default_prompt_name\":\"document\"}");
    assert_null(config.default_prompt);
    assert_int_equal(config.rank, SCORE_UNSET);
    assert_read(PROMPTS,
                "{\"model_type\":\"CrossEncoder\",\"activation_fn\":\"torch.nn.modules.linear.Identity\"}");
    assert_int_equal(config.rank, SCORE_IDENTITY);
}

static void sentence_prompts_that_are_wrong_are_refused(void **state)
{
    (void)state;
    assert_refused(PROMPTS, "{\"default_prompt_name\":\"x\"}", STATUS_CORRUPT, "\"x\" is none of its 0 prompts");
    assert_refused(PROMPTS, "{\"prompts\":[\"x\"]}", STATUS_CORRUPT, "\"prompts\" must be an object");
    assert_refused(PROMPTS, "{\"prompts\":{\"a\":7}}", STATUS_CORRUPT, "the prompt \"a\" must be a string");
    assert_refused(PROMPTS, "{\"model_type\":\"Other\"}", STATUS_UNSUPPORTED, "\"Other\"");
    char *text = malloc(PROMPT_BYTES_MAX + 64);
    assert_non_null(text);
    snprintf(text, PROMPT_BYTES_MAX + 64, "{\"prompts\":{\"a\":\"%0*d\"}}", (int)PROMPT_BYTES_MAX + 1, 0);
    assert_refused(PROMPTS, text, STATUS_RESOURCE_EXHAUSTED, "longer than the limit");
    char *end = text + sprintf(text, "{\"prompts\":{");
    for (int i = 0; i <= PROMPT_COUNT_MAX; i++) end += sprintf(end, "%s\"%d\":\"\"", i ? "," : "", i);
    strcpy(end, "}}");
    assert_refused(PROMPTS, text, STATUS_RESOURCE_EXHAUSTED, "1025 prompts; the limit is 1024");
    free(text);
}

static Status read_folder(const Scratch *scratch, Error *error)
{
    arena_free(&arena);
    arena_init(&arena, 1 << 20);
    return sentence_read(scratch->path, &model, &arena, &config, error);
}

static void sentence_files_together_describe_the_model(void **state)
{
    (void)state;
    Scratch scratch;
    Error error;
    scratch_open(&scratch);
    scratch_write_sentence_files(&scratch);
    scratch_write_text(&scratch, "tokenizer_config.json", "{\"model_max_length\":8}");
    assert_int_equal(read_folder(&scratch, &error), STATUS_OK);
    assert_int_equal(config.poolings[0], POOLING_MEAN);
    assert_true(config.normalize && config.include_prompt && config.lower_case);
    assert_int_equal(config.token_count_max, 16);
    assert_int_equal(config.prompt_count, 2);
    assert_string_equal(config.default_prompt->text.bytes, "query: ");
    unlink(scratch_path(&scratch, "sentence_bert_config.json"));
    assert_int_equal(read_folder(&scratch, &error), STATUS_OK);
    assert_int_equal(config.token_count_max, 8);
    scratch_write_text(&scratch, "sentence_roberta_config.json", "{\"max_seq_length\":12}");
    assert_int_equal(read_folder(&scratch, &error), STATUS_OK);
    assert_int_equal(config.token_count_max, 12);
    scratch_write_text(&scratch, "2_Normalize/config.json", "{\"module_input_name\":\"token_embeddings\"}");
    assert_int_equal(read_folder(&scratch, &error), STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "2_Normalize/config.json"));
    unlink(scratch_path(&scratch, "1_Pooling/config.json"));
    assert_int_equal(read_folder(&scratch, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "1_Pooling/config.json"));
    scratch_close(&scratch);
}

static void sentence_files_without_modules_json_are_not_read(void **state)
{
    (void)state;
    Scratch scratch;
    Error error;
    scratch_open(&scratch);
    scratch_write_sentence_files(&scratch);
    unlink(scratch_path(&scratch, "modules.json"));
    assert_int_equal(read_folder(&scratch, &error), STATUS_OK);
    assert_int_equal(config.poolings[0], POOLING_MEAN);
    assert_false(config.normalize || config.lower_case);
    assert_int_equal(config.token_count_max, 32);
    assert_int_equal(config.prompt_count, 0);
    scratch_write_text(&scratch, "tokenizer_config.json", "{\"model_max_length\":24}");
    assert_int_equal(read_folder(&scratch, &error), STATUS_OK);
    assert_int_equal(config.token_count_max, 24);
    scratch_write_text(&scratch, "tokenizer_config.json", "{");
    assert_int_equal(read_folder(&scratch, &error), STATUS_CORRUPT);
    scratch_close(&scratch);
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentence_modules_are_read_in_order),
        cmocka_unit_test(sentence_modules_of_another_kind_are_refused_by_name),
        cmocka_unit_test(sentence_modules_stay_within_the_checkpoint),
        cmocka_unit_test(sentence_pooling_reads_both_spellings),
        cmocka_unit_test(sentence_poolings_are_put_end_to_end),
        cmocka_unit_test(sentence_sparse_pooling_is_over_the_vocabulary),
        cmocka_unit_test(sentence_dense_layers_fit_the_module_before),
        cmocka_unit_test(sentence_pooling_of_another_kind_is_refused),
        cmocka_unit_test(sentence_normalize_takes_the_pooled_vector_only),
        cmocka_unit_test(sentence_limits_are_capped_by_the_positions),
        cmocka_unit_test(sentence_prompts_are_copied_in_order),
        cmocka_unit_test(sentence_prompts_may_be_absent),
        cmocka_unit_test(sentence_prompts_that_are_wrong_are_refused),
        cmocka_unit_test(sentence_files_together_describe_the_model),
        cmocka_unit_test(sentence_files_without_modules_json_are_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
