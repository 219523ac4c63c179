/* What sentence-transformers' files say. The parts are apart from the reading of files, so that each can be tested
 * and fuzzed from memory; `path` is for messages, `root` a parsed file. All fail with CORRUPT (wrong, or out of
 * range), UNSUPPORTED (a module or mode that is not served, by name), RESOURCE_EXHAUSTED, NO_MEMORY. */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "model/config.h"

/* The modules of modules.json, their folders relative to the checkpoint and proved to stay within it. */
typedef struct SentenceModules {
    char transformer_folder[MODULE_PATH_BYTES_MAX]; /* "": the checkpoint's own */
    bool masked;                                    /* a MLMTransformer: for SpladePooling only */
    bool has_pooling;
    bool sparse; /* a SpladePooling */
    char pooling_folder[MODULE_PATH_BYTES_MAX];
    uint32_t step_count;
    VectorStep steps[VECTOR_STEP_COUNT_MAX]; /* kinds and folders */
} SentenceModules;

/* Finds the folder of the model's own files, relative to `directory`: where modules.json, if there is one, has its
 * Transformer. Fails as sentence_read_modules, and with IO. */
CHECKED Status sentence_find_model(const char *directory, char out_folder[MODULE_PATH_BYTES_MAX],
                                   Error *out_error);
/* Reads the files of the checkpoint in `directory` into *out_config, which is untouched on failure; its prompts
 * live in `arena`. Fails as the parts, and with NOT_FOUND, IO. */
CHECKED Status sentence_read(const char *directory, const ModelConfig *model, Arena *arena,
                             SentenceConfig *out_config, Error *out_error);

/* modules.json: a Transformer, a Pooling, and perhaps more, in this order; a Transformer alone is pooled by mean. */
CHECKED Status sentence_read_modules(const char *path, const JsonValue *root, SentenceModules *out_modules,
                                     Error *out_error);
/* 1_Pooling/config.json: fills `poolings`, `include_prompt` and `vector_size`. */
CHECKED Status sentence_read_pooling(const char *path, const JsonValue *root, const ModelConfig *model,
                                     SentenceConfig *config, Error *out_error);
/* 1_SpladePooling/config.json: fills `sparse` and what belongs to it, and `vector_size`. */
CHECKED Status sentence_read_sparse_pooling(const char *path, const JsonValue *root, const ModelConfig *model,
                                            SentenceConfig *config, Error *out_error);
/* 2_Dense/config.json, 2_LayerNorm/config.json, whose input has `input_size` floats. */
CHECKED Status sentence_read_dense(const char *path, const JsonValue *root, uint32_t input_size, VectorStep *step,
                                   Error *out_error);
CHECKED Status sentence_read_layer_norm(const char *path, const JsonValue *root, uint32_t input_size,
                                        VectorStep *step, Error *out_error);
/* 2_Normalize/config.json, which newer versions write: refuses to normalize anything but the pooled vector. */
CHECKED Status sentence_read_normalize(const char *path, const JsonValue *root, Error *out_error);
/* sentence_bert_config.json: fills `lower_case`, and `token_count_max` when it is given, at most the model's own. */
CHECKED Status sentence_read_transformer(const char *path, const JsonValue *root, const ModelConfig *model,
                                         SentenceConfig *config, Error *out_error);
/* tokenizer_config.json: fills `token_count_max` from model_max_length, at most the model's own. */
CHECKED Status sentence_read_tokenizer(const char *path, const JsonValue *root, const ModelConfig *model,
                                       SentenceConfig *config, Error *out_error);
/* config_sentence_transformers.json: fills `prompts`, `prompt_count`, `default_prompt`, and `rank`. */
CHECKED Status sentence_read_prompts(const char *path, const JsonValue *root, Arena *arena, SentenceConfig *config,
                                     Error *out_error);
