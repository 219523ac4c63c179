/* The head of a checkpoint, by its class and by what its architecture leaves to config.json. */
#include "model/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const ModelConfig model = {.hidden_size = 8, .vocabulary_size = 16};
static HeadConfig config;
static Arena arena;

static Status read_head(const char *name, const char *fields, Error *error)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"architectures\": [\"%s\"]%s%s}", name, *fields ? ", " : "", fields);
    JsonDocument *document = NULL;
    assert_int_equal(json_document_parse(text_view(text), &document, error), STATUS_OK);
    arena_free(&arena);
    arena_init(&arena, 1 << 20);
    Status status = head_read("m/config.json", json_document_root(document), &model, &arena, &config, error);
    json_document_close(document);
    return status;
}

static void assert_read(const char *name, const char *fields)
{
    Error error;
    if (read_head(name, fields, &error)) fail_msg("%s, %s: %s", name, fields, error.message);
}

static void assert_refused(const char *name, const char *fields, Status expected, const char *reason)
{
    Error error = {.message = ""};
    Status status = read_head(name, fields, &error);
    if (status == expected && strstr(error.message, reason)) return;
    fail_msg("%s, %s: '%s', expected '%s'", name, fields, error.message, reason);
}

static void head_kind_is_the_classes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        HeadKind kind;
    } cases[] = {
        {"BertModel", HEAD_NONE},
        {"NewForSequenceClassification", HEAD_CLASSIFY},
        {"XLMRobertaForTokenClassification", HEAD_TAG},
        {"DebertaV2ForMaskedLM", HEAD_FILL},
        {"NomicBertForPreTraining", HEAD_FILL},
        {"BertLMHeadModel", HEAD_FILL},
        {"ElectraForQuestionAnswering", HEAD_ANSWER},
        {"BertForNextSentencePrediction", HEAD_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_read(cases[i].name, "");
        assert_int_equal(config.kind, cases[i].kind);
    }
    assert_read("BertModel", "\"architectures\": null");
    assert_int_equal(config.kind, HEAD_NONE);
    assert_read("BertModel", "\"architectures\": []");
    assert_int_equal(config.kind, HEAD_NONE);
    assert_refused("BertModel", "\"architectures\": [1]", STATUS_CORRUPT, "must be a list of names");
    assert_refused("BertModel", "\"architectures\": \"BertModel\"", STATUS_CORRUPT, "must be a list of names");
}

static void head_scores_are_those_of_the_text_classification_pipeline(void **state)
{
    (void)state;
    static const char one[] = "\"id2label\": {\"0\": \"a\"}";
    assert_read("BertForSequenceClassification", "");
    assert_int_equal(config.score, SCORE_SOFTMAX);
    assert_int_equal(config.label_count, 2);
    assert_read("BertForSequenceClassification", "\"problem_type\": \"single_label_classification\"");
    assert_int_equal(config.score, SCORE_SOFTMAX);
    assert_read("BertForSequenceClassification", "\"problem_type\": \"multi_label_classification\"");
    assert_int_equal(config.score, SCORE_SIGMOID);
    assert_read("BertForSequenceClassification", "\"problem_type\": \"regression\"");
    assert_int_equal(config.score, SCORE_IDENTITY);
    assert_read("BertForSequenceClassification", one);
    assert_int_equal(config.score, SCORE_SIGMOID);
    assert_read("BertForSequenceClassification", "\"num_labels\": 1, \"problem_type\": \"regression\"");
    assert_int_equal(config.score, SCORE_IDENTITY);
    assert_refused("BertForSequenceClassification", "\"problem_type\": \"ranking\"", STATUS_UNSUPPORTED,
                   "problem_type \"ranking\" is not supported");
}

static void head_ranks_as_the_cross_encoders_configuration_says(void **state)
{
    (void)state;
    assert_read("BertForSequenceClassification", "\"num_labels\": 1");
    assert_int_equal(config.rank, SCORE_UNSET);
    assert_read("BertForSequenceClassification",
                "\"num_labels\": 1, \"sentence_transformers\": {\"activation_fn\": "
                "\"torch.nn.modules.linear.Identity\", \"version\": \"4.1\"}");
    assert_int_equal(config.rank, SCORE_IDENTITY);
    assert_read("BertForSequenceClassification", "\"num_labels\": 1, \"sbert_ce_default_activation_function\": "
                                                 "\"torch.nn.modules.activation.Sigmoid\"");
    assert_int_equal(config.rank, SCORE_SIGMOID);
    assert_refused("BertForSequenceClassification",
                   "\"num_labels\": 1, \"sentence_transformers\": {\"activation_fn\": "
                   "\"torch.nn.modules.activation.Tanh\"}",
                   STATUS_UNSUPPORTED, "the activation_fn \"torch.nn.modules.activation.Tanh\" is not supported");
    assert_refused("BertForSequenceClassification",
                   "\"num_labels\": 1, \"sbert_ce_default_activation_function\": \"os.Sigmoid\"",
                   STATUS_UNSUPPORTED, "the sbert_ce_default_activation_function \"os.Sigmoid\"");
}

static void head_decoder_is_tied_unless_config_says_otherwise(void **state)
{
    (void)state;
    assert_read("BertForMaskedLM", "");
    assert_true(config.tied);
    assert_read("BertForMaskedLM", "\"tie_word_embeddings\": false");
    assert_false(config.tied);
    assert_refused("BertForMaskedLM", "\"tie_word_embeddings\": 1", STATUS_CORRUPT, "tie_word_embeddings");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_kind_is_the_classes),
        cmocka_unit_test(head_scores_are_those_of_the_text_classification_pipeline),
        cmocka_unit_test(head_ranks_as_the_cross_encoders_configuration_says),
        cmocka_unit_test(head_decoder_is_tied_unless_config_says_otherwise),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
