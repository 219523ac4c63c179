/* How each architecture is laid out: the names of its tensors and the order of its steps, a row each of layout.c. */
#pragma once

#include "encoder/loader.h"

/* Where the norms of a layer stand. */
typedef enum NormOrder {
    NORM_AFTER, /* norm(x + attention(x)), then the same of the MLP */
    NORM_BEFORE /* x + attention(norm(x)), and one norm after the last layer */
} NormOrder;

/* Names of tables in full; of modules, whose tensors add ".weight" and ".bias". NULL: there is none. */
typedef struct EncoderLayout {
    Architecture architecture;
    bool gated;        /* of ModelConfig: the row is for such MLPs */
    const char *probe; /* a tensor that only files of this row have; NULL: the row serves where no other does */
    NormOrder norm_order;

    const char *word_embeddings;
    const char *position_embeddings;
    const char *type_embeddings;
    const char *embedding_norm;
    const char *projection;         /* embeddings to hidden */
    bool projection_always;         /* also where both sizes are the same */
    bool projection_before_norm;    /* and without a bias */
    const char *relative_bias;      /* MPNet */
    const char *relative_positions; /* DeBERTa */
    const char *relative_norm;
    const char *convolution;
    const char *convolution_norm;
    const char *final_norm;

    const char *layer; /* layer n is "<layer>.<n>"; the names below are inside it */
    const char *inner; /* ALBERT: then "<inner>.<m>" */
    const char *query; /* all three of them, when key is NULL */
    const char *key;
    const char *value;
    const char *global_query; /* Longformer's, of global rows */
    const char *global_key;
    const char *global_value;
    const char *query_norm;
    const char *key_norm;
    const char *position_key;
    const char *position_query;
    const char *attention_output;
    const char *attention_norm;
    bool first_norm_absent;   /* layer 0 has no attention_norm */
    const char *second_norm;  /* of attention_norm's result plus the layer's input */
    const char *intermediate; /* of a gated MLP: the gates, or gates and values when `values` is NULL */
    const char *values;
    bool values_first; /* in a tensor of both */
    const char *output;
    const char *output_norm;
} EncoderLayout;

/* The row for the loader's checkpoint; static. Any thread. */
const EncoderLayout *layout_find(const Loader *loader);
