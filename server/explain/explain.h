/* Why the model answered as it did, as plain values: what a request asks for, and what an explanation holds. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* In the order of the API's ExplanationMethod. */
typedef enum ExplainMethod {
    EXPLAIN_ATTENTION,
    EXPLAIN_ROLLOUT,
    EXPLAIN_VALUE_NORM,
    EXPLAIN_OCCLUSION,
    EXPLAIN_GRADIENT_INPUT,
    EXPLAIN_INTEGRATED_GRADIENTS,
    EXPLAIN_SURROGATE_LINEAR,
    EXPLAIN_SURROGATE_TREE,
    EXPLAIN_ANCHOR_RULE,
    EXPLAIN_SUMMARY,
    EXPLAIN_METHOD_COUNT
} ExplainMethod;

/* Which rows of attention, of the queries of a sequence. POOLED: those that the answer is read from, as one row: their
 * mean where they are several. */
typedef enum ExplainRows { EXPLAIN_ROWS_POOLED, EXPLAIN_ROWS_ALL, EXPLAIN_ROWS_LISTED } ExplainRows;
/* SPARSE: the keys that the model's pattern lets the row see. */
typedef enum ExplainForm { EXPLAIN_FORM_DENSE, EXPLAIN_FORM_TOP_K, EXPLAIN_FORM_SPARSE } ExplainForm;
typedef enum ExplainAggregate { EXPLAIN_HEADS_EACH, EXPLAIN_HEADS_MEAN, EXPLAIN_HEADS_MAX } ExplainAggregate;
/* UINT8: round(255 * weight). */
typedef enum ExplainFormat { EXPLAIN_FLOAT32, EXPLAIN_FLOAT16, EXPLAIN_UINT8 } ExplainFormat;
/* How a token, or a word, is taken out of a copy of the text. */
typedef enum ExplainRemoval { EXPLAIN_MASK, EXPLAIN_DELETE } ExplainRemoval;

/* What a request asks for. Lists are ascending, each entry once. */
typedef struct ExplainSpec {
    uint32_t methods;       /* a bit for each ExplainMethod */
    const uint32_t *layers; /* [layer_count]; none: all */
    uint32_t layer_count;
    const uint32_t *heads; /* [head_count]; none: all */
    uint32_t head_count;
    ExplainRows rows;
    const uint32_t *row_indices; /* [row_count], of LISTED */
    uint32_t row_count;
    ExplainForm form;
    uint32_t top_k; /* at least 1 */
    ExplainAggregate aggregate;
    ExplainFormat format;
    TextView target_label; /* has_target; else the label with the highest score */
    bool has_target;
    uint64_t bytes_max;    /* of an explanation on the wire; 0: the server's limit */
    uint32_t sample_count; /* of the sampled methods; 0: each method's own default */
    uint32_t step_count;   /* of integrated gradients; 0: PATH_POINTS_DEFAULT */
    uint64_t seed;
    bool faithfulness; /* each attribution with its comprehensiveness and sufficiency */
    bool has_removal;
    ExplainRemoval removal; /* has_removal; else each method's own */
} ExplainSpec;

/* Attention weights of one layer and head, or of one layer's heads together. Arrays are whoever's the explanation is.
 */
typedef struct ExplainWeights {
    uint32_t layer;
    uint32_t head;
    uint32_t row_count;
    const uint32_t *rows; /* [row_count]; NULL: the one row is the mean of several */
    /* [row_count + 1] into columns and weights; NULL: dense, and row_count x tokens */
    const uint32_t *row_offsets;
    const uint32_t *columns; /* NULL: dense */
    const void *weights;     /* in the spec's format */
    const float *dropped;    /* [row_count]: 1 - what is returned of a row */
} ExplainWeights;

typedef struct ExplainFaithfulness {
    /* f(x) - f(x without the tokens of the highest scores), the mean over 1, 5, 10, 20, 50 % */
    float comprehensiveness;
    float sufficiency; /* f(x) - f(those tokens alone), likewise (DeYoung et al. 2020) */
    ExplainRemoval removal;
} ExplainFaithfulness;

/* A score for each token of the sequence. */
typedef struct ExplainAttribution {
    ExplainMethod method;
    const float *scores; /* [token_count] */
    bool has_faithfulness;
    ExplainFaithfulness faithfulness;
    bool has_completeness;
    float completeness_error; /* |sum - (f(x) - f(base))| / |f(x) - f(base)| */
} ExplainAttribution;

/* A node of a tree. A leaf has no feature. */
typedef struct ExplainNode {
    int32_t feature;  /* the condition is that the text has it; -1: a leaf */
    int32_t if_true;  /* of the nodes; -1 */
    int32_t if_false; /* likewise */
    float value;      /* the target's mean score there */
    uint32_t sample_count;
} ExplainNode;

/* A simple model of the model around one text. Features are words of the text, each once. */
typedef struct ExplainSurrogate {
    ExplainMethod method;
    const uint32_t
        *features; /* [feature_count], of the words of the text: linear: by falling |weight|; anchor: the rule */
    const float *weights; /* linear: [feature_count] */
    uint32_t feature_count;
    const ExplainNode *nodes; /* tree: [node_count], the first is the root */
    uint32_t node_count;
    float fidelity; /* on fresh samples. Linear: weighted R2; tree: agreement; anchor: precision */
    float coverage;
    uint32_t sample_count; /* the model was asked for */
} ExplainSurrogate;
