/* How each architecture names its tensors: one row of names.c an architecture. */
#pragma once

#include "model/config.h"

/* Names of tables, then of modules, whose tensors add ".weight" and ".bias". */
typedef struct EncoderNames {
    const char *word_embeddings;
    const char *position_embeddings;
    const char *type_embeddings;
    const char *embedding_norm;
    const char *layer; /* layer n is "<layer>.<n>"; the names below are inside it */
    const char *query;
    const char *key;
    const char *value;
    const char *attention_output;
    const char *attention_norm;
    const char *intermediate;
    const char *output;
    const char *output_norm;
} EncoderNames;

/* Static. Any thread. */
const EncoderNames *encoder_names(Architecture architecture);
