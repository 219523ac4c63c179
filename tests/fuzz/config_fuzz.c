/* Links headlight_model. Any bytes as config.json: what is accepted, of model and head, is within every
 * limit. */
#include "fuzz.h"
#include "model/head.h"

#include <assert.h>

static void config_fuzz_check(const ModelConfig *config)
{
    assert(config->hidden_size >= 1 && config->hidden_size <= MODEL_HIDDEN_SIZE_MAX);
    assert(config->layer_count >= 1 && config->layer_count <= MODEL_LAYER_COUNT_MAX);
    assert(config->embedding_size >= 1 && config->embedding_size <= MODEL_HIDDEN_SIZE_MAX);
    assert(config->head_count >= 1 && config->head_count <= MODEL_HEAD_COUNT_MAX);
    assert(config->head_size >= 1 && config->head_count * config->head_size <= MODEL_INTERMEDIATE_SIZE_MAX);
    assert(config->key_value_head_count >= 1 && config->head_count % config->key_value_head_count == 0);
    assert(config->group_count >= 1 && config->group_count <= config->layer_count);
    assert(config->inner_count >= 1 && config->inner_count * config->layer_count <= MODEL_LAYER_COUNT_MAX);
    assert(config->position_rows == 0 ||
           config->position_rows - config->position_offset >= config->position_count);
    assert(config->disentangled.span <= MODEL_RELATIVE_SPAN_MAX);
    assert(config->intermediate_size >= 1 && config->intermediate_size <= MODEL_INTERMEDIATE_SIZE_MAX);
    assert(config->vocabulary_size >= 1 && config->vocabulary_size <= MODEL_VOCABULARY_SIZE_MAX);
    assert(config->position_count >= 1 && config->position_count <= MODEL_POSITION_COUNT_MAX);
    assert(config->type_count <= MODEL_TYPE_COUNT_MAX);
    assert(config->norm_epsilon > 0 && config->norm_epsilon <= 1);
    assert(config->architecture < ARCHITECTURE_COUNT);
}

static void head_fuzz(const JsonValue *root, const ModelConfig *model)
{
    Arena arena;
    arena_init(&arena, MIB);
    Error error;
    HeadConfig head;
    if (head_read("config.json", root, model, &arena, &head, &error) == STATUS_OK) {
        assert(head.label_count <= MODEL_LABEL_COUNT_MAX);
        for (uint32_t i = 0; i < head.label_count; i++) assert(head.labels[i].size <= LABEL_BYTES_MAX);
        assert(head.kind != HEAD_CLASSIFY || head.score != SCORE_UNSET);
    } else {
        assert(error.message[0]);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    JsonDocument *document = NULL;
    Error error;
    ModelConfig config;
    if (json_document_parse((TextView){(const char *)bytes, size}, &document, &error) != STATUS_OK) return 0;
    if (config_read("config.json", json_document_root(document), &config, &error) == STATUS_OK) {
        config_fuzz_check(&config);
        head_fuzz(json_document_root(document), &config);
    } else {
        assert(error.message[0]);
    }
    json_document_close(document);
    return 0;
}
