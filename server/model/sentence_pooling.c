/* The configurations of Pooling and SpladePooling. */
#include "model/field.h"
#include "model/sentence.h"

typedef struct PoolingRow {
    const char *mode;
    const char *legacy_field;
    Pooling pooling;
} PoolingRow;

/* In the library's order, in which old booleans are joined. */
static const PoolingRow pooling_rows[] = {
    {"cls", "pooling_mode_cls_token", POOLING_CLS},
    {"max", "pooling_mode_max_tokens", POOLING_MAX},
    {"mean", "pooling_mode_mean_tokens", POOLING_MEAN},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT},
    {"weightedmean", "pooling_mode_weightedmean_tokens", POOLING_WEIGHTED_MEAN},
    {"lasttoken", "pooling_mode_lasttoken", POOLING_LAST},
};

static_assert(sizeof pooling_rows / sizeof *pooling_rows == (size_t)POOLING_COUNT, "every pooling has a name");

static Status pooling_add(const char *path, TextView mode, SentenceConfig *config, Error *out_error)
{
    for (uint32_t i = 0; i < POOLING_COUNT; i++) {
        if (!text_equal(mode, text_view(pooling_rows[i].mode))) continue;
        if (config->pooling_count == POOLING_COUNT) break;
        config->poolings[config->pooling_count++] = pooling_rows[i].pooling;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: pooling mode \"%.64s\" is not supported here; supported: up to %d of cls, max, mean, "
                     "mean_sqrt_len_tokens, weightedmean, lasttoken",
                     path, mode.bytes, POOLING_COUNT);
}

/* The spelling of older versions: a boolean a mode, mean when all are false. */
static Status pooling_read_legacy(const FieldReader *reader, SentenceConfig *config, Error *out_error)
{
    for (uint32_t i = 0; i < POOLING_COUNT; i++) {
        bool active = false;
        Status status = field_boolean(reader, pooling_rows[i].legacy_field, &active, out_error);
        if (status != STATUS_OK) return status;
        if (active) config->poolings[config->pooling_count++] = pooling_rows[i].pooling;
    }
    if (config->pooling_count == 0) config->poolings[config->pooling_count++] = POOLING_MEAN;
    return STATUS_OK;
}

static Status pooling_fail_name(const FieldReader *reader, Error *out_error)
{
    return error_set(out_error, STATUS_CORRUPT, "%s: \"pooling_mode\" must be a name or a list of names",
                     reader->path);
}

static Status pooling_read_modes(const FieldReader *reader, SentenceConfig *config, Error *out_error)
{
    const JsonValue *mode = json_member(reader->object, "pooling_mode");
    TextView name;
    if (json_type(mode) == JSON_NULL) return pooling_read_legacy(reader, config, out_error);
    if (json_string(mode, &name)) return pooling_add(reader->path, name, config, out_error);
    if (json_type(mode) != JSON_ARRAY || !json_first(mode)) return pooling_fail_name(reader, out_error);
    for (const JsonValue *item = json_first(mode); item; item = json_next(item)) {
        if (!json_string(item, &name)) return pooling_fail_name(reader, out_error);
        Status status = pooling_add(reader->path, name, config, out_error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static Status pooling_check_size(const FieldReader *reader, const ModelConfig *model, Error *out_error)
{
    const char *name = "embedding_dimension";
    if (json_type(json_member(reader->object, name)) == JSON_NULL) name = "word_embedding_dimension";
    uint32_t size = 0;
    Status status = field_size(reader, name, 1, MODEL_HIDDEN_SIZE_MAX, &size, out_error);
    if (status != STATUS_OK || size == model->hidden_size) return status;
    return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" is %u, expected the model's hidden_size %u",
                     reader->path, name, size, model->hidden_size);
}

Status sentence_read_pooling(const char *path, const JsonValue *root, const ModelConfig *model,
                             SentenceConfig *config, Error *out_error)
{
    FieldReader reader;
    config->pooling_count = 0;
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = pooling_check_size(&reader, model, out_error);
    if (status == STATUS_OK) status = field_boolean(&reader, "include_prompt", &config->include_prompt, out_error);
    if (status == STATUS_OK) status = pooling_read_modes(&reader, config, out_error);
    if (status == STATUS_OK) config->vector_size = config->pooling_count * model->hidden_size;
    return status;
}

/* One of two names for a field; *out_second says whether it is the second. An absent field means the first. */
static Status sparse_read_name(const FieldReader *reader, const char *field, const char *first, const char *second,
                               bool *out_second, Error *out_error)
{
    TextView name = text_view(first);
    Status status = field_string(reader, field, &name, out_error);
    *out_second = text_equal(name, text_view(second));
    if (status != STATUS_OK || *out_second || text_equal(name, text_view(first))) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: %s \"%.64s\" is not supported; supported: %s, %s",
                     reader->path, field, name.bytes, first, second);
}

Status sentence_read_sparse_pooling(const char *path, const JsonValue *root, const ModelConfig *model,
                                    SentenceConfig *config, Error *out_error)
{
    FieldReader reader;
    config->sparse = true;
    config->vector_size = model->vocabulary_size;
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) {
        status = sparse_read_name(&reader, "pooling_strategy", "max", "sum", &config->sparse_sums, out_error);
    }
    if (status == STATUS_OK) {
        status = sparse_read_name(&reader, "activation_function", "relu", "log1p_relu", &config->sparse_logs_twice,
                                  out_error);
    }
    return status;
}
