/* Which head a checkpoint has, and what config.json says of it. */
#pragma once

#include "base/arena.h"
#include "model/config.h"

/* By the class in "architectures"; a checkpoint without weights for it has none (see encoder_head). */
typedef enum HeadKind {
    HEAD_NONE, /* the encoder alone */
    HEAD_CLASSIFY,
    HEAD_TAG,
    HEAD_FILL,
    HEAD_ANSWER,
} HeadKind;

/* Which rows a classifier reads. */
typedef enum HeadPooling {
    HEAD_POOLING_FIRST,
    HEAD_POOLING_MEAN,
    HEAD_POOLING_LATE, /* all rows; the mean of their logits */
} HeadPooling;

typedef struct HeadConfig {
    HeadKind kind;
    const TextView *labels; /* [label_count], of CLASSIFY and TAG */
    uint32_t label_count;
    ScoreFunction score;   /* CLASSIFY: of logits, as transformers' pipeline */
    ScoreFunction rank;    /* CLASSIFY with one label: as a cross-encoder; SCORE_UNSET: config.json does not say */
    HeadPooling pooling;   /* CLASSIFY */
    Activation activation; /* of the dense layer, in the architectures that leave it to config.json */
    bool tied;             /* FILL: the decoder is the table of word embeddings unless it is there by itself */

} HeadConfig;

/* Reads config.json, already parsed into `root`; what it puts out lies in `arena`. Fails as labels_read, with CORRUPT
 * (a field is of another type) and UNSUPPORTED (problem_type, classifier_pooling, pooler_hidden_act,
 * pooler_hidden_size, a cross-encoder's activation function that is not served, by name). */
CHECKED Status head_read(const char *path, const JsonValue *root, const ModelConfig *model, Arena *arena,
                         HeadConfig *out_config, Error *out_error);

/* "torch.nn.modules.activation.Sigmoid" and the like, of the field `field` in the file at `path`. Fails with
 * UNSUPPORTED. */
CHECKED Status head_read_score(const char *path, const char *field, TextView name, ScoreFunction *out_score,
                               Error *out_error);
