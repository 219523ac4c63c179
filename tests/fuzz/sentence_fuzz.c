/* Links headlight_model. The first byte picks one of sentence-transformers' files, the rest is its text. */
#include "fuzz.h"
#include "model/sentence.h"

#include <assert.h>
#include <string.h>

static const ModelConfig sentence_fuzz_model = {
    .hidden_size = 384, .position_count = 512, .vocabulary_size = 1000};

static void sentence_fuzz_folder(const char *folder)
{
    assert(folder[0] != '/' && strncmp(folder, "../", 3) != 0 && !strstr(folder, "/../"));
}

static Status sentence_fuzz_step(uint8_t part, const JsonValue *root, Error *error)
{
    VectorStep step = {.output_size = 384};
    Status status = part == 6 ? sentence_read_dense("2_Dense/config.json", root, 384, &step, error)
                              : sentence_read_layer_norm("2_LayerNorm/config.json", root, 384, &step, error);
    if (status == STATUS_OK) assert(step.output_size >= 1 && step.output_size <= VECTOR_SIZE_MAX);
    return status;
}

static Status sentence_fuzz_modules(const JsonValue *root, Error *error)
{
    SentenceModules modules;
    Status status = sentence_read_modules("modules.json", root, &modules, error);
    if (status == STATUS_OK) {
        assert(modules.step_count <= VECTOR_STEP_COUNT_MAX);
        sentence_fuzz_folder(modules.transformer_folder);
        sentence_fuzz_folder(modules.pooling_folder);
        for (uint32_t i = 0; i < modules.step_count; i++) sentence_fuzz_folder(modules.steps[i].folder);
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
    switch (part % 9) {
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
    case 6:
    case 7:
        return sentence_fuzz_step(part % 9, root, error);
    case 8:
        status = sentence_read_sparse_pooling("1_SpladePooling/config.json", root, &sentence_fuzz_model, &config,
                                              error);
        break;
    }
    assert(config.token_count_max >= 1 && config.token_count_max <= sentence_fuzz_model.position_count);
    assert(config.pooling_count <= POOLING_COUNT);
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
