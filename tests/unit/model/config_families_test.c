/* config.json of every architecture but BERT: what changes the numbers is read, or refused by name. */
#include "model/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIZES \
    "\"hidden_size\": 48, \"num_hidden_layers\": 6, \"num_attention_heads\": 4, \"intermediate_size\": 96, " \
    "\"vocab_size\": 100, \"max_position_embeddings\": 514"
#define TYPED SIZES ", \"type_vocab_size\": 2"

static const char roberta[] = "\"model_type\": \"xlm-roberta\", " TYPED;
static const char distilbert[] = "\"model_type\": \"distilbert\", \"dim\": 48, \"n_layers\": 6, \"n_heads\": 4, "
                                 "\"hidden_dim\": 96, \"vocab_size\": 100, \"max_position_embeddings\": 514";
static const char mpnet[] = "\"model_type\": \"mpnet\", " SIZES;
static const char electra[] = "\"model_type\": \"electra\", " TYPED;
static const char albert[] = "\"model_type\": \"albert\", " TYPED;
static const char deberta[] =
    "\"model_type\": \"deberta-v2\", \"type_vocab_size\": 0, \"relative_attention\": true, "
    "\"pos_att_type\": \"p2c|c2p\", " SIZES;
static const char modernbert[] = "\"model_type\": \"modernbert\", " SIZES;
static const char nomic[] = "\"model_type\": \"nomic_bert\", " TYPED;
static const char nomic_hub[] =
    "\"model_type\": \"nomic_bert\", \"n_embd\": 48, \"n_layer\": 6, \"n_head\": 4, \"n_inner\": 96, "
    "\"n_positions\": 514, \"vocab_size\": 100, \"type_vocab_size\": 2, \"activation_function\": \"swiglu\"";
static const char gte[] = "\"model_type\": \"new\", " TYPED;
static const char jina[] = "\"model_type\": \"bert\", \"position_embedding_type\": \"alibi\", " TYPED;
static const char jina_v3[] = "\"model_type\": \"jina_embeddings_v3\", " TYPED;
static const char longformer[] = "\"model_type\": \"longformer\", " TYPED;
static const char big_bird[] = "\"model_type\": \"big_bird\", " TYPED;
static const char eurobert[] = "\"model_type\": \"eurobert\", " SIZES;

/* Reads `base` with `changes` at its end, where the last of repeated keys counts. */
static Status read_config(const char *base, const char *changes, ModelConfig *config, Error *error)
{
    char text[4096];
    snprintf(text, sizeof text, "{%s%s%s}", base, *changes ? ", " : "", changes);
    JsonDocument *document = NULL;
    Status status = json_document_parse(text_view(text), &document, error);
    assert_int_equal(status, STATUS_OK);
    status = config_read("m/config.json", json_document_root(document), config, error);
    json_document_close(document);
    return status;
}

static ModelConfig accepted(const char *base, const char *changes)
{
    ModelConfig config = {0};
    Error error;
    if (read_config(base, changes, &config, &error)) fail_msg("%s: %s", changes, error.message);
    return config;
}

static void assert_refused(const char *base, const char *changes, Status expected, const char *reason)
{
    ModelConfig config = {.hidden_size = 77};
    Error error = {.message = ""};
    Status status = read_config(base, changes, &config, &error);
    if (status != expected || !strstr(error.message, reason))
        fail_msg("%s: status \"%s\", message \"%s\", expected \"%s\"", changes, status_name(status), error.message,
                 reason);
    assert_int_equal(config.hidden_size, 77);
}

