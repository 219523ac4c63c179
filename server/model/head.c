#include "model/head.h"

#include "model/field.h"
#include "model/labels.h"

typedef struct KindRow {
    const char *suffix;
    HeadKind kind;
} KindRow;

/* ElectraForPreTraining tells replaced tokens: it fills none, and its weights have no such head. */
static const KindRow kind_rows[] = {
    {"ForSequenceClassification", HEAD_CLASSIFY},
    {"ForTokenClassification", HEAD_TAG},
    {"ForQuestionAnswering", HEAD_ANSWER},
    {"ForMaskedLM", HEAD_FILL},
    {"ForPreTraining", HEAD_FILL},
    {"LMHeadModel", HEAD_FILL},
};

/* transformers loads by the first class that is named. */
static Status head_read_kind(const FieldReader *reader, HeadKind *out_kind, Error *out_error)
{
    const JsonValue *list = json_member(reader->object, "architectures");
    TextView name;
    *out_kind = HEAD_NONE;
    if (json_type(list) == JSON_NULL || (json_type(list) == JSON_ARRAY && !json_first(list))) return STATUS_OK;
    if (json_type(list) != JSON_ARRAY || !json_string(json_first(list), &name)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"architectures\" must be a list of names", reader->path);
    }
    for (size_t i = 0; i < sizeof kind_rows / sizeof *kind_rows; i++) {
        size_t size = strlen(kind_rows[i].suffix);
        if (name.size < size) continue;
        if (memcmp(name.bytes + name.size - size, kind_rows[i].suffix, size) == 0) *out_kind = kind_rows[i].kind;
    }
    return STATUS_OK;
}

/* transformers' TextClassificationPipeline. Its look at function_to_apply is never reached: there is always a label. */
static Status head_read_problem(const FieldReader *reader, HeadConfig *config, Error *out_error)
{
    TextView problem = {0};
    Status status = field_string(reader, "problem_type", &problem, out_error);
    if (status != STATUS_OK) return status;
    bool multiple = problem.bytes && text_equal(problem, text_view("multi_label_classification"));
    bool single = problem.bytes && text_equal(problem, text_view("single_label_classification"));
    bool regression = problem.bytes && text_equal(problem, text_view("regression"));
    if (problem.bytes && !multiple && !single && !regression) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: problem_type \"%.64s\" is not supported; supported: regression, "
                         "single_label_classification, multi_label_classification",
                         reader->path, problem.bytes);
    }
    config->score = regression                             ? SCORE_IDENTITY
                    : multiple || config->label_count == 1 ? SCORE_SIGMOID
                                                           : SCORE_SOFTMAX;
    return STATUS_OK;
}

Status head_read_score(const char *path, const char *field, TextView name, ScoreFunction *out_score,
                       Error *out_error)
{
    static const char package[] = "torch.nn.";
    static const struct {
        const char *name;
        ScoreFunction score;
    } rows[] = {{".Sigmoid", SCORE_SIGMOID}, {".Identity", SCORE_IDENTITY}};
    bool known = name.size > strlen(package) && memcmp(name.bytes, package, strlen(package)) == 0;
    for (size_t i = 0; known && i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].name);
        if (name.size < size || memcmp(name.bytes + name.size - size, rows[i].name, size) != 0) continue;
        *out_score = rows[i].score;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: the %s \"%.100s\" is not supported; supported: Sigmoid and Identity of torch.nn", path,
                     field, name.bytes);
}

/* A cross-encoder's activation function, in the spelling of sentence-transformers from 4.0 on, else of older ones. */
static Status head_read_rank(const FieldReader *reader, HeadConfig *config, Error *out_error)
{
    static const char old_field[] = "sbert_ce_default_activation_function";
    FieldReader library = {reader->path, json_member(reader->object, "sentence_transformers")};
    TextView name = {0};
    const char *field = "activation_fn";
    Status status = field_string(&library, field, &name, out_error);
    if (status == STATUS_OK && !name.bytes) {
        field = old_field;
        status = field_string(reader, field, &name, out_error);
    }
    if (status != STATUS_OK || !name.bytes) return status;
    return head_read_score(reader->path, field, name, &config->rank, out_error);
}

static Status head_read_pooling(const FieldReader *reader, HeadPooling standard, HeadConfig *config,
                                Error *out_error)
{
    static const struct {
        const char *name;
        HeadPooling pooling;
    } rows[] = {{"cls", HEAD_POOLING_FIRST},
                {"bos", HEAD_POOLING_FIRST},
                {"mean", HEAD_POOLING_MEAN},
                {"late", HEAD_POOLING_LATE}};
    TextView name = {0};
    config->pooling = standard;
    Status status = field_string(reader, "classifier_pooling", &name, out_error);
    if (status != STATUS_OK || !name.bytes) return status;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!text_equal(name, text_view(rows[i].name))) continue;
        config->pooling = rows[i].pooling;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: classifier_pooling \"%.64s\" is not supported; supported: cls, bos, mean, late",
                     reader->path, name.bytes);
}

/* DeBERTa's pooler may have a size of its own in config.json; its layer is as wide as the model in any case. */
static Status head_read_context_pooler(const FieldReader *reader, const ModelConfig *model, HeadConfig *config,
                                       Error *out_error)
{
    uint32_t size = model->hidden_size;
    Status status = config_read_activation(reader, "pooler_hidden_act", &config->activation, out_error);
    if (status != STATUS_OK || json_type(json_member(reader->object, "pooler_hidden_size")) == JSON_NULL)
        return status;
    return field_size(reader, "pooler_hidden_size", size, size, &size, out_error);
}

/* What only some architectures leave to config.json. */
static Status head_read_variant(const FieldReader *reader, const ModelConfig *model, HeadConfig *config,
                                Error *out_error)
{
    Status status = STATUS_OK;
    switch (model->architecture) {
    case ARCHITECTURE_MODERNBERT:
        status = head_read_pooling(reader, HEAD_POOLING_FIRST, config, out_error);
        if (status != STATUS_OK) return status;
        return config_read_activation(reader, "classifier_activation", &config->activation, out_error);
    case ARCHITECTURE_EUROBERT:
        config->tied = false;
        return head_read_pooling(reader, HEAD_POOLING_LATE, config, out_error);
    case ARCHITECTURE_DEBERTA_V2:
        return head_read_context_pooler(reader, model, config, out_error);
    default:
        return STATUS_OK;
    }
}

Status head_read(const char *path, const JsonValue *root, const ModelConfig *model, Arena *arena,
                 HeadConfig *out_config, Error *out_error)
{
    FieldReader reader;
    HeadConfig config = {.activation = ACTIVATION_GELU, .tied = true};
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = head_read_kind(&reader, &config.kind, out_error);
    if (status == STATUS_OK && (config.kind == HEAD_CLASSIFY || config.kind == HEAD_TAG)) {
        status = labels_read(&reader, arena, &config.labels, &config.label_count, out_error);
    }
    if (status == STATUS_OK && config.kind == HEAD_CLASSIFY)
        status = head_read_problem(&reader, &config, out_error);
    if (status == STATUS_OK && config.kind == HEAD_CLASSIFY && config.label_count == 1) {
        status = head_read_rank(&reader, &config, out_error);
    }
    if (status == STATUS_OK && config.kind != HEAD_NONE) {
        status = head_read_variant(&reader, model, &config, out_error);
    }
    if (status == STATUS_OK) status = field_boolean(&reader, "tie_word_embeddings", &config.tied, out_error);
    if (status == STATUS_OK) *out_config = config;
    return status;
}
