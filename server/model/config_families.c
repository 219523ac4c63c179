/* What only some architectures have in config.json. Each reader names what it does not serve. */
#include "model/config_parts.h"

enum {
    MPNET_PAD_TOKEN_ID = 1, /* whatever the configuration says */
    MPNET_BUCKET_COUNT = 32,
};

/* The first `pad_token_id + 1` rows of positions are not for tokens; see encoder/embeddings.c. */
static Status config_offset_positions(const FieldReader *reader, uint32_t pad_token_id, ModelConfig *config,
                                      Error *out_error)
{
    config->position_offset = pad_token_id + 1;
    if (config->position_rows > config->position_offset) {
        config->position_count = config->position_rows - config->position_offset;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_CORRUPT,
                     "%s: max_position_embeddings %u leaves no position: texts begin at %u, behind pad_token_id",
                     reader->path, config->position_rows, config->position_offset);
}

Status config_read_roberta(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    uint32_t pad_token_id = 1;
    Status status =
        field_size_if_present(reader, "pad_token_id", 0, MODEL_VOCABULARY_SIZE_MAX, &pad_token_id, out_error);
    if (status == STATUS_OK) status = config_offset_positions(reader, pad_token_id, config, out_error);
    return status;
}

Status config_read_mpnet(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->position_bias = POSITION_BIAS_RELATIVE;
    config->relative_rows = MPNET_BUCKET_COUNT;
    Status status = field_size_if_present(reader, "relative_attention_num_buckets", MPNET_BUCKET_COUNT,
                                          MODEL_RELATIVE_SPAN_MAX, &config->relative_rows, out_error);
    if (status == STATUS_OK) status = config_offset_positions(reader, MPNET_PAD_TOKEN_ID, config, out_error);
    return status;
}

Status config_read_electra(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->embedding_size = 128;
    return field_size_if_present(reader, "embedding_size", 1, MODEL_HIDDEN_SIZE_MAX, &config->embedding_size,
                                 out_error);
}

Status config_read_albert(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->group_count = 1;
    Status status = config_read_electra(reader, config, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "num_hidden_groups", 1, config->layer_count, &config->group_count,
                                       out_error);
    }
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "inner_group_num", 1, MODEL_LAYER_COUNT_MAX / config->layer_count,
                                       &config->inner_count, out_error);
    }
    return status;
}

/* An older spelling is one string, "p2c|c2p". */
static Status deberta_read_terms(const FieldReader *reader, DisentangledConfig *terms, Error *out_error)
{
    static const char field[] = "pos_att_type";
    const JsonValue *value = json_member(reader->object, field);
    TextView left = {0};
    bool list = json_type(value) == JSON_ARRAY;
    if (!list) {
        Status status = field_string(reader, field, &left, out_error);
        if (status != STATUS_OK) return status;
    }
    for (const JsonValue *item = json_first(list ? value : NULL); list ? item != NULL : left.size > 0;) {
        TextView name = left;
        if (list && !json_string(item, &name))
            return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" must be a list of strings", reader->path,
                             field);
        const char *bar = list ? NULL : memchr(left.bytes, '|', left.size);
        if (bar) name.size = (size_t)(bar - left.bytes);
        if (list)
            item = json_next(item);
        else
            left = bar ? (TextView){bar + 1, left.size - name.size - 1} : (TextView){0};
        if (text_equal(name, text_view("c2p")))
            terms->content_to_position = true;
        else if (text_equal(name, text_view("p2c")))
            terms->position_to_content = true;
        else
            return error_set(out_error, STATUS_UNSUPPORTED, "%s: %s \"%.*s\" is not supported; supported: c2p p2c",
                             reader->path, field, (int)(name.size < 64 ? name.size : 64), name.bytes);
    }
    return STATUS_OK;
}

/* -1 stands for none. */
static Status deberta_read_optional(const FieldReader *reader, const char *name, uint32_t max, uint32_t *out_size,
                                    Error *out_error)
{
    double number = 0;
    Status status = field_number(reader, name, &number, out_error);
    if (status != STATUS_OK || number < 1) return status;
    return field_size(reader, name, 1, max, out_size, out_error);
}

static Status deberta_read_relative(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    DisentangledConfig *terms = &config->disentangled;
    TextView norm = text_view("none");
    Status status = field_boolean(reader, "share_att_key", &terms->shares_projections, out_error);
    if (status == STATUS_OK) status = field_string(reader, "norm_rel_ebd", &norm, out_error);
    if (status == STATUS_OK) {
        status = deberta_read_optional(reader, "position_buckets", MODEL_RELATIVE_SPAN_MAX, &terms->bucket_count,
                                       out_error);
    }
    terms->distance_max = config->position_count;
    if (status == STATUS_OK) {
        status = deberta_read_optional(reader, "max_relative_positions", MODEL_POSITION_COUNT_MAX,
                                       &terms->distance_max, out_error);
    }
    if (status != STATUS_OK) return status;
    terms->span = terms->bucket_count ? terms->bucket_count : terms->distance_max;
    terms->normalizes = text_equal(norm, text_view("layer_norm"));
    if (!terms->normalizes && !text_equal(norm, text_view("none"))) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: norm_rel_ebd \"%.64s\" is not supported; supported: \"none\" \"layer_norm\"",
                         reader->path, norm.bytes);
    }
    if (terms->span <= MODEL_RELATIVE_SPAN_MAX) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: relative attention over %u positions is not supported; up to %u", reader->path,
                     terms->span, MODEL_RELATIVE_SPAN_MAX);
}

