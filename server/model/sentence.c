#include "model/sentence.h"

#include "base/file.h"
#include "model/field.h"

/* A checkpoint of an older version of the library names this file after its model. */
static const char *const sentence_transformer_names[] = {
    "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
};

/* What the parts of one checkpoint share while it is read. */
typedef struct SentenceReader {
    const char *directory;
    const ModelConfig *model;
    Arena *arena;
    SentenceConfig config;
    SentenceModules modules;
    VectorStep *step; /* whose configuration is read */
} SentenceReader;

typedef Status SentencePart(SentenceReader *reader, const char *path, const JsonValue *root, Error *out_error);

static Status sentence_part_modules(SentenceReader *reader, const char *path, const JsonValue *root,
                                    Error *out_error)
{
    return sentence_read_modules(path, root, &reader->modules, out_error);
}

static Status sentence_part_pooling(SentenceReader *reader, const char *path, const JsonValue *root,
                                    Error *out_error)
{
    return sentence_read_pooling(path, root, reader->model, &reader->config, out_error);
}

static Status sentence_part_sparse_pooling(SentenceReader *reader, const char *path, const JsonValue *root,
                                           Error *out_error)
{
    return sentence_read_sparse_pooling(path, root, reader->model, &reader->config, out_error);
}

static Status sentence_part_dense(SentenceReader *reader, const char *path, const JsonValue *root,
                                  Error *out_error)
{
    return sentence_read_dense(path, root, reader->config.vector_size, reader->step, out_error);
}

static Status sentence_part_layer_norm(SentenceReader *reader, const char *path, const JsonValue *root,
                                       Error *out_error)
{
    return sentence_read_layer_norm(path, root, reader->config.vector_size, reader->step, out_error);
}

/* A Normalize of older versions has no file. */
static Status sentence_part_normalize(SentenceReader *reader, const char *path, const JsonValue *root,
                                      Error *out_error)
{
    (void)reader;
    return sentence_read_normalize(path, root, out_error);
}

static Status sentence_part_transformer(SentenceReader *reader, const char *path, const JsonValue *root,
                                        Error *out_error)
{
    return sentence_read_transformer(path, root, reader->model, &reader->config, out_error);
}

static Status sentence_part_tokenizer(SentenceReader *reader, const char *path, const JsonValue *root,
                                      Error *out_error)
{
    return sentence_read_tokenizer(path, root, reader->model, &reader->config, out_error);
}

static Status sentence_part_prompts(SentenceReader *reader, const char *path, const JsonValue *root,
                                    Error *out_error)
{
    return sentence_read_prompts(path, root, reader->arena, &reader->config, out_error);
}

/* Parses directory/folder/name and hands it to `part`. Fails with NOT_FOUND when there is no such file. */
static Status sentence_read_file(SentenceReader *reader, const char *folder, const char *name, SentencePart *part,
                                 Error *out_error)
{
    char in_folder[PATH_BYTES_MAX];
    char path[PATH_BYTES_MAX];
    JsonDocument *document = NULL;
    Status status = file_join(in_folder, sizeof in_folder, reader->directory, folder, out_error);
    if (status == STATUS_OK) {
        status = file_join(path, sizeof path, *folder ? in_folder : reader->directory, name, out_error);
    }
    if (status == STATUS_OK) status = json_document_open(path, &document, out_error);
    if (status == STATUS_OK) status = part(reader, path, json_document_root(document), out_error);
    json_document_close(document);
    return status;
}

/* The same for a file that need not exist: *out_found says whether it did. */
static Status sentence_read_optional(SentenceReader *reader, const char *folder, const char *name,
                                     SentencePart *part, bool *out_found, Error *out_error)
{
    Error error;
    Status status = sentence_read_file(reader, folder, name, part, &error);
    *out_found = status != STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    if (status != STATUS_OK && out_error) *out_error = error;
    return status;
}

