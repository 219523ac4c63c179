/* The names of tensors, a row an architecture. */
#include "encoder/names.h"

static const EncoderNames names_rows[ARCHITECTURE_COUNT] = {
    [ARCHITECTURE_BERT] =
        {
            .word_embeddings = "embeddings.word_embeddings.weight",
            .position_embeddings = "embeddings.position_embeddings.weight",
            .type_embeddings = "embeddings.token_type_embeddings.weight",
            .embedding_norm = "embeddings.LayerNorm",
            .layer = "encoder.layer",
            .query = "attention.self.query",
            .key = "attention.self.key",
            .value = "attention.self.value",
            .attention_output = "attention.output.dense",
            .attention_norm = "attention.output.LayerNorm",
            .intermediate = "intermediate.dense",
            .output = "output.dense",
            .output_norm = "output.LayerNorm",
        },
};

const EncoderNames *encoder_names(Architecture architecture)
{
    return &names_rows[architecture];
}
