/* config.json: what is served is read exactly, everything else is refused by name. */
#include "model/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Reads a whole configuration with `changes` at its end, where the last of repeated keys counts. */
static Status read_config(const char *changes, ModelConfig *config, Error *error)
{
    char text[2048];
    snprintf(
        text, sizeof text,
        "{\"model_type\": \"bert\", \"hidden_size\": 384, \"num_hidden_layers\": 6, \"num_attention_heads\": 12, "
        "\"intermediate_size\": 1536, \"vocab_size\": 30522, \"max_position_embeddings\": 512, "
        "\"type_vocab_size\": 2, \"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-12, \"use_cache\": true, "
        "\"position_embedding_type\": \"absolute\"%s%s}",
        *changes ? ", " : "", changes);
    JsonDocument *document = NULL;
    Status status = json_document_parse(text_view(text), &document, error);
    assert_int_equal(status, STATUS_OK);
    status = config_read("m/config.json", json_document_root(document), config, error);
    json_document_close(document);
    return status;
}

static void assert_refused(const char *changes, Status expected, const char *reason)
{
    ModelConfig config = {.hidden_size = 77};
    Error error = {.message = ""};
    Status status = read_config(changes, &config, &error);
    if (status != expected || !strstr(error.message, reason) ||
        strncmp(error.message, "m/config.json: ", 15) != 0) {
        fail_msg("%s: status \"%s\", message \"%s\", expected \"%s\"", changes, status_name(status), error.message,
                 reason);
    }
    assert_int_equal(config.hidden_size, 77);
}

static void config_reads_every_field(void **state)
{
    (void)state;
    ModelConfig config;
    Error error;
    assert_int_equal(read_config("", &config, &error), STATUS_OK);
    assert_int_equal(config.architecture, ARCHITECTURE_BERT);
    assert_int_equal(config.hidden_size, 384);
    assert_int_equal(config.layer_count, 6);
    assert_int_equal(config.head_count, 12);
    assert_int_equal(config.intermediate_size, 1536);
    assert_int_equal(config.vocabulary_size, 30522);
    assert_int_equal(config.position_count, 512);
    assert_int_equal(config.type_count, 2);
    assert_int_equal(config.activation, ACTIVATION_GELU);
    assert_true(config.norm_epsilon == 1e-12F);
}

static void config_fills_what_transformers_fills(void **state)
{
    (void)state;
    ModelConfig config;
    Error error;
    assert_int_equal(
        read_config("\"layer_norm_eps\": null, \"hidden_act\": null, \"position_embedding_type\": null", &config,
                    &error),
        STATUS_OK);
    assert_int_equal(config.activation, ACTIVATION_GELU);
    assert_true(config.norm_epsilon == 1e-12F);
}

static void config_names_activations_as_transformers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Activation activation;
    } cases[] = {
        {"gelu", ACTIVATION_GELU},           {"gelu_python", ACTIVATION_GELU},
        {"gelu_new", ACTIVATION_GELU_TANH},  {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
        {"gelu_fast", ACTIVATION_GELU_TANH}, {"gelu_accurate", ACTIVATION_GELU_TANH},
        {"relu", ACTIVATION_RELU},           {"silu", ACTIVATION_SILU},
        {"swish", ACTIVATION_SILU},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ModelConfig config;
        Error error;
        char change[64];
        snprintf(change, sizeof change, "\"hidden_act\": \"%s\"", cases[i].name);
        assert_int_equal(read_config(change, &config, &error), STATUS_OK);
        assert_int_equal(config.activation, cases[i].activation);
    }
    assert_refused("\"hidden_act\": \"quick_gelu\"", STATUS_UNSUPPORTED,
                   "hidden_act \"quick_gelu\" is not supported");
    assert_refused("\"hidden_act\": \"GELU\"", STATUS_UNSUPPORTED, "gelu_new");
    assert_refused("\"hidden_act\": [\"gelu\"]", STATUS_CORRUPT, "must be a string, found a list");
}