static void robertas_positions_begin_behind_the_pad_token(void **state)
{
    (void)state;
    ModelConfig config = accepted(roberta, "");
    assert_int_equal(config.architecture, ARCHITECTURE_ROBERTA);
    assert_string_equal(config.model_type, "xlm-roberta");
    assert_int_equal(config.position_rows, 514);
    assert_int_equal(config.position_offset, 2);
    assert_int_equal(config.position_count, 512);
    config = accepted(roberta, "\"pad_token_id\": 5");
    assert_int_equal(config.position_offset, 6);
    assert_int_equal(config.position_count, 508);
    assert_refused(roberta, "\"pad_token_id\": 513", STATUS_CORRUPT, "leaves no position");
    assert_refused(roberta, "\"pad_token_id\": -1", STATUS_UNSUPPORTED, "pad_token_id");
    assert_refused(roberta, "\"position_embedding_type\": \"relative_key\"", STATUS_UNSUPPORTED,
                   "\"relative_key\"");
    config = accepted(mpnet, "\"pad_token_id\": 7");
    assert_int_equal(config.position_offset, 2);
    assert_int_equal(config.type_count, 0);
    assert_int_equal(config.position_bias, POSITION_BIAS_RELATIVE);
    assert_refused(mpnet, "\"relative_attention_num_buckets\": 31", STATUS_UNSUPPORTED, "num_buckets");
}

static void distilbert_has_names_of_its_own(void **state)
{
    (void)state;
    ModelConfig config = accepted(distilbert, "\"activation\": \"relu\"");
    assert_int_equal(config.hidden_size, 48);
    assert_int_equal(config.intermediate_size, 96);
    assert_int_equal(config.type_count, 0);
    assert_int_equal(config.activation, ACTIVATION_RELU);
    assert_true(config.norm_epsilon == 1e-12F);
    assert_refused(distilbert, "\"n_heads\": 5", STATUS_CORRUPT, "dim 48 is no multiple of n_heads 5");
}

static void embeddings_may_have_a_size_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(accepted(electra, "").embedding_size, 128);
    assert_int_equal(accepted(electra, "\"embedding_size\": 20").embedding_size, 20);
    assert_int_equal(accepted(deberta, "\"embedding_size\": 20").embedding_size, 20);
    assert_int_equal(accepted(deberta, "").embedding_size, 48);
    assert_refused(electra, "\"embedding_size\": 0", STATUS_UNSUPPORTED, "embedding_size");
}

static void albert_shares_layers(void **state)
{
    (void)state;
    ModelConfig config = accepted(albert, "\"num_hidden_groups\": 3, \"inner_group_num\": 2");
    assert_int_equal(config.group_count, 3);
    assert_int_equal(config.inner_count, 2);
    assert_int_equal(config.activation, ACTIVATION_GELU_TANH);
    assert_int_equal(accepted(albert, "").group_count, 1);
    assert_refused(albert, "\"num_hidden_groups\": 7", STATUS_UNSUPPORTED, "num_hidden_groups");
    assert_refused(albert, "\"inner_group_num\": 1000", STATUS_UNSUPPORTED, "inner_group_num");
    assert_refused(albert, "\"inner_group_num\": 0", STATUS_UNSUPPORTED, "inner_group_num");
}

static void deberta_has_relative_positions(void **state)
{
    (void)state;
    ModelConfig config = accepted(deberta, "\"position_buckets\": 256, \"norm_rel_ebd\": \"layer_norm\", "
                                           "\"share_att_key\": true, \"position_biased_input\": false");
    assert_int_equal(config.position_bias, POSITION_BIAS_DISENTANGLED);
    assert_true(config.disentangled.content_to_position && config.disentangled.position_to_content);
    assert_true(config.disentangled.shares_projections && config.disentangled.normalizes);
    assert_int_equal(config.disentangled.span, 256);
    assert_int_equal(config.disentangled.distance_max, 514);
    assert_int_equal(config.position_rows, 0);
    assert_int_equal(config.position_count, 514);
    assert_true(config.norm_epsilon == 1e-7F);
    config =
        accepted(deberta, "\"pos_att_type\": [\"c2p\"], \"max_relative_positions\": 20, \"position_buckets\": -1");
    assert_false(config.disentangled.position_to_content);
    assert_int_equal(config.disentangled.span, 20);
    assert_int_equal(config.position_rows, 514);
    assert_int_equal(accepted(deberta, "\"relative_attention\": false").position_bias, POSITION_BIAS_NONE);
    assert_int_equal(accepted(deberta, "\"pos_att_type\": null").position_bias, POSITION_BIAS_NONE);
}

