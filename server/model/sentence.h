/* What sentence-transformers' files say. The parts are apart from the reading of files, so that each can be tested
 * and fuzzed from memory; `path` is for messages, `root` a parsed file. All fail with CORRUPT (wrong, or out of
 * range), UNSUPPORTED (a module or mode that is not served, by name), RESOURCE_EXHAUSTED, NO_MEMORY. */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "model/config.h"

/* The folders of the modules of modules.json, relative to the checkpoint and proved to stay within it. */
typedef struct SentenceModules {
    char pooling_path[MODULE_PATH_BYTES_MAX];
    char normalize_path[MODULE_PATH_BYTES_MAX];
    bool normalize;
} SentenceModules;

/* Reads the files of the checkpoint in `directory` into *out_config, which is untouched on failure; its prompts
 * live in `arena`. Fails as the parts, and with NOT_FOUND, IO. */
CHECKED Status sentence_read(const char *directory, const ModelConfig *model, Arena *arena,
                             SentenceConfig *out_config, Error *out_error);

/* modules.json: a Transformer, a Pooling, and perhaps a Normalize, in this order. */
CHECKED Status sentence_read_modules(const char *path, const JsonValue *root, SentenceModules *out_modules,
                                     Error *out_error);
/* 1_Pooling/config.json: fills `pooling` and `include_prompt`. */
CHECKED Status sentence_read_pooling(const char *path, const JsonValue *root, const ModelConfig *model,
                                     SentenceConfig *config, Error *out_error);
/* 2_Normalize/config.json, which newer versions write: refuses to normalize anything but the pooled vector. */
CHECKED Status sentence_read_normalize(const char *path, const JsonValue *root, Error *out_error);
/* sentence_bert_config.json: fills `lower_case`, and `token_count_max` when it is given, at most the model's own.
 */
CHECKED Status sentence_read_transformer(const char *path, const JsonValue *root, const ModelConfig *model,
                                         SentenceConfig *config, Error *out_error);
/* tokenizer_config.json: fills `token_count_max` from model_max_length, at most the model's own. */
CHECKED Status sentence_read_tokenizer(const char *path, const JsonValue *root, const ModelConfig *model,
                                       SentenceConfig *config, Error *out_error);
/* config_sentence_transformers.json: fills `prompts`, `prompt_count`, `default_prompt`. */
CHECKED Status sentence_read_prompts(const char *path, const JsonValue *root, Arena *arena, SentenceConfig *config,
                                     Error *out_error);
