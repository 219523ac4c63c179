#include "encoder/layout.h"

#include <assert.h>

#define BERT_TABLES \
    .word_embeddings = "embeddings.word_embeddings.weight", \
    .position_embeddings = "embeddings.position_embeddings.weight", \
    .type_embeddings = "embeddings.token_type_embeddings.weight", .embedding_norm = "embeddings.LayerNorm"
#define BERT_ATTENTION \
    .layer = "encoder.layer", .query = "attention.self.query", .key = "attention.self.key", \
    .value = "attention.self.value", .attention_output = "attention.output.dense", \
    .attention_norm = "attention.output.LayerNorm"
#define BERT_MLP .intermediate = "intermediate.dense", .output = "output.dense", .output_norm = "output.LayerNorm"
/* The names that transformers gives to all newer models. */
#define NATIVE_ATTENTION \
    .layer = "layers", .query = "self_attn.q_proj", .key = "self_attn.k_proj", .value = "self_attn.v_proj", \
    .attention_output = "self_attn.o_proj"
#define NATIVE_MLP .intermediate = "mlp.gate_proj", .values = "mlp.up_proj", .output = "mlp.down_proj"
#define NATIVE_NORMS .attention_norm = "post_attention_layernorm", .output_norm = "post_mlp_layernorm"
/* Nomic's and Jina's files on the hub. */
#define FLASH_TABLES \
    .word_embeddings = "embeddings.word_embeddings.weight", \
    .type_embeddings = "embeddings.token_type_embeddings.weight", .embedding_norm = "emb_ln"