static void deberta_refuses_what_it_lacks_by_name(void **state)
{
    (void)state;
    assert_refused(deberta, "\"pos_att_type\": \"p2p|c2p\"", STATUS_UNSUPPORTED, "pos_att_type \"p2p\"");
    assert_refused(deberta, "\"pos_att_type\": [\"c2p\", 1]", STATUS_CORRUPT, "pos_att_type");
    assert_refused(deberta, "\"norm_rel_ebd\": \"batch_norm\"", STATUS_UNSUPPORTED, "norm_rel_ebd \"batch_norm\"");
    assert_refused(deberta, "\"max_relative_positions\": 1000000", STATUS_UNSUPPORTED, "1000000 positions");
    assert_refused(deberta, "\"position_buckets\": 1e9", STATUS_UNSUPPORTED, "position_buckets");
    assert_refused(deberta, "\"attention_head_size\": 64", STATUS_UNSUPPORTED, "attention_head_size");
    assert_refused(deberta, "\"conv_kernel_size\": 3, \"conv_groups\": 2", STATUS_UNSUPPORTED, "conv_groups");
    assert_refused(deberta, "\"conv_kernel_size\": 4", STATUS_UNSUPPORTED, "conv_kernel_size 4");
    assert_refused(deberta, "\"conv_kernel_size\": 3, \"conv_act\": \"mish\"", STATUS_UNSUPPORTED,
                   "conv_act \"mish\"");
    assert_int_equal(accepted(deberta, "\"conv_kernel_size\": 3").convolution_size, 3);
}

static void modernbert_has_two_kinds_of_layers(void **state)
{
    (void)state;
    ModelConfig config = accepted(modernbert, "\"local_attention\": 9, \"global_rope_theta\": 5000");
    static const uint32_t usual[] = {REACH_UNLIMITED, 4, 4, REACH_UNLIMITED, 4, 4};
    assert_memory_equal(config.layer_reach, usual, sizeof usual);
    assert_int_equal(config.attention, ATTENTION_PATTERN_SLIDING_WINDOW);
    assert_true(config.rotary.theta == 5000 && config.local_rotary.theta == 10000);
    assert_int_equal(config.norm, NORM_LAYER_NO_BIAS);
    assert_true(config.gated && !config.attention_bias && !config.intermediate_bias && !config.output_bias);
    config = accepted(modernbert,
                      "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"full_attention\", "
                      "\"full_attention\", \"full_attention\", \"full_attention\"], \"rope_parameters\": "
                      "{\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 4, \"rope_theta\": 77}, "
                      "\"sliding_attention\": null}");
    static const uint32_t named[] = {
        64, REACH_UNLIMITED, REACH_UNLIMITED, REACH_UNLIMITED, REACH_UNLIMITED, REACH_UNLIMITED};
    assert_memory_equal(config.layer_reach, named, sizeof named);
    assert_true(config.rotary.kind == ROTARY_KIND_LINEAR && config.rotary.theta == 77 &&
                config.rotary.factor == 4);
    assert_true(config.local_rotary.kind == ROTARY_KIND_DEFAULT && config.local_rotary.theta == 10000);
    config = accepted(modernbert, "\"global_attn_every_n_layers\": 1, \"norm_bias\": true, \"mlp_bias\": true");
    assert_int_equal(config.layer_reach[1], REACH_UNLIMITED);
    assert_int_equal(config.attention, ATTENTION_PATTERN_DENSE);
    assert_int_equal(config.norm, NORM_LAYER);
    assert_true(config.intermediate_bias && config.output_bias);
}