static void config_refuses_other_models_by_name(void **state)
{
    (void)state;
    assert_refused("\"model_type\": \"gpt2\"", STATUS_UNSUPPORTED,
                   "model_type \"gpt2\" is not supported; supported: \"bert\" \"roberta\"");
    assert_refused("\"model_type\": null", STATUS_CORRUPT, "\"model_type\" is absent");
    assert_refused("\"model_type\": 7", STATUS_CORRUPT, "must be a string, found a number");
    assert_refused("\"position_embedding_type\": \"relative_key\"", STATUS_UNSUPPORTED, "\"relative_key\"");
    assert_refused("\"is_decoder\": true", STATUS_UNSUPPORTED, "\"is_decoder\" is true");
    assert_refused("\"add_cross_attention\": true", STATUS_UNSUPPORTED, "\"add_cross_attention\" is true");
}

static void config_proves_the_range_of_every_size(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t max;
    } sizes[] = {
        {"hidden_size", MODEL_HIDDEN_SIZE_MAX},        {"num_hidden_layers", MODEL_LAYER_COUNT_MAX},
        {"num_attention_heads", MODEL_HEAD_COUNT_MAX}, {"intermediate_size", MODEL_INTERMEDIATE_SIZE_MAX},
        {"vocab_size", MODEL_VOCABULARY_SIZE_MAX},     {"max_position_embeddings", MODEL_POSITION_COUNT_MAX},
        {"type_vocab_size", MODEL_TYPE_COUNT_MAX},
    };
    static const char *const wrong[] = {"0", "-1", "1.5", "1e30", "18446744073709551616"};
    static const char *const mistyped[] = {"null", "true", "\"8\"", "[8]", "{}", "1e999"};
    char change[128];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            snprintf(change, sizeof change, "\"%s\": %s", sizes[i].name, wrong[j]);
            assert_refused(change, STATUS_UNSUPPORTED, sizes[i].name);
        }
        snprintf(change, sizeof change, "\"%s\": %llu", sizes[i].name, (unsigned long long)sizes[i].max + 1);
        assert_refused(change, STATUS_UNSUPPORTED, "expected a whole number from 1 to");
        for (size_t j = 0; j < sizeof mistyped / sizeof *mistyped; j++) {
            snprintf(change, sizeof change, "\"%s\": %s", sizes[i].name, mistyped[j]);
            assert_refused(change, STATUS_CORRUPT, sizes[i].name);
        }
    }
    assert_refused("\"num_attention_heads\": 7", STATUS_CORRUPT, "hidden_size 384 is no multiple");
}

static void config_proves_the_epsilon(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0", "-1e-12", "1", "2", "1e-60"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char change[64];
        snprintf(change, sizeof change, "\"layer_norm_eps\": %s", wrong[i]);
        assert_refused(change, STATUS_CORRUPT, "between 0 and 1");
    }
    assert_refused("\"layer_norm_eps\": \"1e-12\"", STATUS_CORRUPT, "must be a number, found a string");
}

static void config_must_be_an_object(void **state)
{
    (void)state;
    JsonDocument *document = NULL;
    ModelConfig config;
    Error error;
    assert_int_equal(json_document_parse(text_view("[]"), &document, &error), STATUS_OK);
    assert_int_equal(config_read("c", json_document_root(document), &config, &error), STATUS_CORRUPT);
    assert_string_equal(error.message, "c: expected an object, found a list");
    json_document_close(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_reads_every_field),
        cmocka_unit_test(config_fills_what_transformers_fills),
        cmocka_unit_test(config_names_activations_as_transformers),
        cmocka_unit_test(config_refuses_other_models_by_name),
        cmocka_unit_test(config_proves_the_range_of_every_size),
        cmocka_unit_test(config_proves_the_epsilon),
        cmocka_unit_test(config_must_be_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
