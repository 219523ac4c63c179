/* The other files of sentence-transformers, each by itself, from memory: no file is opened here. */
#include "model/field.h"
#include "model/sentence.h"

#include <math.h>

typedef struct DenseActivation {
    const char *name;
    Activation activation;
} DenseActivation;

static const DenseActivation dense_activations[] = {
    {".Identity", ACTIVATION_LINEAR}, {".Tanh", ACTIVATION_TANH}, {".ReLU", ACTIVATION_RELU},
    {".GELU", ACTIVATION_GELU},       {".SiLU", ACTIVATION_SILU},
};

/* Modules that read or write anything but the pooled vector are not served. */
static Status part_check_features(const FieldReader *reader, Error *out_error)
{
    static const char *const names[] = {"module_input_name", "module_output_name"};
    Status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < 2; i++) {
        TextView feature = text_view("sentence_embedding");
        status = field_string(reader, names[i], &feature, out_error);
        if (status == STATUS_OK && !text_equal(feature, text_view("sentence_embedding"))) {
            status = error_set(out_error, STATUS_UNSUPPORTED,
                               "%s: \"%s\" is \"%.64s\"; supported: \"sentence_embedding\"", reader->path,
                               names[i], feature.bytes);
        }
    }
    return status;
}

Status sentence_read_normalize(const char *path, const JsonValue *root, Error *out_error)
{
    FieldReader reader;
    Status status = field_open(path, root, &reader, out_error);
    return status == STATUS_OK ? part_check_features(&reader, out_error) : status;
}

static Status dense_read_activation(const FieldReader *reader, Activation *out_activation, Error *out_error)
{
    static const char package[] = "torch.nn.";
    TextView name = text_view("torch.nn.Tanh");
    Status status = field_string(reader, "activation_function", &name, out_error);
    if (status != STATUS_OK) return status;
    bool known = name.size > strlen(package) && memcmp(name.bytes, package, strlen(package)) == 0;
    for (size_t i = 0; known && i < sizeof dense_activations / sizeof *dense_activations; i++) {
        size_t size = strlen(dense_activations[i].name);
        if (name.size < size || memcmp(name.bytes + name.size - size, dense_activations[i].name, size) != 0)
            continue;
        *out_activation = dense_activations[i].activation;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: the activation_function \"%.100s\" is not supported; supported: Identity, Tanh, ReLU, "
                     "GELU and SiLU of torch.nn",
                     reader->path, name.bytes);
}

/* The size that a module expects must be the one it gets. */
static Status part_check_input(const FieldReader *reader, const char *name, uint32_t input_size, Error *out_error)
{
    uint32_t size = 0;
    Status status = field_size(reader, name, 1, VECTOR_SIZE_MAX, &size, out_error);
    if (status != STATUS_OK || size == input_size) return status;
    return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" is %u, but the module before gives %u", reader->path,
                     name, size, input_size);
}

Status sentence_read_dense(const char *path, const JsonValue *root, uint32_t input_size, VectorStep *step,
                           Error *out_error)
{
    FieldReader reader;
    bool residual = false;
    step->input_size = input_size;
    step->bias = true;
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = part_check_input(&reader, "in_features", input_size, out_error);
    if (status == STATUS_OK) {
        status = field_size(&reader, "out_features", 1, VECTOR_SIZE_MAX, &step->output_size, out_error);
    }
    if (status == STATUS_OK) status = field_boolean(&reader, "bias", &step->bias, out_error);
    if (status == STATUS_OK) status = field_boolean(&reader, "use_residual", &residual, out_error);
    if (status == STATUS_OK) status = dense_read_activation(&reader, &step->activation, out_error);
    if (status == STATUS_OK) status = part_check_features(&reader, out_error);
    if (status != STATUS_OK || !residual) return status;
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: \"use_residual\" is not supported", path);
}

Status sentence_read_layer_norm(const char *path, const JsonValue *root, uint32_t input_size, VectorStep *step,
                                Error *out_error)
{
    FieldReader reader;
    step->input_size = step->output_size = input_size;
    Status status = field_open(path, root, &reader, out_error);
    return status == STATUS_OK ? part_check_input(&reader, "dimension", input_size, out_error) : status;
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

/* A cross-encoder's Transformer runs its head as well; embedded, its texts are pooled without it. */
static Status transformer_check_task(const FieldReader *reader, bool sparse, Error *out_error)
{
    static const char *const tasks[2][2] = {{"feature-extraction", "sequence-classification"},
                                            {"fill-mask", "fill-mask"}};
    TextView task = text_view(tasks[sparse][0]);
    Status status = field_string(reader, "transformer_task", &task, out_error);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < 2; i++) {
        if (text_equal(task, text_view(tasks[sparse][i]))) return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: transformer_task \"%.64s\" is not supported with these modules; supported: \"%s\"",
                     reader->path, task.bytes, tasks[sparse][0]);
}

Status sentence_read_transformer(const char *path, const JsonValue *root, const ModelConfig *model,
                                 SentenceConfig *config, Error *out_error)
{
    FieldReader reader;
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = sentence_read_limit(&reader, "max_seq_length", model, config, out_error);
    if (status == STATUS_OK) status = field_boolean(&reader, "do_lower_case", &config->lower_case, out_error);
    return status == STATUS_OK ? transformer_check_task(&reader, config->sparse, out_error) : status;
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
