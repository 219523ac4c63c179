/* What config.json and sentence-transformers' files say, proved and in one place. */
#pragma once

#include "base/json.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "model/architecture.h"
#include "model/field.h"

typedef enum Activation {
    ACTIVATION_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_RELU,
    ACTIVATION_SILU,
    ACTIVATION_TANH,
    ACTIVATION_LINEAR, /* none */
} Activation;

/* What makes a score of a logit. */
typedef enum ScoreFunction { SCORE_UNSET, SCORE_SOFTMAX, SCORE_SIGMOID, SCORE_IDENTITY } ScoreFunction;

typedef enum NormKind {
    NORM_LAYER, /* with weight and bias */
    NORM_LAYER_NO_BIAS,
    NORM_RMS,
} NormKind;

#define REACH_UNLIMITED UINT32_MAX

/* What attention adds to its scores. */
typedef enum PositionBias {
    POSITION_BIAS_NONE,
    POSITION_BIAS_RELATIVE,     /* MPNet: one value a head and bucket of distance */
    POSITION_BIAS_ALIBI,        /* a slope a head times the distance */
    POSITION_BIAS_DISENTANGLED, /* DeBERTa: content to position and position to content */
} PositionBias;

/* Which keys a query sees. */
typedef enum AttentionPattern {
    ATTENTION_PATTERN_DENSE,          /* all of them */
    ATTENTION_PATTERN_SLIDING_WINDOW, /* in some layers, those near it */
    ATTENTION_PATTERN_LONGFORMER,     /* those near it and global ones, whose own queries see all */
    ATTENTION_PATTERN_BIGBIRD,        /* those of neighbouring blocks, the first and the last */
} AttentionPattern;

/* rope_type, and GTE's own "ntk". */
typedef enum RotaryKind {
    ROTARY_KIND_DEFAULT,
    ROTARY_KIND_LINEAR,
    ROTARY_KIND_NTK,
    ROTARY_KIND_DYNAMIC,
    ROTARY_KIND_YARN,
    ROTARY_KIND_LLAMA3,
} RotaryKind;

/* What a kind does not use is 0, as what is absent is; attention/rotary.h says what each number does. */
typedef struct RotaryConfig {
    RotaryKind kind;
    double theta; /* 0: positions are not rotated */
    double factor;
    double attention_factor;
    double beta_fast, beta_slow, mscale, mscale_all_dim;
    bool no_truncation;
    double low_frequency_factor, high_frequency_factor;
    uint32_t position_count; /* that the model was trained on, for the kinds that ask */
    uint32_t size;           /* the first dimensions of a head that are rotated; even */
} RotaryConfig;

/* DeBERTa's relative attention. */
typedef struct DisentangledConfig {
    bool content_to_position;
    bool position_to_content;
    bool shares_projections; /* share_att_key: positions go through the query's and key's own projections */
    bool normalizes;         /* norm_rel_ebd: the table goes through a LayerNorm */
    uint32_t bucket_count;   /* position_buckets; 0: each distance is its own */
    uint32_t distance_max;   /* max_relative_positions */
    uint32_t span;           /* half of the table's rows */
} DisentangledConfig;

/* config.json. Every size is within its MODEL_*_MAX; key_value_head_count divides head_count. */
typedef struct ModelConfig {
    Architecture architecture;
    const char *model_type; /* as config.json spells it; static */
    uint32_t hidden_size;
    uint32_t embedding_size; /* of the embedding tables; projected where it is not hidden_size */
    uint32_t layer_count;    /* as often as a layer is run */
    uint32_t head_count;
    uint32_t key_value_head_count;
    uint32_t head_size;
    uint32_t intermediate_size;
    uint32_t vocabulary_size;
    uint32_t position_count;  /* tokens of the longest text */
    uint32_t position_rows;   /* of the table of absolute positions; 0: there is none */
    uint32_t position_offset; /* RoBERTa's family and MPNet: pad_token_id + 1, the first token's row; else 0 */
    uint32_t type_count;      /* type_vocab_size; 0: there is no table of types */
    float embedding_scale;    /* of the word embeddings; 0: they stay as they are */
    float norm_epsilon;
    NormKind norm;
    Activation activation;
    bool gated;             /* the first product of a layer's MLP makes gates and values */
    bool attention_bias;    /* the four projections of attention have biases, */
    bool projections_bare;  /* but query, key and value have none all the same */
    bool intermediate_bias; /* of the MLP's first product */
    bool output_bias;       /* of the MLP's second product */
    PositionBias position_bias;
    RotaryConfig rotary;
    RotaryConfig local_rotary; /* of the local layers */
    AttentionPattern attention;
    uint32_t
        layer_reach[MODEL_LAYER_COUNT_MAX]; /* tokens that a layer sees to either side; REACH_UNLIMITED: all */
    uint32_t separator_id;                  /* Longformer and BigBird: the token that ends a question */
    uint32_t block_size;                    /* BIGBIRD: tokens of a block, */
    uint32_t block_repeats;                 /* and how often the first counts again */
    uint32_t relative_rows;                 /* MPNet: of the table of relative positions */
    DisentangledConfig disentangled;
    uint32_t group_count;      /* ALBERT: layers of their own; else layer_count */
    uint32_t inner_count;      /* ALBERT: layers in a group; else 1 */
    uint32_t convolution_size; /* DeBERTa: tokens under the convolution beside the first layer; 0: none */
    Activation convolution_activation;
} ModelConfig;

typedef enum Pooling {
    POOLING_MEAN,
    POOLING_CLS,
    POOLING_MAX,
    POOLING_LAST,
    POOLING_MEAN_SQRT,     /* the sum by the square root of the count */
    POOLING_WEIGHTED_MEAN, /* by the place in the text, counted from 1 */
    POOLING_COUNT,
} Pooling;

typedef enum VectorStepKind { VECTOR_DENSE, VECTOR_LAYER_NORM, VECTOR_NORMALIZE } VectorStepKind;

/* A module behind the pooling. */
typedef struct VectorStep {
    VectorStepKind kind;
    char
        folder[MODULE_PATH_BYTES_MAX]; /* relative to the checkpoint; a Dense's or LayerNorm's weights lie there */
    uint32_t input_size;
    uint32_t output_size;
    bool bias;             /* DENSE */
    Activation activation; /* DENSE */
} VectorStep;

typedef struct Prompt {
    TextView name;
    TextView text;
} Prompt;

/* modules.json, the configurations of its modules, sentence_bert_config.json, config_sentence_transformers.json. A
 * checkpoint without modules.json is pooled by mean, not normalized, and its other files of that kind are not read:
 * that is how sentence-transformers opens it. */
typedef struct SentenceConfig {
    uint32_t pooling_count; /* vectors that are put end to end; 0: sparse */
    Pooling poolings[POOLING_COUNT];
    bool sparse;            /* the vector is one of the vocabulary, by the head that fills masks: */
    bool sparse_sums;       /* the sum over the tokens, else the maximum, */
    bool sparse_logs_twice; /* of log(1 + max(logit, 0)), or of the log of 1 and that */
    uint32_t step_count;
    VectorStep steps[VECTOR_STEP_COUNT_MAX];
    bool normalize;           /* the last module is a Normalize; it is not one of the steps */
    uint32_t vector_size;     /* behind all modules */
    ScoreFunction rank;       /* of a cross-encoder; SCORE_UNSET: not said here */
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

/* Reads an activation function's name; *activation stays as it is when the field is absent. Fails with CORRUPT and
 * UNSUPPORTED. */
CHECKED Status config_read_activation(const FieldReader *reader, const char *field, Activation *activation,
                                      Error *out_error);
