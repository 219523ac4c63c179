/* Each file of sentence-transformers by itself, from memory: no file is opened here. */
#include "model/field.h"
#include "model/sentence.h"

#include <math.h>

typedef enum SentenceModule { MODULE_TRANSFORMER, MODULE_POOLING, MODULE_NORMALIZE, MODULE_COUNT } SentenceModule;

/* Module classes have moved between the library's packages; their names have not. */
static const char *const sentence_module_names[MODULE_COUNT] = {"Transformer", "Pooling", "Normalize"};
static const char sentence_package[] = "sentence_transformers.";

typedef struct PoolingRow {
    const char *mode;
    const char *legacy_field;
    bool supported;
    Pooling pooling;
} PoolingRow;

static const PoolingRow pooling_rows[] = {
    {"cls", "pooling_mode_cls_token", true, POOLING_CLS},
    {"max", "pooling_mode_max_tokens", true, POOLING_MAX},
    {"mean", "pooling_mode_mean_tokens", true, POOLING_MEAN},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", false, POOLING_MEAN},
    {"weightedmean", "pooling_mode_weightedmean_tokens", false, POOLING_MEAN},
    {"lasttoken", "pooling_mode_lasttoken", true, POOLING_LAST},
};
enum { POOLING_ROW_COUNT = sizeof pooling_rows / sizeof *pooling_rows };

/* Copies `folder` when it is relative and never leaves the checkpoint: the file comes from a stranger. */
static Status sentence_copy_folder(const char *path, TextView folder, char out_folder[MODULE_PATH_BYTES_MAX],
                                   Error *out_error)
{
    bool safe = folder.size < MODULE_PATH_BYTES_MAX && (folder.size == 0 || folder.bytes[0] != '/') &&
                !memchr(folder.bytes, '\\', folder.size);
    for (size_t begin = 0; safe && begin < folder.size;) {
        const char *slash = memchr(folder.bytes + begin, '/', folder.size - begin);
        size_t end = slash ? (size_t)(slash - folder.bytes) : folder.size;
        safe = !text_equal((TextView){folder.bytes + begin, end - begin}, text_view(".."));
        begin = end + 1;
    }
    if (!safe) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: the module path \"%.64s\" is refused: only folders within the checkpoint are read",
                         path, folder.bytes);
    }
    memcpy(out_folder, folder.bytes, folder.size);
    out_folder[folder.size] = '\0';
    return STATUS_OK;
}

static bool sentence_module_is(TextView type, const char *name)
{
    size_t package_size = strlen(sentence_package);
    size_t name_size = strlen(name);
    return type.size > package_size + name_size && memcmp(type.bytes, sentence_package, package_size) == 0 &&
           type.bytes[type.size - name_size - 1] == '.' &&
           memcmp(type.bytes + type.size - name_size, name, name_size) == 0;
}

/* Reads a module and takes the first of `expected` and the ones after it that fits. */
static Status sentence_read_module(const char *path, const JsonValue *item, SentenceModule expected,
                                   TextView *out_folder, Error *out_error)
{
    FieldReader reader;
    TextView type = text_view("");
    *out_folder = text_view("");
    Status status = field_open(path, item, &reader, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "type", &type, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "path", out_folder, out_error);
    if (status != STATUS_OK) return status;
    if (expected < MODULE_COUNT && sentence_module_is(type, sentence_module_names[expected])) return STATUS_OK;
    return error_set(
        out_error, STATUS_UNSUPPORTED,
        "%s: the module \"%.100s\" is not supported here; supported: Transformer, Pooling and perhaps "
        "Normalize of sentence_transformers, in this order",
        path, type.bytes);
}

Status sentence_read_modules(const char *path, const JsonValue *root, SentenceModules *out_modules,
                             Error *out_error)
{
    if (json_type(root) != JSON_ARRAY) return error_set(out_error, STATUS_CORRUPT, "%s: expected a list", path);
    SentenceModules modules = {.normalize = false};
    char transformer_path[MODULE_PATH_BYTES_MAX] = "";
    char *folders[MODULE_COUNT] = {transformer_path, modules.pooling_path, modules.normalize_path};
    size_t count = 0;
    for (const JsonValue *item = json_first(root); item; item = json_next(item)) {
        TextView folder;
        Status status = sentence_read_module(path, item, (SentenceModule)count, &folder, out_error);
        if (status == STATUS_OK) status = sentence_copy_folder(path, folder, folders[count], out_error);
        if (status != STATUS_OK) return status;
        count++;
    }
    if (count <= MODULE_POOLING) {
        return error_set(out_error, STATUS_UNSUPPORTED, "%s: no %s module", path, sentence_module_names[count]);
    }
    if (*transformer_path) {
        return error_set(
            out_error, STATUS_UNSUPPORTED,
            "%s: the Transformer lies in the folder \"%s\"; move its files to where modules.json is and "
            "set its path to \"\"",
            path, transformer_path);
    }
    modules.normalize = count > MODULE_NORMALIZE;
    *out_modules = modules;
    return STATUS_OK;
}

