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
        Status status = sentence_read_optional(reader, "", "tokenizer_config.json", sentence_part_tokenizer,
                                               &found, out_error);
        if (status != STATUS_OK) return status;
    }
    if (reader->config.token_count_max == 0) reader->config.token_count_max = reader->model->position_count;
    return STATUS_OK;
}

/* The files that modules.json makes count. */
static Status sentence_read_library_files(SentenceReader *reader, Error *out_error)
{
    bool found = false;
    Status status =
        sentence_read_file(reader, reader->modules.pooling_path, "config.json", sentence_part_pooling, out_error);
    if (status == STATUS_OK && reader->modules.normalize) {
        reader->config.normalize = true;
        status = sentence_read_optional(reader, reader->modules.normalize_path, "config.json",
                                        sentence_part_normalize, &found, out_error);
    }
    found = false;
    for (size_t i = 0; !found && i < sizeof sentence_transformer_names / sizeof *sentence_transformer_names; i++) {
        if (status != STATUS_OK) return status;
        status = sentence_read_optional(reader, "", sentence_transformer_names[i], sentence_part_transformer,
                                        &found, out_error);
    }
    if (status != STATUS_OK) return status;
    return sentence_read_optional(reader, "", "config_sentence_transformers.json", sentence_part_prompts, &found,
                                  out_error);
}

Status sentence_read(const char *directory, const ModelConfig *model, Arena *arena, SentenceConfig *out_config,
                     Error *out_error)
{
    SentenceReader reader = {.directory = directory, .model = model, .arena = arena};
    reader.config = (SentenceConfig){.pooling = POOLING_MEAN, .include_prompt = true};
    bool found = false;
    Status status = sentence_read_optional(&reader, "", "modules.json", sentence_part_modules, &found, out_error);
    if (status == STATUS_OK && found) status = sentence_read_library_files(&reader, out_error);
    if (status == STATUS_OK) status = sentence_read_token_limit(&reader, out_error);
    if (status == STATUS_OK) *out_config = reader.config;
    return status;
}