static void modernbert_refuses_what_it_lacks_by_name(void **state)
{
    (void)state;
    assert_refused(modernbert, "\"layer_types\": [\"full_attention\"]", STATUS_CORRUPT, "6 names, one a layer");
    assert_refused(modernbert, "\"layer_types\": \"full_attention\"", STATUS_CORRUPT, "layer_types");
    assert_refused(modernbert, "\"layer_types\": [1, 2, 3, 4, 5, 6]", STATUS_CORRUPT, "layer_types");
    assert_refused(modernbert,
                   "\"layer_types\": [\"chunked_attention\", \"full_attention\", \"full_attention\", "
                   "\"full_attention\", \"full_attention\", \"full_attention\"]",
                   STATUS_UNSUPPORTED, "layer_types \"chunked_attention\"");
    assert_refused(modernbert, "\"local_attention\": -2", STATUS_UNSUPPORTED, "local_attention");
    assert_refused(modernbert, "\"global_attn_every_n_layers\": 0", STATUS_UNSUPPORTED,
                   "global_attn_every_n_layers");
    assert_refused(modernbert, "\"global_rope_theta\": 0", STATUS_CORRUPT, "\"rope_theta\" is 0");
    assert_refused(modernbert, "\"local_rope_theta\": -10", STATUS_CORRUPT, "\"rope_theta\" is -10");
    assert_refused(modernbert, "\"num_attention_heads\": 16", STATUS_UNSUPPORTED, "3 dimensions of a head");
    assert_refused(modernbert, "\"head_dim\": 64", STATUS_UNSUPPORTED, "head_dim");
}

static void rotary_scalings_are_read_or_refused_by_name(void **state)
{
    (void)state;
    ModelConfig config = accepted(eurobert, "\"rope_theta\": 250000, \"rope_scaling\": {\"type\": \"yarn\", "
                                            "\"factor\": 4, \"original_max_position_embeddings\": 128}");
    assert_int_equal(config.rotary.kind, ROTARY_KIND_YARN);
    assert_true(config.rotary.theta == 250000 && config.rotary.factor == 4);
    assert_int_equal(config.rotary.position_count, 128);
    config = accepted(eurobert, "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 9}");
    assert_true(config.rotary.theta == 9);
    assert_refused(eurobert, "\"rope_scaling\": {\"rope_type\": \"longrope\"}", STATUS_UNSUPPORTED,
                   "rope_type \"longrope\"");
    assert_refused(eurobert, "\"rope_scaling\": {\"type\": \"linear\"}", STATUS_CORRUPT, "\"factor\"");
    assert_refused(eurobert, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", STATUS_CORRUPT,
                   "\"factor\"");
    assert_refused(eurobert, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"}", STATUS_CORRUPT,
                   "factor");
    assert_refused(eurobert, "\"rope_scaling\": [1]", STATUS_CORRUPT, "expected an object");
    assert_refused(eurobert, "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 2}", STATUS_CORRUPT,
                   "low_freq_factor");
    assert_refused(eurobert, "\"rope_parameters\": {\"rope_theta\": 1e300}", STATUS_CORRUPT,
                   "\"rope_theta\" is 1e+300");
    assert_refused(eurobert, "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}", STATUS_UNSUPPORTED,
                   "partial_rotary_factor 0.5");
}

static void eurobert_shares_keys_between_heads(void **state)
{
    (void)state;
    ModelConfig config = accepted(eurobert, "\"num_key_value_heads\": 2, \"head_dim\": 32, \"mlp_bias\": true");
    assert_int_equal(config.key_value_head_count, 2);
    assert_int_equal(config.head_size, 32);
    assert_int_equal(config.norm, NORM_RMS);
    assert_int_equal(config.activation, ACTIVATION_SILU);
    assert_true(config.intermediate_bias && config.output_bias && !config.attention_bias);
    assert_refused(eurobert, "\"num_key_value_heads\": 3", STATUS_CORRUPT, "num_key_value_heads 3");
    assert_refused(eurobert, "\"num_key_value_heads\": 8", STATUS_UNSUPPORTED, "num_key_value_heads");
    assert_refused(eurobert, "\"head_dim\": 1000000", STATUS_UNSUPPORTED, "head_dim");
    assert_refused(eurobert, "\"head_dim\": 4096", STATUS_UNSUPPORTED, "4096 dimensions of a head");
    assert_refused(eurobert, "\"is_decoder\": true", STATUS_UNSUPPORTED, "\"is_decoder\" is true");
}