static const EncoderLayout layout_rows[] = {
    {.architecture = ARCHITECTURE_BERT, BERT_TABLES, BERT_ATTENTION, BERT_MLP},
    {.architecture = ARCHITECTURE_ROBERTA, BERT_TABLES, BERT_ATTENTION, BERT_MLP},
    {.architecture = ARCHITECTURE_LONGFORMER,
     BERT_TABLES,
     BERT_ATTENTION,
     BERT_MLP,
     .global_query = "attention.self.query_global",
     .global_key = "attention.self.key_global",
     .global_value = "attention.self.value_global"},
    {.architecture = ARCHITECTURE_BIG_BIRD, BERT_TABLES, BERT_ATTENTION, BERT_MLP},
    {.architecture = ARCHITECTURE_ELECTRA,
     BERT_TABLES,
     BERT_ATTENTION,
     BERT_MLP,
     .projection = "embeddings_project"},
    {
        .architecture = ARCHITECTURE_DISTILBERT,
        BERT_TABLES,
        .layer = "transformer.layer",
        .query = "attention.q_lin",
        .key = "attention.k_lin",
        .value = "attention.v_lin",
        .attention_output = "attention.out_lin",
        .attention_norm = "sa_layer_norm",
        .intermediate = "ffn.lin1",
        .output = "ffn.lin2",
        .output_norm = "output_layer_norm",
    },
    {
        .architecture = ARCHITECTURE_MPNET,
        BERT_TABLES,
        BERT_MLP,
        .relative_bias = "encoder.relative_attention_bias.weight",
        .layer = "encoder.layer",
        .query = "attention.attn.q",
        .key = "attention.attn.k",
        .value = "attention.attn.v",
        .attention_output = "attention.attn.o",
        .attention_norm = "attention.LayerNorm",
    },
    {
        .architecture = ARCHITECTURE_ALBERT,
        BERT_TABLES,
        .projection = "encoder.embedding_hidden_mapping_in",
        .projection_always = true,
        .layer = "encoder.albert_layer_groups",
        .inner = "albert_layers",
        .query = "attention.query",
        .key = "attention.key",
        .value = "attention.value",
        .attention_output = "attention.dense",
        .attention_norm = "attention.LayerNorm",
        .intermediate = "ffn",
        .output = "ffn_output",
        .output_norm = "full_layer_layer_norm",
    },
    {
        .architecture = ARCHITECTURE_DEBERTA_V2,
        BERT_TABLES,
        BERT_MLP,
        .projection = "embeddings.embed_proj",
        .projection_before_norm = true,
        .relative_positions = "encoder.rel_embeddings.weight",
        .relative_norm = "encoder.LayerNorm",
        .convolution = "encoder.conv.conv",
        .convolution_norm = "encoder.conv.LayerNorm",
        .layer = "encoder.layer",
        .query = "attention.self.query_proj",
        .key = "attention.self.key_proj",
        .value = "attention.self.value_proj",
        .position_key = "attention.self.pos_key_proj",
        .position_query = "attention.self.pos_query_proj",
        .attention_output = "attention.output.dense",
        .attention_norm = "attention.output.LayerNorm",
    },
    {
        .architecture = ARCHITECTURE_MODERNBERT,
        .gated = true,
        .norm_order = NORM_BEFORE,
        .word_embeddings = "embeddings.tok_embeddings.weight",
        .embedding_norm = "embeddings.norm",
        .final_norm = "final_norm",
        .layer = "layers",
        .query = "attn.Wqkv",
        .attention_output = "attn.Wo",
        .attention_norm = "attn_norm",
        .first_norm_absent = true,
        .intermediate = "mlp.Wi",
        .output = "mlp.Wo",
        .output_norm = "mlp_norm",
    },
    {
        .architecture = ARCHITECTURE_NOMIC_BERT,
        .gated = true,
        .probe = "encoder.layers.0.attn.Wqkv.weight",
        FLASH_TABLES,
        .layer = "encoder.layers",
        .query = "attn.Wqkv",
        .attention_output = "attn.out_proj",
        .attention_norm = "norm1",
        .intermediate = "mlp.fc12",
        .values = "mlp.fc11",
        .output = "mlp.fc2",
        .output_norm = "norm2",
    },
    {.architecture = ARCHITECTURE_NOMIC_BERT,
     .gated = true,
     BERT_TABLES,
     NATIVE_ATTENTION,
     NATIVE_MLP,
     NATIVE_NORMS},
    {
        .architecture = ARCHITECTURE_NOMIC_BERT,
        FLASH_TABLES,
        .layer = "encoder.layers",
        .query = "attn.Wqkv",
        .attention_output = "attn.out_proj",
        .attention_norm = "norm1",
        .intermediate = "mlp.fc1",
        .output = "mlp.fc2",
        .output_norm = "norm2",
    },
    {
        .architecture = ARCHITECTURE_GTE,
        .gated = true,
        .probe = "encoder.layer.0.attention.qkv_proj.weight",
        BERT_TABLES,
        .layer = "encoder.layer",
        .query = "attention.qkv_proj",
        .attention_output = "attention.o_proj",
        .attention_norm = "attn_ln",
        .intermediate = "mlp.up_gate_proj",
        .values_first = true,
        .output = "mlp.down_proj",
        .output_norm = "mlp_ln",
    },
    {.architecture = ARCHITECTURE_GTE, .gated = true, BERT_TABLES, NATIVE_ATTENTION, NATIVE_MLP, NATIVE_NORMS},
    {.architecture = ARCHITECTURE_JINA_BERT, BERT_TABLES, BERT_ATTENTION, BERT_MLP},
    {
        .architecture = ARCHITECTURE_JINA_BERT,
        .gated = true,
        .probe = "encoder.layer.0.attention.self.layer_norm_q.weight",
        BERT_TABLES,
        BERT_ATTENTION,
        .query_norm = "attention.self.layer_norm_q",
        .key_norm = "attention.self.layer_norm_k",
        .second_norm = "layer_norm_1",
        .intermediate = "mlp.up_gated_layer",
        .values_first = true,
        .output = "mlp.down_layer",
        .output_norm = "layer_norm_2",
    },
    {
        .architecture = ARCHITECTURE_JINA_BERT,
        .gated = true,
        BERT_TABLES,
        BERT_ATTENTION,
        .intermediate = "mlp.gated_layers",
        .output = "mlp.wo",
        .output_norm = "mlp.layernorm",
    },
    {
        .architecture = ARCHITECTURE_JINA_EMBEDDINGS_V3,
        .probe = "encoder.layers.0.mixer.Wqkv.weight",
        FLASH_TABLES,
        .layer = "encoder.layers",
        .query = "mixer.Wqkv",
        .attention_output = "mixer.out_proj",
        .attention_norm = "norm1",
        .intermediate = "mlp.fc1",
        .output = "mlp.fc2",
        .output_norm = "norm2",
    },
    {
        .architecture = ARCHITECTURE_JINA_EMBEDDINGS_V3,
        BERT_TABLES,
        NATIVE_ATTENTION,
        NATIVE_NORMS,
        .intermediate = "mlp.fc1",
        .output = "mlp.fc2",
    },
    {
        .architecture = ARCHITECTURE_EUROBERT,
        .gated = true,
        .norm_order = NORM_BEFORE,
        NATIVE_ATTENTION,
        NATIVE_MLP,
        .word_embeddings = "embed_tokens.weight",
        .final_norm = "norm",
        .attention_norm = "input_layernorm",
        .output_norm = "post_attention_layernorm",
    },
};

const EncoderLayout *layout_find(const Loader *loader)
{
    const ModelConfig *config = loader->config;
    for (size_t i = 0; i < sizeof layout_rows / sizeof *layout_rows; i++) {
        const EncoderLayout *row = &layout_rows[i];
        if (row->architecture != config->architecture || row->gated != config->gated) continue;
        if (!row->probe || loader_has(loader, row->probe)) return row;
    }
    assert(!"config.c let through what no row serves");
    return NULL;
}
