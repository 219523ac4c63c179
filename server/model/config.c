#include "model/config.h"

#include "model/field.h"

typedef struct ActivationRow {
    const char *name;
    Activation activation;
} ActivationRow;

static const ActivationRow activation_rows[] = {
#define ACTIVATION_NAME(name, activation) {name, ACTIVATION_##activation},
#include "model/activations.def"
#undef ACTIVATION_NAME
};
#define ACTIVATION_NAME(name, activation) " " name
static const char activation_names[] =
#include "model/activations.def"
    ;
#undef ACTIVATION_NAME

static Status config_read_architecture(const FieldReader *reader, Architecture *out_architecture, Error *out_error)
{
    TextView model_type = {0};
    Status status = field_string(reader, "model_type", &model_type, out_error);
    if (status != STATUS_OK) return status;
    if (!model_type.bytes) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"model_type\" is absent; supported:%s", reader->path,
                         architecture_list());
    }
    for (int i = 0; i < ARCHITECTURE_COUNT; i++) {
        if (!text_equal(model_type, text_view(architecture_model_type((Architecture)i)))) continue;
        *out_architecture = (Architecture)i;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: model_type \"%.64s\" is not supported; supported:%s",
                     reader->path, model_type.bytes, architecture_list());
}

Status config_read_activation(const FieldReader *reader, const char *field, Activation *activation,
                              Error *out_error)
{
    TextView name = {0};
    Status status = field_string(reader, field, &name, out_error);
    if (status != STATUS_OK || !name.bytes) return status;
    for (size_t i = 0; i < sizeof activation_rows / sizeof *activation_rows; i++) {
        if (!text_equal(name, text_view(activation_rows[i].name))) continue;
        *activation = activation_rows[i].activation;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: %s \"%.64s\" is not supported; supported:%s",
                     reader->path, field, name.bytes, activation_names);
}

/* What would make BertModel compute something else than we do. */
static Status config_check_variant(const FieldReader *reader, Error *out_error)
{
    TextView positions = text_view("absolute");
    bool decoder = false;
    bool cross_attention = false;
    Status status = field_string(reader, "position_embedding_type", &positions, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "is_decoder", &decoder, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "add_cross_attention", &cross_attention, out_error);
    if (status != STATUS_OK) return status;
    if (!text_equal(positions, text_view("absolute"))) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: position_embedding_type \"%.64s\" is not supported; supported: \"absolute\"",
                         reader->path, positions.bytes);
    }
    if (decoder || cross_attention) {
        return error_set(out_error, STATUS_UNSUPPORTED, "%s: \"%s\" is true; only encoders are supported",
                         reader->path, decoder ? "is_decoder" : "add_cross_attention");
    }
    return STATUS_OK;
}

static Status config_read_sizes(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    const struct {
        const char *name;
        uint32_t max;
        uint32_t *size;
    } fields[] = {
        {"hidden_size", MODEL_HIDDEN_SIZE_MAX, &config->hidden_size},
        {"num_hidden_layers", MODEL_LAYER_COUNT_MAX, &config->layer_count},
        {"num_attention_heads", MODEL_HEAD_COUNT_MAX, &config->head_count},
        {"intermediate_size", MODEL_INTERMEDIATE_SIZE_MAX, &config->intermediate_size},
        {"vocab_size", MODEL_VOCABULARY_SIZE_MAX, &config->vocabulary_size},
        {"max_position_embeddings", MODEL_POSITION_COUNT_MAX, &config->position_count},
        {"type_vocab_size", MODEL_TYPE_COUNT_MAX, &config->type_count},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        Status status = field_size(reader, fields[i].name, 1, fields[i].max, fields[i].size, out_error);
        if (status != STATUS_OK) return status;
    }
    if (config->hidden_size % config->head_count == 0) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: hidden_size %u is no multiple of num_attention_heads %u",
                     reader->path, config->hidden_size, config->head_count);
}

static Status config_read_epsilon(const FieldReader *reader, float *out_epsilon, Error *out_error)
{
    double epsilon = 1e-12;
    Status status = field_number(reader, "layer_norm_eps", &epsilon, out_error);
    if (status != STATUS_OK) return status;
    *out_epsilon = (float)epsilon;
    if (epsilon < 1 && *out_epsilon > 0) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: \"layer_norm_eps\" is %g, expected a number between 0 and 1",
                     reader->path, epsilon);
}

Status config_read(const char *path, const JsonValue *root, ModelConfig *out_config, Error *out_error)
{
    FieldReader reader;
    ModelConfig config = {.activation = ACTIVATION_GELU};
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = config_read_architecture(&reader, &config.architecture, out_error);
    if (status == STATUS_OK) status = config_check_variant(&reader, out_error);
    if (status == STATUS_OK) status = config_read_sizes(&reader, &config, out_error);
    if (status == STATUS_OK) status = config_read_epsilon(&reader, &config.norm_epsilon, out_error);
    if (status == STATUS_OK) status = config_read_activation(&reader, "hidden_act", &config.activation, out_error);
    if (status != STATUS_OK) return status;
    config.model_type = architecture_model_type(config.architecture);
    config.embedding_size = config.hidden_size;
    config.key_value_head_count = config.head_count;
    config.head_size = config.hidden_size / config.head_count;
    config.position_rows = config.position_count;
    config.attention_bias = config.intermediate_bias = config.output_bias = true;
    config.group_count = config.layer_count;
    config.inner_count = 1;
    *out_config = config;
    return STATUS_OK;
}