static void nomic_has_two_spellings(void **state)
{
    (void)state;
    ModelConfig config = accepted(nomic, "");
    assert_int_equal(config.activation, ACTIVATION_SILU);
    assert_true(config.gated && config.rotary.theta == 1000 && !config.attention_bias);
    config = accepted(nomic_hub, "\"rotary_emb_base\": 1000, \"qkv_proj_bias\": false, \"mlp_fc1_bias\": false");
    assert_int_equal(config.hidden_size, 48);
    assert_true(config.gated && !config.attention_bias && !config.intermediate_bias && config.output_bias);
    assert_int_equal(config.activation, ACTIVATION_SILU);
    assert_int_equal(config.rotary.kind, ROTARY_KIND_DEFAULT);
    config = accepted(nomic_hub, "\"rotary_scaling_factor\": 2, \"max_trained_positions\": 128, "
                                 "\"rotary_emb_fraction\": 0.5");
    assert_int_equal(config.rotary.kind, ROTARY_KIND_DYNAMIC);
    assert_int_equal(config.rotary.position_count, 128);
    assert_int_equal(config.rotary.size, 6);
    assert_int_equal(config.position_count, 514);
    config = accepted(nomic_hub, "\"activation_function\": \"gelu_new\"");
    assert_true(!config.gated && config.activation == ACTIVATION_GELU_TANH);
    static const char *const refused[] = {"prenorm", "parallel_block",         "use_rms_norm",
                                          "causal",  "rotary_emb_interleaved", "scale_attn_by_inverse_layer_idx"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char change[64];
        snprintf(change, sizeof change, "\"%s\": true", refused[i]);
        assert_refused(nomic_hub, change, STATUS_UNSUPPORTED, refused[i]);
    }
    assert_refused(nomic_hub, "\"rotary_emb_fraction\": 0", STATUS_UNSUPPORTED, "rotary_emb_fraction 0");
    assert_refused(nomic_hub, "\"rotary_emb_scale_base\": 512", STATUS_UNSUPPORTED, "rotary_emb_scale_base");
    assert_refused(nomic_hub, "\"moe_every_n_layers\": 2", STATUS_UNSUPPORTED, "moe_every_n_layers 2");
    assert_refused(nomic_hub, "\"activation_function\": \"glu\"", STATUS_UNSUPPORTED,
                   "activation_function \"glu\"");
}

static void gte_has_scaled_rotations(void **state)
{
    (void)state;
    ModelConfig config =
        accepted(gte, "\"rope_theta\": 500000, \"type_vocab_size\": 0, \"position_embedding_type\": "
                      "\"rope\", \"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2.0}");
    assert_int_equal(config.architecture, ARCHITECTURE_GTE);
    assert_int_equal(config.type_count, 0);
    assert_int_equal(config.rotary.kind, ROTARY_KIND_NTK);
    assert_true(config.gated && config.attention_bias && !config.intermediate_bias && config.output_bias);
    assert_refused(gte, "\"logn_attention_scale\": true", STATUS_UNSUPPORTED, "logn_attention_scale");
    assert_refused(gte, "\"layer_norm_type\": \"rms_norm\"", STATUS_UNSUPPORTED, "layer_norm_type \"rms_norm\"");
    assert_refused(gte, "\"position_embedding_type\": \"absolute\"", STATUS_UNSUPPORTED, "\"absolute\"");
    assert_refused(gte, "\"pack_qkv\": false", STATUS_UNSUPPORTED, "pack_qkv");
    assert_refused(gte, "\"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2.0, \"mixed_b\": 0.6}",
                   STATUS_UNSUPPORTED, "mixed_b");
    assert_true(accepted(jina_v3, "").rotary.theta == 20000);
    assert_false(accepted(jina_v3, "").gated);
}

