/* Rotary position embeddings in config.json: old files have rope_theta and rope_scaling, new ones rope_parameters. */
#include "model/config_parts.h"

#include <math.h>

static const struct {
    const char *name;
    RotaryKind kind;
} rotary_rows[] = {
    {"default", ROTARY_KIND_DEFAULT}, {"linear", ROTARY_KIND_LINEAR}, {"ntk", ROTARY_KIND_NTK},
    {"dynamic", ROTARY_KIND_DYNAMIC}, {"yarn", ROTARY_KIND_YARN},     {"llama3", ROTARY_KIND_LLAMA3},
};

static Status rotary_read_kind(const FieldReader *reader, RotaryKind *kind, Error *out_error)
{
    TextView name = {0};
    Status status = field_string(reader, "rope_type", &name, out_error);
    if (status == STATUS_OK && !name.bytes) status = field_string(reader, "type", &name, out_error);
    if (status != STATUS_OK || !name.bytes) return status;
    for (size_t i = 0; i < sizeof rotary_rows / sizeof *rotary_rows; i++) {
        if (!text_equal(name, text_view(rotary_rows[i].name))) continue;
        *kind = rotary_rows[i].kind;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: rope_type \"%.64s\" is not supported; supported: default linear ntk dynamic yarn llama3",
                     reader->path, name.bytes);
}

Status config_read_rotary_object(const FieldReader *reader, RotaryConfig *rotary, Error *out_error)
{
    const struct {
        const char *name;
        double *number;
    } numbers[] = {
        {"rope_theta", &rotary->theta},
        {"factor", &rotary->factor},
        {"attention_factor", &rotary->attention_factor},
        {"beta_fast", &rotary->beta_fast},
        {"beta_slow", &rotary->beta_slow},
        {"mscale", &rotary->mscale},
        {"mscale_all_dim", &rotary->mscale_all_dim},
        {"low_freq_factor", &rotary->low_frequency_factor},
        {"high_freq_factor", &rotary->high_frequency_factor},
    };
    double partial = 1;
    bool truncate = !rotary->no_truncation;
    if (json_type(reader->object) == JSON_NULL) return STATUS_OK;
    FieldReader object;
    Status status = field_open(reader->path, reader->object, &object, out_error);
    if (status == STATUS_OK) status = rotary_read_kind(reader, &rotary->kind, out_error);
    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof *numbers; i++)
        status = field_number(reader, numbers[i].name, numbers[i].number, out_error);
    if (status == STATUS_OK) status = field_number(reader, "partial_rotary_factor", &partial, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "truncate", &truncate, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "original_max_position_embeddings", 1, MODEL_POSITION_COUNT_MAX,
                                       &rotary->position_count, out_error);
    }
    if (status != STATUS_OK) return status;
    rotary->no_truncation = !truncate;
    if (partial != 1) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: partial_rotary_factor %g is not supported; supported: 1", reader->path, partial);
    }
    return config_refuse_other(reader, "mixed_b", NULL, out_error);
}

Status config_check_rotary(const FieldReader *reader, const RotaryConfig *rotary, Error *out_error)
{
    bool scaled = rotary->kind != ROTARY_KIND_DEFAULT;
    if (rotary->size % 2 || rotary->size > ROTARY_SIZE_MAX) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: %u dimensions of a head are to be rotated; an even number up to %u is supported",
                         reader->path, rotary->size, ROTARY_SIZE_MAX);
    }
    if (!(rotary->theta > 0) || !(rotary->theta <= (double)MODEL_ROTARY_THETA_MAX)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"rope_theta\" is %g, expected a number above 0 up to %g",
                         reader->path, rotary->theta, (double)MODEL_ROTARY_THETA_MAX);
    }
    if (scaled && (!(rotary->factor >= 1) || !(rotary->factor <= (double)MODEL_POSITION_COUNT_MAX))) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"factor\" of the rotary scaling is %g, expected 1 to %u",
                         reader->path, rotary->factor, MODEL_POSITION_COUNT_MAX);
    }
    if (rotary->kind == ROTARY_KIND_LLAMA3 &&
        (!(rotary->low_frequency_factor > 0) || !(rotary->high_frequency_factor > rotary->low_frequency_factor))) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: \"low_freq_factor\" is %g and \"high_freq_factor\" %g, expected 0 < low < high",
                         reader->path, rotary->low_frequency_factor, rotary->high_frequency_factor);
    }
    return STATUS_OK;
}

Status config_read_rotary(const FieldReader *reader, double theta, ModelConfig *config, Error *out_error)
{
    const JsonValue *scaling = json_member(reader->object, "rope_scaling");
    if (json_type(scaling) == JSON_NULL) scaling = json_member(reader->object, "rope_parameters");
    const FieldReader object = {reader->path, scaling};
    config->rotary =
        (RotaryConfig){.theta = theta, .position_count = config->position_count, .size = config->head_size};
    Status status = field_number(reader, "rope_theta", &config->rotary.theta, out_error);
    if (status == STATUS_OK) status = config_read_rotary_object(&object, &config->rotary, out_error);
    if (config->rotary.kind == ROTARY_KIND_DYNAMIC) config->rotary.position_count = config->position_count;
    if (status == STATUS_OK) status = config_check_rotary(reader, &config->rotary, out_error);
    return status;
}
