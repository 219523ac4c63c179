/* ModernBERT's config.json: which layers see a window only, and the rotary embeddings of both kinds. */
#include "model/config_parts.h"

static void modernbert_set_layer(ModelConfig *config, uint32_t index, bool local, uint32_t reach)
{
    config->layer_reach[index] = local ? reach : REACH_UNLIMITED;
    if (local) config->attention = ATTENTION_PATTERN_SLIDING_WINDOW;
}

/* layer_types, a name a layer; older files have global_attn_every_n_layers. Local layers see `reach` tokens to either
 * side. */
static Status modernbert_read_layers(const FieldReader *reader, uint32_t reach, ModelConfig *config,
                                     Error *out_error)
{
    uint32_t every = 3;
    uint32_t index = 0;
    const JsonValue *list = json_member(reader->object, "layer_types");
    Status status = field_size_if_present(reader, "global_attn_every_n_layers", 1, UINT32_MAX, &every, out_error);
    if (status != STATUS_OK) return status;
    if (json_type(list) == JSON_NULL) {
        for (uint32_t i = 0; i < config->layer_count; i++) modernbert_set_layer(config, i, i % every != 0, reach);
        return STATUS_OK;
    }
    if (json_type(list) != JSON_ARRAY || json_size(list) != config->layer_count) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"layer_types\" must be a list of %u names, one a layer",
                         reader->path, config->layer_count);
    }
    for (const JsonValue *item = json_first(list); item; item = json_next(item)) {
        TextView name = {0};
        if (!json_string(item, &name))
            return error_set(out_error, STATUS_CORRUPT, "%s: \"layer_types\" must hold strings", reader->path);
        bool local = text_equal(name, text_view("sliding_attention"));
        if (!local && !text_equal(name, text_view("full_attention"))) {
            return error_set(
                out_error, STATUS_UNSUPPORTED,
                "%s: layer_types \"%.64s\" is not supported; supported: full_attention sliding_attention",
                reader->path, name.bytes);
        }
        modernbert_set_layer(config, index++, local, reach);
    }
    return STATUS_OK;
}

/* rope_parameters holds an object a kind of layer; older files have a theta a kind, and rope_scaling for both. */
static Status modernbert_read_rotary(const FieldReader *reader, const char *kind, const char *theta,
                                     double standard, const ModelConfig *config, RotaryConfig *out_rotary,
                                     Error *out_error)
{
    const JsonValue *parameters = json_member(reader->object, "rope_parameters");
    const FieldReader object = {reader->path, json_member(parameters, kind)};
    const FieldReader scaling = {reader->path, json_member(reader->object, "rope_scaling")};
    *out_rotary =
        (RotaryConfig){.theta = standard, .position_count = config->position_count, .size = config->head_size};
    Status status = field_number(reader, theta, &out_rotary->theta, out_error);
    if (status == STATUS_OK) status = config_read_rotary_object(&object, out_rotary, out_error);
    if (status == STATUS_OK) status = config_read_rotary_object(&scaling, out_rotary, out_error);
    if (out_rotary->kind == ROTARY_KIND_DYNAMIC) out_rotary->position_count = config->position_count;
    if (status == STATUS_OK) status = config_check_rotary(reader, out_rotary, out_error);
    return status;
}

Status config_read_modernbert(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    uint32_t window = 128;
    uint32_t head_size = config->head_size;
    bool mlp_bias = false;
    bool norm_bias = false;
    config->position_rows = 0;
    config->gated = true;
    config->attention_bias = false;
    Status status = field_boolean(reader, "attention_bias", &config->attention_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "mlp_bias", &mlp_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "norm_bias", &norm_bias, out_error);
    config->intermediate_bias = config->output_bias = mlp_bias;
    config->norm = norm_bias ? NORM_LAYER : NORM_LAYER_NO_BIAS;
    if (status == STATUS_OK)
        status = field_size_if_present(reader, "head_dim", head_size, head_size, &head_size, out_error);
    if (status == STATUS_OK) {
        status =
            field_size_if_present(reader, "local_attention", 0, 2 * MODEL_POSITION_COUNT_MAX, &window, out_error);
    }
    uint32_t reach = window / 2;
    if (status == STATUS_OK)
        status = field_size_if_present(reader, "sliding_window", 0, MODEL_POSITION_COUNT_MAX, &reach, out_error);
    if (status == STATUS_OK) status = modernbert_read_layers(reader, reach, config, out_error);
    if (status == STATUS_OK) {
        status = modernbert_read_rotary(reader, "full_attention", "global_rope_theta", 160000, config,
                                        &config->rotary, out_error);
    }
    if (status == STATUS_OK) {
        status = modernbert_read_rotary(reader, "sliding_attention", "local_rope_theta", 10000, config,
                                        &config->local_rotary, out_error);
    }
    return status;
}
