/* Links headlight_model. Any bytes as config.json: what is accepted is within every limit. */
#include "fuzz.h"
#include "model/config.h"

#include <assert.h>

static void config_fuzz_check(const ModelConfig *config)
{
    assert(config->hidden_size >= 1 && config->hidden_size <= MODEL_HIDDEN_SIZE_MAX);
    assert(config->layer_count >= 1 && config->layer_count <= MODEL_LAYER_COUNT_MAX);
    assert(config->head_count >= 1 && config->hidden_size % config->head_count == 0);
    assert(config->intermediate_size >= 1 && config->intermediate_size <= MODEL_INTERMEDIATE_SIZE_MAX);
    assert(config->vocabulary_size >= 1 && config->vocabulary_size <= MODEL_VOCABULARY_SIZE_MAX);
    assert(config->position_count >= 1 && config->position_count <= MODEL_POSITION_COUNT_MAX);
    assert(config->type_count >= 1 && config->type_count <= MODEL_TYPE_COUNT_MAX);
    assert(config->norm_epsilon > 0 && config->norm_epsilon <= 1);
    assert(config->architecture < ARCHITECTURE_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    JsonDocument *document = NULL;
    Error error;
    ModelConfig config;
    if (json_document_parse((TextView){(const char *)bytes, size}, &document, &error) != STATUS_OK) return 0;
    if (config_read("config.json", json_document_root(document), &config, &error) == STATUS_OK) {
        config_fuzz_check(&config);
    } else {
        assert(error.message[0]);
    }
    json_document_close(document);
    return 0;
}
