/* What config.json and sentence-transformers' files say, proved and in one place. */
#pragma once

#include "base/json.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "model/architecture.h"

typedef enum Activation { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_RELU, ACTIVATION_SILU } Activation;

/* config.json. Every size is within its MODEL_*_MAX and head_count divides hidden_size. */
typedef struct ModelConfig {
    Architecture architecture;
    uint32_t hidden_size;
    uint32_t layer_count;
    uint32_t head_count;
    uint32_t intermediate_size;
    uint32_t vocabulary_size;
    uint32_t position_count;
    uint32_t type_count; /* type_vocab_size */
    float layer_norm_epsilon;
    Activation activation;
} ModelConfig;

typedef enum Pooling { POOLING_MEAN, POOLING_CLS, POOLING_MAX, POOLING_LAST } Pooling;

typedef struct Prompt {
    TextView name;
    TextView text;
} Prompt;

/* modules.json, 1_Pooling/config.json, sentence_bert_config.json, config_sentence_transformers.json. A checkpoint
 * without modules.json is pooled by mean, not normalized, and its other files of that kind are not read: that is
 * how sentence-transformers opens it. */
typedef struct SentenceConfig {
    Pooling pooling;
    bool normalize;           /* the checkpoint has a Normalize module */
    bool include_prompt;      /* whether pooling counts the prompt's tokens */
    bool lower_case;          /* do_lower_case of sentence_bert_config.json */
    uint32_t token_count_max; /* max_seq_length, else the tokenizer's model_max_length; at most position_count */
    uint32_t prompt_count;
    const Prompt *prompts;        /* those of the files, owned by the checkpoint; names are unique */
    const Prompt *default_prompt; /* NULL: none, or an implied one */
} SentenceConfig;

/* Whether a prompt of that name exists in sentence-transformers also where the files have none: it is empty then. */
bool model_prompt_is_implied(TextView name);

/* Reads config.json, already parsed into `root`; `path` is for messages. Fails with CORRUPT (a field is absent or
 * of another type), UNSUPPORTED (model_type, position_embedding_type, hidden_act or a size that is not served);
 * the message names file, field and value. *out_config is untouched on failure. */
CHECKED Status config_read(const char *path, const JsonValue *root, ModelConfig *out_config, Error *out_error);