static void jinas_bert_is_told_from_bert(void **state)
{
    (void)state;
    ModelConfig config = accepted(jina, "\"feed_forward_type\": \"geglu\", \"hidden_act\": \"gelu_new\"");
    assert_int_equal(config.architecture, ARCHITECTURE_JINA_BERT);
    assert_string_equal(config.model_type, "bert");
    assert_int_equal(config.position_bias, POSITION_BIAS_ALIBI);
    assert_int_equal(config.position_rows, 0);
    assert_int_equal(config.activation, ACTIVATION_GELU);
    assert_true(config.gated && !config.intermediate_bias && config.output_bias);
    assert_int_equal(accepted(jina, "\"feed_forward_type\": \"reglu\"").activation, ACTIVATION_RELU);
    assert_false(accepted(jina, "").gated);
    config = accepted(jina, "\"position_embedding_type\": null, \"auto_map\": {\"AutoModel\": "
                            "\"jinaai/jina-bert-implementation--modeling_bert.JinaBertModel\"}");
    assert_int_equal(config.architecture, ARCHITECTURE_JINA_BERT);
    assert_int_equal(config.position_rows, 514);
    assert_refused(jina, "\"feed_forward_type\": \"swiglu\"", STATUS_UNSUPPORTED, "feed_forward_type \"swiglu\"");
}

static void longformers_layers_have_windows_of_their_own(void **state)
{
    (void)state;
    ModelConfig config = accepted(longformer, "\"attention_mode\": \"longformer\", \"onnx_export\": true");
    assert_int_equal(config.attention, ATTENTION_PATTERN_LONGFORMER);
    for (int i = 0; i < 6; i++) assert_int_equal(config.layer_reach[i], 256);
    assert_int_equal(config.position_offset, 2);
    assert_int_equal(config.position_count, 512);
    assert_int_equal(config.separator_id, 2);
    config = accepted(longformer, "\"attention_window\": 8, \"sep_token_id\": 5, \"pad_token_id\": 0");
    assert_int_equal(config.layer_reach[5], 4);
    assert_int_equal(config.separator_id, 5);
    assert_int_equal(config.position_count, 513);
    static const uint32_t reaches[] = {1, 2, 3, 4, 5, 6};
    config = accepted(longformer, "\"attention_window\": [2, 4, 6, 8, 10, 12]");
    assert_memory_equal(config.layer_reach, reaches, sizeof reaches);
}

static void longformer_refuses_windows_by_name(void **state)
{
    (void)state;
    assert_refused(longformer, "\"attention_window\": 7", STATUS_UNSUPPORTED, "attention_window 7 ");
    assert_refused(longformer, "\"attention_window\": 0", STATUS_UNSUPPORTED, "attention_window 0 ");
    assert_refused(longformer, "\"attention_window\": -2", STATUS_UNSUPPORTED, "attention_window -2 ");
    assert_refused(longformer, "\"attention_window\": 1e9", STATUS_UNSUPPORTED, "attention_window 1000000000 ");
    assert_refused(longformer, "\"attention_window\": \"8\"", STATUS_CORRUPT, "attention_window");
    assert_refused(longformer, "\"attention_window\": [8, 8]", STATUS_CORRUPT, "a list of 6");
    assert_refused(longformer, "\"attention_window\": [8, 8, 8, 8, 8, null]", STATUS_CORRUPT, "attention_window");
    assert_refused(longformer, "\"attention_window\": [8, 8, 8, 8, 8, 9]", STATUS_UNSUPPORTED,
                   "attention_window 9 ");
    assert_refused(longformer, "\"sep_token_id\": -1", STATUS_UNSUPPORTED, "sep_token_id");
}

