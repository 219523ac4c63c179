/* Links headlight_model. The first byte picks one of sentence-transformers' files, the rest is its text. */
#include "fuzz.h"
#include "model/sentence.h"

#include <assert.h>
#include <string.h>

static const ModelConfig sentence_fuzz_model = {.hidden_size = 384, .position_count = 512};

static Status sentence_fuzz_modules(const JsonValue *root, Error *error)
{
    SentenceModules modules;
    Status status = sentence_read_modules("modules.json", root, &modules, error);
    if (status == STATUS_OK) {
        assert(modules.pooling_path[0] != '/' && modules.normalize_path[0] != '/');
        assert(strncmp(modules.pooling_path, "../", 3) != 0 && !strstr(modules.pooling_path, "/../"));
    }
    return status;
}

static Status sentence_fuzz_prompts(const JsonValue *root, Error *error)
{
    Arena arena;
    SentenceConfig config = {0};
    arena_init(&arena, 2 * JSON_BYTES_MAX);
    Status status = sentence_read_prompts("config_sentence_transformers.json", root, &arena, &config, error);
    for (uint32_t i = 0; status == STATUS_OK && i < config.prompt_count; i++) {
        assert(strlen(config.prompts[i].name.bytes) == config.prompts[i].name.size);
        assert(strlen(config.prompts[i].text.bytes) == config.prompts[i].text.size);
    }
    arena_free(&arena);
    return status;
}

static Status sentence_fuzz_part(uint8_t part, const JsonValue *root, Error *error)
{
    SentenceConfig config = {.token_count_max = 1};
    Status status = STATUS_OK;
    switch (part % 6) {
    case 0:
        return sentence_fuzz_modules(root, error);
    case 1:
        return sentence_fuzz_prompts(root, error);
    case 2:
        return sentence_read_normalize("2_Normalize/config.json", root, error);
    case 3:
        status = sentence_read_pooling("1_Pooling/config.json", root, &sentence_fuzz_model, &config, error);
        break;
    case 4:
        status =
            sentence_read_transformer("sentence_bert_config.json", root, &sentence_fuzz_model, &config, error);
        break;
    case 5:
        status = sentence_read_tokenizer("tokenizer_config.json", root, &sentence_fuzz_model, &config, error);
        break;
    }
    assert(config.token_count_max >= 1 && config.token_count_max <= sentence_fuzz_model.position_count);
    assert(config.pooling <= POOLING_LAST);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    JsonDocument *document = NULL;
    Error error = {.message = ""};
    if (size == 0) return -1;
    if (json_document_parse((TextView){(const char *)bytes + 1, size - 1}, &document, &error) != STATUS_OK)
        return 0;
    Status status = sentence_fuzz_part(bytes[0], json_document_root(document), &error);
    assert(status == STATUS_OK || (error.status == status && error.message[0]));
    json_document_close(document);
    return 0;
}
