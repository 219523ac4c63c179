/* What Longformer and BigBird have in config.json: which keys their layers see. Keys of older files that transformers
 * does not read (attention_mode, attention_dilation, autoregressive, ignore_attention_mask, onnx_export) are not read
 * here either. */
#include "model/config_parts.h"

#include <math.h>

enum {
    LONGFORMER_WINDOW = 512,
    LONGFORMER_SEPARATOR_ID = 2,
    BIG_BIRD_SEPARATOR_ID = 66,
    BIG_BIRD_BLOCK_SIZE = 64,
    BIG_BIRD_RANDOM_BLOCKS = 3,
};

/* A window is the sum of both sides. */
static Status longformer_set_reach(const FieldReader *reader, const JsonValue *value, uint32_t layer,
                                   ModelConfig *config, Error *out_error)
{
    int64_t window = 0;
    double number = 0;
    if (!json_number(value, &number)) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: \"attention_window\" must be a whole number or a list of %u, one a layer",
                         reader->path, config->layer_count);
    }
    if (!json_integer(value, 2, 2 * (int64_t)MODEL_POSITION_COUNT_MAX, &window) || window % 2 != 0) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: attention_window %.17g is not supported; supported: even numbers from 2 to %u",
                         reader->path, number, 2 * MODEL_POSITION_COUNT_MAX);
    }
    config->layer_reach[layer] = (uint32_t)(window / 2);
    return STATUS_OK;
}

static Status longformer_read_windows(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    const JsonValue *value = json_member(reader->object, "attention_window");
    bool list = json_type(value) == JSON_ARRAY;
    const JsonValue *item = list ? json_first(value) : value;
    for (uint32_t i = 0; i < config->layer_count; i++) config->layer_reach[i] = LONGFORMER_WINDOW / 2;
    if (json_type(value) == JSON_NULL) return STATUS_OK;
    if (list && json_size(value) != config->layer_count) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"attention_window\" must be a list of %u, one a layer",
                         reader->path, config->layer_count);
    }
    for (uint32_t i = 0; i < config->layer_count; i++) {
        Status status = longformer_set_reach(reader, item, i, config, out_error);
        if (status != STATUS_OK) return status;
        if (list) item = json_next(item);
    }
    return STATUS_OK;
}

Status config_read_longformer(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    config->attention = ATTENTION_PATTERN_LONGFORMER;
    config->separator_id = LONGFORMER_SEPARATOR_ID;
    Status status = longformer_read_windows(reader, config, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "sep_token_id", 0, MODEL_VOCABULARY_SIZE_MAX, &config->separator_id,
                                       out_error);
    }
    if (status == STATUS_OK) status = config_read_roberta(reader, config, out_error);
    return status;
}

static Status big_bird_read_pattern(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    TextView type = text_view("block_sparse");
    Status status = field_string(reader, "attention_type", &type, out_error);
    if (status != STATUS_OK || text_equal(type, text_view("original_full"))) return status;
    if (!text_equal(type, text_view("block_sparse"))) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: attention_type \"%.64s\" is not supported; supported: block_sparse original_full",
                         reader->path, type.bytes);
    }
    config->attention = ATTENTION_PATTERN_BIGBIRD;
    config->block_size = BIG_BIRD_BLOCK_SIZE;
    config->block_repeats = BIG_BIRD_RANDOM_BLOCKS;
    status =
        field_size_if_present(reader, "block_size", 1, MODEL_POSITION_COUNT_MAX, &config->block_size, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "num_random_blocks", 0, MODEL_BLOCK_REPEATS_MAX,
                                       &config->block_repeats, out_error);
    }
    return status;
}

Status config_read_big_bird(const FieldReader *reader, ModelConfig *config, Error *out_error)
{
    bool use_bias = true;
    bool rescale = false;
    config->separator_id = BIG_BIRD_SEPARATOR_ID;
    Status status = big_bird_read_pattern(reader, config, out_error);
    if (status == STATUS_OK) {
        status = field_size_if_present(reader, "sep_token_id", 0, MODEL_VOCABULARY_SIZE_MAX, &config->separator_id,
                                       out_error);
    }
    if (status == STATUS_OK) status = field_boolean(reader, "use_bias", &use_bias, out_error);
    if (status == STATUS_OK) status = field_boolean(reader, "rescale_embeddings", &rescale, out_error);
    config->projections_bare = !use_bias;
    if (rescale) config->embedding_scale = (float)sqrt(config->hidden_size);
    return status;
}