static void big_bird_sees_blocks_or_all(void **state)
{
    (void)state;
    ModelConfig config = accepted(big_bird, "");
    assert_int_equal(config.attention, ATTENTION_PATTERN_BIGBIRD);
    assert_int_equal(config.block_size, 64);
    assert_int_equal(config.block_repeats, 3);
    assert_int_equal(config.activation, ACTIVATION_GELU_TANH);
    assert_int_equal(config.separator_id, 66);
    assert_int_equal(config.position_offset, 0);
    assert_true(config.attention_bias && !config.projections_bare && config.embedding_scale == 0);
    config = accepted(big_bird, "\"block_size\": 8, \"num_random_blocks\": 0, \"use_bias\": false, "
                                "\"rescale_embeddings\": true, \"hidden_size\": 64");
    assert_true(config.block_size == 8 && config.block_repeats == 0 && config.embedding_scale == 8);
    assert_true(config.attention_bias && config.projections_bare);
    config = accepted(big_bird, "\"attention_type\": \"original_full\", \"block_size\": 0");
    assert_int_equal(config.attention, ATTENTION_PATTERN_DENSE);
    assert_refused(big_bird, "\"attention_type\": \"local\"", STATUS_UNSUPPORTED, "attention_type \"local\"");
    assert_refused(big_bird, "\"block_size\": 0", STATUS_UNSUPPORTED, "block_size");
    assert_refused(big_bird, "\"num_random_blocks\": 5000", STATUS_UNSUPPORTED, "num_random_blocks");
    assert_refused(big_bird, "\"is_decoder\": true", STATUS_UNSUPPORTED, "is_decoder");
}

static void other_peoples_code_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused(roberta,
                   "\"auto_map\": {\"AutoConfig\": \"x.XConfig\", \"AutoModel\": "
                   "\"jinaai/xlm-roberta-flash-implementation--modeling_xlm_roberta.XLMRobertaModel\"}",
                   STATUS_UNSUPPORTED, "xlm-roberta-flash-implementation");
    accepted(roberta, "\"auto_map\": {\"AutoTokenizer\": \"x.XTokenizer\"}");
    accepted(nomic_hub, "\"auto_map\": {\"AutoModel\": \"modeling_hf_nomic_bert.NomicBertModel\"}");
    assert_refused(roberta, "\"quantization_config\": {\"bits\": 4}", STATUS_UNSUPPORTED, "quantization_config");
    assert_refused(roberta, "\"pruned_heads\": {\"1\": [0]}", STATUS_UNSUPPORTED, "pruned_heads");
    accepted(roberta, "\"pruned_heads\": {}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(robertas_positions_begin_behind_the_pad_token),
        cmocka_unit_test(distilbert_has_names_of_its_own),
        cmocka_unit_test(embeddings_may_have_a_size_of_their_own),
        cmocka_unit_test(albert_shares_layers),
        cmocka_unit_test(deberta_has_relative_positions),
        cmocka_unit_test(deberta_refuses_what_it_lacks_by_name),
        cmocka_unit_test(modernbert_has_two_kinds_of_layers),
        cmocka_unit_test(modernbert_refuses_what_it_lacks_by_name),
        cmocka_unit_test(rotary_scalings_are_read_or_refused_by_name),
        cmocka_unit_test(eurobert_shares_keys_between_heads),
        cmocka_unit_test(nomic_has_two_spellings),
        cmocka_unit_test(gte_has_scaled_rotations),
        cmocka_unit_test(jinas_bert_is_told_from_bert),
        cmocka_unit_test(longformers_layers_have_windows_of_their_own),
        cmocka_unit_test(longformer_refuses_windows_by_name),
        cmocka_unit_test(big_bird_sees_blocks_or_all),
        cmocka_unit_test(other_peoples_code_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
