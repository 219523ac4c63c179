/* Nomic's files as they are on the hub, whose fields are named as GPT-2's. */
#include "model/config_parts.h"

static Status nomic_read_activation(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    static const char field[] = "activation_function";
    TextView name = {0};
    Status status = field_string(reader, field, &name, out_error);
    if (status != STATUS_OK) return status;
    bool silu = name.bytes && text_equal(name, text_view("swiglu"));
    bool gelu = name.bytes && text_equal(name, text_view("geglu"));
    config->gated = silu || gelu;
    config->activation = silu ? ACTIVATION_SILU : ACTIVATION_GELU;
    if (config->gated) return STATUS_OK;
    return config_read_activation(reader, field, &config->activation, out_error);
}

/* rotary_scaling_factor stretches texts beyond max_trained_positions, each by its own length. */
static Status nomic_read_rotary(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    RotaryConfig *rotary = &config->rotary;
    double fraction = 1;
    *rotary = (RotaryConfig){.theta = 10000, .position_count = config->position_count};
    Status status = field_number(reader, "rotary_emb_base", &rotary->theta, out_error);
    if (status == STATUS_OK) status = field_number(reader, "rotary_emb_fraction", &fraction, out_error);
    if (status == STATUS_OK) status = field_number(reader, "rotary_scaling_factor", &rotary->factor, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "max_trained_positions", 1, MODEL_POSITION_COUNT_MAX,
                                       &rotary->position_count, out_error);
    }
    if (status != STATUS_OK) return status;
    rotary->size = fraction > 0 && fraction <= 1 ? (uint32_t)(config->head_size * fraction) : 0;
    if (rotary->size == 0) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: rotary_emb_fraction %g is not supported: a part of each head must be rotated",
                         reader->path, fraction);
    }
    if (rotary->factor != 0) rotary->kind = ROTARY_KIND_DYNAMIC;
    return config_check_rotary(reader, rotary, out_error);
}

Status config_read_nomic_hub(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    static const char *const refused[] = {"prenorm", "parallel_block",         "use_rms_norm",
                                          "causal",  "rotary_emb_interleaved", "scale_attn_by_inverse_layer_idx"};
    double experts = 0;
    config->position_rows = 0;
    config->attention_bias = config->intermediate_bias = config->output_bias = true;
    Status status = config_refuse_true(reader, refused, sizeof refused / sizeof *refused, out_error);
    if (status == STATUS_OK) status = config_refuse_other(reader, "rotary_emb_scale_base", NULL, out_error);
    if (status == STATUS_OK) status = field_number(reader, "moe_every_n_layers", &experts, out_error);
    if (status == STATUS_OK) status = nomic_read_activation(reader, config, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "qkv_proj_bias", &config->attention_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "mlp_fc1_bias", &config->intermediate_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "mlp_fc2_bias", &config->output_bias, out_error);
    if (status == STATUS_OK) status = nomic_read_rotary(reader, config, out_error);
    if (status != STATUS_OK || !(experts > 0)) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: moe_every_n_layers %g is not supported: no experts are",
                     reader->path, experts);
}
