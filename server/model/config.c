#include "model/config_parts.h"

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

/* The names of an architecture's fields, and what transformers takes where one is absent. */
typedef struct ConfigRow {
    const char *hidden_size;
    const char *layer_count;
    const char *head_count;
    const char *intermediate_size;
    const char *position_count;
    const char *activation;
    const char *epsilon; /* NULL: fixed */
    double epsilon_default;
    Activation activation_default;
    uint32_t type_min; /* of type_vocab_size; NO_TYPES: it is not read */
    ConfigReader read; /* NULL: there is nothing else */
} ConfigRow;

#define NO_TYPES UINT32_MAX
#define BERT_SIZES "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"
#define BERT_FIELDS BERT_SIZES, "max_position_embeddings", "hidden_act", "layer_norm_eps"

static const ConfigRow config_rows[ARCHITECTURE_COUNT] = {
    [ARCHITECTURE_BERT] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 1, NULL},
    [ARCHITECTURE_ROBERTA] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 1, config_read_roberta},
    [ARCHITECTURE_DISTILBERT] = {"dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings",
                                 "activation", NULL, 1e-12, ACTIVATION_GELU, NO_TYPES, NULL},
    [ARCHITECTURE_MPNET] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, NO_TYPES, config_read_mpnet},
    [ARCHITECTURE_ELECTRA] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 1, config_read_electra},
    [ARCHITECTURE_ALBERT] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU_TANH, 1, config_read_albert},
    [ARCHITECTURE_DEBERTA_V2] = {BERT_FIELDS, 1e-7, ACTIVATION_GELU, 0, config_read_deberta},
    [ARCHITECTURE_MODERNBERT] = {BERT_SIZES, "max_position_embeddings", "hidden_activation", "norm_eps", 1e-5,
                                 ACTIVATION_GELU, NO_TYPES, config_read_modernbert},
    [ARCHITECTURE_NOMIC_BERT] = {BERT_FIELDS, 1e-12, ACTIVATION_SILU, 1, config_read_nomic},
    [ARCHITECTURE_GTE] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 0, config_read_gte},
    [ARCHITECTURE_JINA_BERT] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 1, config_read_jina},
    [ARCHITECTURE_JINA_EMBEDDINGS_V3] = {BERT_FIELDS, 1e-5, ACTIVATION_GELU, 1, config_read_jina_v3},
    [ARCHITECTURE_EUROBERT] = {BERT_SIZES, "max_position_embeddings", "hidden_act", "rms_norm_eps", 1e-5,
                               ACTIVATION_SILU, NO_TYPES, config_read_eurobert},
    [ARCHITECTURE_LONGFORMER] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU, 1, config_read_longformer},
    [ARCHITECTURE_BIG_BIRD] = {BERT_FIELDS, 1e-12, ACTIVATION_GELU_TANH, 1, config_read_big_bird},
};

/* Nomic's files on the hub; their activation_function is read by their own reader. */
static const ConfigRow config_row_of_nomic_hub = {
    "n_embd",
    "n_layer",
    "n_head",
    "n_inner",
    "n_positions",
    "hidden_act",
    "layer_norm_epsilon",
    1e-12,
    ACTIVATION_SILU,
    0,
    config_read_nomic_hub,
};

/* Code that a repository brings for its base model; NULL: it needs none. */
static const char *config_remote_code(const FieldReader *reader)
{
    TextView code = {0};
    const JsonValue *map = json_member(reader->object, "auto_map");
    if (!json_string(json_member(map, "AutoModel"), &code)) json_string(json_member(map, "AutoConfig"), &code);
    return code.bytes;
}

/* "bert" is Jina's where it comes with Jina's code or its positions. */
static bool config_is_jina(const FieldReader *reader)
{
    TextView positions = {0};
    const char *code = config_remote_code(reader);
    json_string(json_member(reader->object, "position_embedding_type"), &positions);
    return (code && strstr(code, "jina-bert")) || (positions.bytes && text_equal(positions, text_view("alibi")));
}

static Status config_read_architecture(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    TextView model_type = {0};
    Status status = field_string(reader, "model_type", &model_type, out_error);
    if (status != STATUS_OK) return status;
    if (!model_type.bytes) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"model_type\" is absent; supported:%s", reader->path,
                         architecture_list());
    }
    if (!architecture_find(model_type, &config->architecture, &config->model_type)) {
        return error_set(out_error, STATUS_UNSUPPORTED, "%s: model_type \"%.64s\" is not supported; supported:%s",
                         reader->path, model_type.bytes, architecture_list());
    }
    if (config->architecture == ARCHITECTURE_BERT && config_is_jina(reader))
        config->architecture = ARCHITECTURE_JINA_BERT;
    return STATUS_OK;
}

/* A repository's own code under a standard name computes what only that code says. These names are known. */
static Status config_check_code(const FieldReader *reader, const ModelConfig *config, Error *out_error)
{
    static const Architecture known[] = {ARCHITECTURE_NOMIC_BERT, ARCHITECTURE_GTE, ARCHITECTURE_JINA_BERT,
                                         ARCHITECTURE_EUROBERT};
    const char *code = config_remote_code(reader);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (config->architecture == known[i]) return STATUS_OK;
    if (!code || json_type(json_member(json_member(reader->object, "auto_map"), "AutoModel")) == JSON_NULL)
        return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: auto_map names code of its own, \"%.128s\": not supported", reader->path, code);
}