static Status sentence_select_pooling(const char *path, TextView mode, SentenceConfig *config, Error *out_error)
{
    for (int i = 0; i < POOLING_ROW_COUNT; i++) {
        if (!pooling_rows[i].supported || !text_equal(mode, text_view(pooling_rows[i].mode))) continue;
        config->pooling = pooling_rows[i].pooling;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: pooling mode \"%.64s\" is not supported; supported: mean, cls, max, lasttoken", path,
                     mode.bytes);
}

static Status sentence_refuse_combination(const char *path, Error *out_error)
{
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: several pooling modes are combined; one of mean, cls, max, lasttoken is supported",
                     path);
}

/* The spelling of older versions: a boolean a mode, mean when all are false. */
static Status sentence_read_legacy_pooling(const FieldReader *reader, SentenceConfig *config, Error *out_error)
{
    const char *mode = NULL;
    for (int i = 0; i < POOLING_ROW_COUNT; i++) {
        bool active = false;
        Status status = field_boolean(reader, pooling_rows[i].legacy_field, &active, out_error);
        if (status != STATUS_OK) return status;
        if (active && mode) return sentence_refuse_combination(reader->path, out_error);
        if (active) mode = pooling_rows[i].mode;
    }
    return sentence_select_pooling(reader->path, text_view(mode ? mode : "mean"), config, out_error);
}

static Status sentence_read_pooling_mode(const FieldReader *reader, SentenceConfig *config, Error *out_error)
{
    const JsonValue *mode = json_member(reader->object, "pooling_mode");
    TextView name;
    if (json_type(mode) == JSON_NULL) return sentence_read_legacy_pooling(reader, config, out_error);
    if (json_type(mode) == JSON_ARRAY) {
        if (json_size(mode) > 1) return sentence_refuse_combination(reader->path, out_error);
        mode = json_first(mode);
    }
    if (!json_string(mode, &name)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"pooling_mode\" must be a name", reader->path);
    }
    return sentence_select_pooling(reader->path, name, config, out_error);
}

static Status sentence_check_dimension(const FieldReader *reader, const ModelConfig *model, Error *out_error)
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
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = sentence_check_dimension(&reader, model, out_error);
    if (status == STATUS_OK) status = field_boolean(&reader, "include_prompt", &config->include_prompt, out_error);
    if (status == STATUS_OK) status = sentence_read_pooling_mode(&reader, config, out_error);
    return status;
}

Status sentence_read_normalize(const char *path, const JsonValue *root, Error *out_error)
{
    static const char *const names[] = {"module_input_name", "module_output_name"};
    FieldReader reader;
    Status status = field_open(path, root, &reader, out_error);
    for (int i = 0; status == STATUS_OK && i < 2; i++) {
        TextView feature = text_view("sentence_embedding");
        status = field_string(&reader, names[i], &feature, out_error);
        if (status == STATUS_OK && !text_equal(feature, text_view("sentence_embedding"))) {
            status = error_set(out_error, STATUS_UNSUPPORTED,
                               "%s: \"%s\" is \"%.64s\"; supported: \"sentence_embedding\"", path, names[i],
                               feature.bytes);
        }
    }
    return status;
}

/* Takes field `name` as the token limit, when it is there. Any large number means "no limit". */
static Status sentence_read_limit(const FieldReader *reader, const char *name, const ModelConfig *model,
                                  SentenceConfig *config, Error *out_error)
{
    double limit = 0;
    Status status = field_number(reader, name, &limit, out_error);
    if (status != STATUS_OK || json_type(json_member(reader->object, name)) == JSON_NULL) return status;
    if (limit < 1 || limit != trunc(limit)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" is %g, expected a whole number from 1",
                         reader->path, name, limit);
    }
    config->token_count_max = limit < model->position_count ? (uint32_t)limit : model->position_count;
    return STATUS_OK;
}

Status sentence_read_transformer(const char *path, const JsonValue *root, const ModelConfig *model,
                                 SentenceConfig *config, Error *out_error)
{
    FieldReader reader;
    TextView task = text_view("feature-extraction");
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = sentence_read_limit(&reader, "max_seq_length", model, config, out_error);
    if (status == STATUS_OK) status = field_boolean(&reader, "do_lower_case", &config->lower_case, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "transformer_task", &task, out_error);
    if (status == STATUS_OK && !text_equal(task, text_view("feature-extraction"))) {
        status = error_set(out_error, STATUS_UNSUPPORTED,
                           "%s: transformer_task \"%.64s\" is not supported; supported: \"feature-extraction\"",
                           path, task.bytes);
    }
    return status;
}

Status sentence_read_tokenizer(const char *path, const JsonValue *root, const ModelConfig *model,
                               SentenceConfig *config, Error *out_error)
{
    FieldReader reader;
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = sentence_read_limit(&reader, "max_len", model, config, out_error);
    if (status == STATUS_OK) status = sentence_read_limit(&reader, "model_max_length", model, config, out_error);
    return status;
}