static Status sentence_read_token_limit(SentenceReader *reader, Error *out_error)
{
    bool found = false;
    if (reader->config.token_count_max == 0) {
        Status status = sentence_read_optional(reader, reader->modules.transformer_folder, "tokenizer_config.json",
                                               sentence_part_tokenizer, &found, out_error);
        if (status != STATUS_OK) return status;
    }
    if (reader->config.token_count_max == 0) reader->config.token_count_max = reader->model->position_count;
    return STATUS_OK;
}

/* The next step, whose input is the vector so far. */
static Status sentence_read_step(SentenceReader *reader, const VectorStep *module, Error *out_error)
{
    static SentencePart *const parts[] = {
        [VECTOR_DENSE] = sentence_part_dense,
        [VECTOR_LAYER_NORM] = sentence_part_layer_norm,
        [VECTOR_NORMALIZE] = sentence_part_normalize,
    };
    bool found = false;
    VectorStep *step = &reader->config.steps[reader->config.step_count++];
    *step = *module;
    step->input_size = step->output_size = reader->config.vector_size;
    reader->step = step;
    SentencePart *part = parts[module->kind];
    Status status = module->kind == VECTOR_NORMALIZE
                        ? sentence_read_optional(reader, module->folder, "config.json", part, &found, out_error)
                        : sentence_read_file(reader, module->folder, "config.json", part, out_error);
    reader->config.vector_size = step->output_size;
    return status;
}

/* The modules behind the Transformer; what is asked of a vector may replace a Normalize at their end. */
static Status sentence_read_steps(SentenceReader *reader, Error *out_error)
{
    const SentenceModules *modules = &reader->modules;
    SentenceConfig *config = &reader->config;
    Status status = STATUS_OK;
    if (modules->has_pooling) {
        SentencePart *part = modules->sparse ? sentence_part_sparse_pooling : sentence_part_pooling;
        config->pooling_count = 0;
        status = sentence_read_file(reader, modules->pooling_folder, "config.json", part, out_error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < modules->step_count; i++) {
        status = sentence_read_step(reader, &modules->steps[i], out_error);
    }
    config->normalize = config->step_count && config->steps[config->step_count - 1].kind == VECTOR_NORMALIZE;
    if (config->normalize) config->step_count--;
    return status;
}

/* The files that modules.json makes count. */
static Status sentence_read_library_files(SentenceReader *reader, Error *out_error)
{
    bool found = false;
    const char *folder = reader->modules.transformer_folder;
    Status status = sentence_read_steps(reader, out_error);
    for (size_t i = 0; !found && i < sizeof sentence_transformer_names / sizeof *sentence_transformer_names; i++) {
        if (status != STATUS_OK) return status;
        status = sentence_read_optional(reader, folder, sentence_transformer_names[i], sentence_part_transformer,
                                        &found, out_error);
    }
    if (status != STATUS_OK) return status;
    return sentence_read_optional(reader, "", "config_sentence_transformers.json", sentence_part_prompts, &found,
                                  out_error);
}

Status sentence_find_model(const char *directory, char out_folder[MODULE_PATH_BYTES_MAX], Error *out_error)
{
    SentenceReader reader = {.directory = directory};
    bool found = false;
    Status status = sentence_read_optional(&reader, "", "modules.json", sentence_part_modules, &found, out_error);
    if (status == STATUS_OK) memcpy(out_folder, reader.modules.transformer_folder, MODULE_PATH_BYTES_MAX);
    return status;
}

Status sentence_read(const char *directory, const ModelConfig *model, Arena *arena, SentenceConfig *out_config,
                     Error *out_error)
{
    SentenceReader reader = {.directory = directory, .model = model, .arena = arena};
    reader.config = (SentenceConfig){
        .pooling_count = 1, .poolings = {POOLING_MEAN}, .vector_size = model->hidden_size, .include_prompt = true};
    bool found = false;
    Status status = sentence_read_optional(&reader, "", "modules.json", sentence_part_modules, &found, out_error);
    if (status == STATUS_OK && found) status = sentence_read_library_files(&reader, out_error);
    if (status == STATUS_OK) status = sentence_read_token_limit(&reader, out_error);
    if (status == STATUS_OK) *out_config = reader.config;
    return status;
}