static Status deberta_read_convolution(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    uint32_t groups = 1;
    config->convolution_activation = ACTIVATION_TANH;
    Status status = deberta_read_optional(reader, "conv_kernel_size", MODEL_CONVOLUTION_SIZE_MAX,
                                          &config->convolution_size, out_error);
    if (status != STATUS_OK || config->convolution_size == 0) return status;
    status = field_size_if_present(reader, "conv_groups", 1, 1, &groups, out_error);
    if (status == STATUS_OK)
        status = config_read_activation(reader, "conv_act", &config->convolution_activation, out_error);
    if (status != STATUS_OK || config->convolution_size % 2 == 1) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: conv_kernel_size %u is not supported; odd ones are",
                     reader->path, config->convolution_size);
}

Status config_read_deberta(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    bool relative = false;
    bool absolute = true;
    uint32_t head_size = config->head_size;
    Status status = field_boolean(reader, "relative_attention", &relative, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "position_biased_input", &absolute, out_error);
    if (status == STATUS_OK) status = deberta_read_terms(reader, &config->disentangled, out_error);
    if (status == STATUS_OK && relative) status = deberta_read_relative(reader, config, out_error);
    if (status == STATUS_OK) status = deberta_read_convolution(reader, config, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "embedding_size", 1, MODEL_HIDDEN_SIZE_MAX, &config->embedding_size,
                                       out_error);
    }
    if (status == STATUS_OK)
        status = field_size_if_present(reader, "attention_head_size", head_size, head_size, &head_size, out_error);
    if (!absolute) config->position_rows = 0;
    if (relative && (config->disentangled.content_to_position || config->disentangled.position_to_content))
        config->position_bias = POSITION_BIAS_DISENTANGLED;
    return status;
}

/* Jina's own BERT: ALiBi, and a gated MLP with a bias in its second product alone. */
Status config_read_jina(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    TextView positions = text_view("absolute");
    TextView feed_forward = text_view("original");
    Status status = field_string(reader, "position_embedding_type", &positions, out_error);
    if (status == STATUS_OK) status = field_string(reader, "feed_forward_type", &feed_forward, out_error);
    if (status != STATUS_OK) return status;
    if (text_equal(positions, text_view("alibi"))) {
        config->position_bias = POSITION_BIAS_ALIBI;
        config->position_rows = 0;
    } else {
        status = config_refuse_other(reader, "position_embedding_type", "absolute", out_error);
        if (status != STATUS_OK) return status;
    }
    if (text_equal(feed_forward, text_view("original"))) return STATUS_OK;
    config->gated = true;
    config->intermediate_bias = false;
    config->activation = text_equal(feed_forward, text_view("reglu")) ? ACTIVATION_RELU : ACTIVATION_GELU;
    if (config->activation == ACTIVATION_RELU || text_equal(feed_forward, text_view("geglu"))) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: feed_forward_type \"%.64s\" is not supported; supported: original geglu reglu",
                     reader->path, feed_forward.bytes);
}

/* The size of a head where it is not hidden_size / heads. */
static Status config_read_head_size(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    uint32_t max = MODEL_INTERMEDIATE_SIZE_MAX / config->head_count;
    return field_size_if_present(reader, "head_dim", 1, max, &config->head_size, out_error);
}

Status config_read_nomic(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->position_rows = 0;
    config->gated = true;
    config->attention_bias = config->intermediate_bias = config->output_bias = false;
    Status status = config_read_head_size(reader, config, out_error);
    if (status == STATUS_OK) status = config_read_rotary(reader, 1000, config, out_error);
    return status;
}

/* GTE's files of both names. */
Status config_read_gte(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    static const char *const refused[] = {"logn_attention_scale", "logn_attention_clip1"};
    bool packed = true;
    config->position_rows = 0;
    config->gated = true;
    config->intermediate_bias = false;
    Status status = config_refuse_true(reader, refused, 2, out_error);
    if (status == STATUS_OK) status = config_refuse_other(reader, "position_embedding_type", "rope", out_error);
    if (status == STATUS_OK) status = config_refuse_other(reader, "layer_norm_type", "layer_norm", out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "pack_qkv", &packed, out_error);
    if (status == STATUS_OK) status = config_read_head_size(reader, config, out_error);
    if (status == STATUS_OK)
        status =
            config_read_rotary(reader, strcmp(config->model_type, "new") == 0 ? 10000 : 160000, config, out_error);
    if (status != STATUS_OK || packed) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: \"pack_qkv\" false is not supported", reader->path);
}

Status config_read_jina_v3(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->position_rows = 0;
    Status status = config_read_head_size(reader, config, out_error);
    if (status == STATUS_OK) status = config_read_rotary(reader, 20000, config, out_error);
    return status;
}

Status config_read_eurobert(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    bool mlp_bias = false;
    config->position_rows = 0;
    config->gated = true;
    config->norm = NORM_RMS;
    config->attention_bias = false;
    Status status = field_boolean(reader, "attention_bias", &config->attention_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "mlp_bias", &mlp_bias, out_error);
    config->intermediate_bias = config->output_bias = mlp_bias;
    if (status == STATUS_OK) status = config_read_head_size(reader, config, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "num_key_value_heads", 1, config->head_count,
                                       &config->key_value_head_count, out_error);
    }
    if (status == STATUS_OK) status = config_read_rotary(reader, 10000, config, out_error);
    if (status != STATUS_OK || config->head_count % config->key_value_head_count == 0) return status;
    return error_set(out_error, STATUS_CORRUPT,
                     "%s: num_attention_heads %u is no multiple of num_key_value_heads %u", reader->path,
                     config->head_count, config->key_value_head_count);
}
