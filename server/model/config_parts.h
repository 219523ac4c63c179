/* The parts of reading config.json; for the files of model/ only. All fail as config_read. */
#pragma once

#include "model/config.h"
#include "model/field.h"

/* What only one architecture has, after the sizes that all have. */
typedef Status (*ConfigReader)(const FieldReader *reader, ModelConfig *config, Error *out_error);

CHECKED Status config_read_roberta(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_mpnet(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_electra(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_albert(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_deberta(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_jina(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_modernbert(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_nomic(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_nomic_hub(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_gte(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_jina_v3(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_eurobert(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_longformer(const FieldReader *reader, ModelConfig *config, Error *out_error);
CHECKED Status config_read_big_bird(const FieldReader *reader, ModelConfig *config, Error *out_error);

/* rope_scaling, rope_parameters, rope_theta and the size of a head, for architectures with one kind of layer. */
CHECKED Status config_read_rotary(const FieldReader *reader, double theta, ModelConfig *config, Error *out_error);
/* One object of rotary parameters over what *rotary holds; a null one changes nothing. */
CHECKED Status config_read_rotary_object(const FieldReader *reader, RotaryConfig *rotary, Error *out_error);
/* Proves what the readings of a rotary left, all numbers together. */
CHECKED Status config_check_rotary(const FieldReader *reader, const RotaryConfig *rotary, Error *out_error);

/* Refuses the field `name` when it is true, or another value than what we compute. */
CHECKED Status config_refuse_true(const FieldReader *reader, const char *const *names, size_t name_count,
                                  Error *out_error);
CHECKED Status config_refuse_other(const FieldReader *reader, const char *name, const char *expected,
                                   Error *out_error);