Status config_refuse_true(const FieldReader *reader, const char *const *names, size_t name_count, Error *out_error)
{
    for (size_t i = 0; i < name_count; i++) {
        bool value = false;
        Status status = field_boolean(reader, names[i], &value, out_error);
        if (status != STATUS_OK) return status;
        if (value) {
            return error_set(out_error, STATUS_UNSUPPORTED, "%s: \"%s\" is true, which is not supported",
                             reader->path, names[i]);
        }
    }
    return STATUS_OK;
}

Status config_refuse_other(const FieldReader *reader, const char *name, const char *expected, Error *out_error)
{
    const JsonValue *value = json_member(reader->object, name);
    TextView text = {0};
    if (json_type(value) == JSON_NULL) return STATUS_OK;
    if (!expected)
        return error_set(out_error, STATUS_UNSUPPORTED, "%s: \"%s\" is set, which is not supported", reader->path,
                         name);
    Status status = field_string(reader, name, &text, out_error);
    if (status != STATUS_OK || text_equal(text, text_view(expected))) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: %s \"%.64s\" is not supported; supported: \"%s\"",
                     reader->path, name, text.bytes, expected);
}

/* What would make any model compute something else than we do. */
static Status config_check_variant(const FieldReader *reader, const ModelConfig *config, Error *out_error)
{
    static const char *const refused[] = {"is_decoder", "add_cross_attention"};
    const JsonValue *pruned = json_member(reader->object, "pruned_heads");
    Status status = config_refuse_true(reader, refused, 2, out_error);
    if (status == STATUS_OK) status = config_refuse_other(reader, "quantization_config", NULL, out_error);
    if (status == STATUS_OK) status = config_check_code(reader, config, out_error);
    if (status == STATUS_OK && json_first(pruned))
        status = config_refuse_other(reader, "pruned_heads", NULL, out_error);
    if (status == STATUS_OK && config->architecture != ARCHITECTURE_GTE &&
        config->architecture != ARCHITECTURE_JINA_BERT) {
        status = config_refuse_other(reader, "position_embedding_type", "absolute", out_error);
    }
    return status;
}

static Status config_read_sizes(const FieldReader *reader, const ConfigRow *row, ModelConfig *config,
                                Error *out_error)
{
    const struct {
        const char *name;
        uint32_t min;
        uint32_t max;
        uint32_t *size;
    } fields[] = {
        {row->hidden_size, 1, MODEL_HIDDEN_SIZE_MAX, &config->hidden_size},
        {row->layer_count, 1, MODEL_LAYER_COUNT_MAX, &config->layer_count},
        {row->head_count, 1, MODEL_HEAD_COUNT_MAX, &config->head_count},
        {row->intermediate_size, 1, MODEL_INTERMEDIATE_SIZE_MAX, &config->intermediate_size},
        {"vocab_size", 1, MODEL_VOCABULARY_SIZE_MAX, &config->vocabulary_size},
        {row->position_count, 1, MODEL_POSITION_COUNT_MAX, &config->position_count},
        {"type_vocab_size", row->type_min, MODEL_TYPE_COUNT_MAX, &config->type_count},
    };
    size_t count = sizeof fields / sizeof *fields;
    if (row->type_min == NO_TYPES) count--;
    for (size_t i = 0; i < count; i++) {
        Status status =
            field_size(reader, fields[i].name, fields[i].min, fields[i].max, fields[i].size, out_error);
        if (status != STATUS_OK) return status;
    }
    if (config->hidden_size % config->head_count == 0) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: %s %u is no multiple of %s %u", reader->path,
                     row->hidden_size, config->hidden_size, row->head_count, config->head_count);
}

static Status config_read_epsilon(const FieldReader *reader, const ConfigRow *row, float *out_epsilon,
                                  Error *out_error)
{
    double epsilon = row->epsilon_default;
    Status status = row->epsilon ? field_number(reader, row->epsilon, &epsilon, out_error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    *out_epsilon = (float)epsilon;
    if (epsilon < 1 && *out_epsilon > 0) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" is %g, expected a number between 0 and 1",
                     reader->path, row->epsilon, epsilon);
}

/* As BERT has it; the architecture's own reader changes what differs. */
static void config_fill_common(ModelConfig *config)
{
    config->embedding_size = config->hidden_size;
    config->key_value_head_count = config->head_count;
    config->head_size = config->hidden_size / config->head_count;
    config->position_rows = config->position_count;
    config->attention_bias = config->intermediate_bias = config->output_bias = true;
    for (uint32_t i = 0; i < MODEL_LAYER_COUNT_MAX; i++) config->layer_reach[i] = REACH_UNLIMITED;
    config->group_count = config->layer_count;
    config->inner_count = 1;
}

Status config_read(const char *path, const JsonValue *root, ModelConfig *out_config, Error *out_error)
{
    FieldReader reader;
    ModelConfig config = {0};
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = config_read_architecture(&reader, &config, out_error);
    if (status == STATUS_OK) status = config_check_variant(&reader, &config, out_error);
    if (status != STATUS_OK) return status;
    const ConfigRow *row = &config_rows[config.architecture];
    if (config.architecture == ARCHITECTURE_NOMIC_BERT && json_member(root, "n_embd"))
        row = &config_row_of_nomic_hub;
    config.activation = row->activation_default;
    status = config_read_sizes(&reader, row, &config, out_error);
    if (status == STATUS_OK) status = config_read_epsilon(&reader, row, &config.norm_epsilon, out_error);
    if (status == STATUS_OK)
        status = config_read_activation(&reader, row->activation, &config.activation, out_error);
    if (status == STATUS_OK) config_fill_common(&config);
    if (status == STATUS_OK && row->read) status = row->read(&reader, &config, out_error);
    if (status == STATUS_OK) *out_config = config;
    return status;
}
