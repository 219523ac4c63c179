/* tokenizer.json from the top: which components it names, and who reads them. */
#include "tokenizer/read.h"

#include "base/file.h"
#include "base/limits.h"
#include "unicode/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const COMPONENT_FIELDS[] = {"normalizer", "pre_tokenizer", "model", "post_processor",
                                               "decoder"};

typedef struct Component {
    ComponentKind kind;
    const char *name;
    Status (*read)(Reader *reader, const JsonValue *value);
} Component;

static const Component COMPONENTS[] = {
#define COMPONENT(kind, name, read) {kind, name, read},
#include "tokenizer/components.def"
#undef COMPONENT
};

enum { COMPONENT_COUNT = sizeof COMPONENTS / sizeof COMPONENTS[0] };

static Status read_unsupported(const Reader *reader, ComponentKind kind, TextView name)
{
    char known[256] = "";
    for (size_t i = 0; i < COMPONENT_COUNT; i++)
        if (COMPONENTS[i].kind == kind) text_list_add(known, sizeof known, text_view(COMPONENTS[i].name));
    return error_set(reader->error, STATUS_UNSUPPORTED, "%s: %s: \"%.*s\" is not supported, only: %s",
                     reader->path, reader->field, (int)(name.size < 80 ? name.size : 80), name.bytes, known);
}

/* Reads the component `value`, which reader->field names. */
static Status read_component_value(Reader *reader, const JsonValue *value, ComponentKind kind)
{
    TextView name;
    Status status = read_string(reader, value, reader->field, "type", &name);
    if (status) return status;
    for (size_t i = 0; i < COMPONENT_COUNT; i++) {
        if (COMPONENTS[i].kind == kind && text_equal(name, text_view(COMPONENTS[i].name))) {
            return COMPONENTS[i].read(reader, value);
        }
    }
    return read_unsupported(reader, kind, name);
}

static Status read_component(Reader *reader, const JsonValue *root, ComponentKind kind)
{
    const JsonValue *value = json_member(root, COMPONENT_FIELDS[kind]);
    if (json_type(value) == JSON_NULL && kind != MODEL) return STATUS_OK;
    snprintf(reader->field, sizeof reader->field, "%s", COMPONENT_FIELDS[kind]);
    return read_component_value(reader, value, kind);
}

Status read_sequence(Reader *reader, const JsonValue *value, ComponentKind kind, const char *key)
{
    char outer[sizeof reader->field];
    snprintf(outer, sizeof outer, "%s", reader->field);
    const JsonValue *items = json_member(value, key);
    if (json_type(items) != JSON_ARRAY) {
        char where[sizeof outer + 32];
        snprintf(where, sizeof where, "%s.%s", outer, key);
        return read_expected(reader, where, "an array", items);
    }
    Status status = STATUS_OK;
    uint32_t index = 0;
    for (const JsonValue *item = json_first(items); item && !status; item = json_next(item), index++) {
        /* A deeper path than the field has room for is cut; the depth itself is bounded by the JSON reader. */
        snprintf(reader->field, sizeof reader->field, "%.100s[%u]", outer, index);
        status = read_component_value(reader, item, kind);
    }
    snprintf(reader->field, sizeof reader->field, "%s", outer);
    return status;
}

/* What a null post-processor does. */
static void read_default_templates(Tokenizer *tokenizer)
{
    TemplatePiece text = {TEMPLATE_TEXT, 0, 0}, pair = {TEMPLATE_PAIR, 1, 0};
    tokenizer->single = (Template){.pieces = {text}, .piece_count = 1};
    tokenizer->pair = (Template){.pieces = {text, pair}, .piece_count = 2};
}

/* Truncation and padding are not read: they are what somebody last used, and a request has its own. */
Status read_root(Reader *reader, const JsonValue *root)
{
    TextView version;
    const JsonValue *found = json_member(root, "version");
    if (json_type(root) != JSON_OBJECT) return read_expected(reader, "the file", "an object", root);
    if (json_type(found) != JSON_NULL &&
        !(json_string(found, &version) && text_equal(version, text_view("1.0")))) {
        return read_expected(reader, "version", "\"1.0\"", found);
    }
    read_default_templates(reader->tokenizer);
    Status status = read_component(reader, root, MODEL);
    if (!status) status = read_component(reader, root, NORMALIZER);
    if (!status) status = read_component(reader, root, PRE_TOKENIZER);
    reader->tokenizer->decoders.none = json_type(json_member(root, "decoder")) == JSON_NULL;
    if (!status) status = read_component(reader, root, DECODER);
    if (!status) status = read_added_tokens(reader, json_member(root, "added_tokens"));
    if (!status) status = read_component(reader, root, POST_PROCESSOR);
    if (!status) read_special_ids(reader);
    if (!status) read_types(reader);
    return status;
}

Status read_tokenizer_json(Tokenizer *tokenizer, const char *directory, const char *path, Error *out_error)
{
    JsonDocument *config = NULL, *map = NULL, *document = NULL;
    Status status = read_side_file(directory, "tokenizer_config.json", &config, out_error);
    if (!status) status = read_side_file(directory, "special_tokens_map.json", &map, out_error);
    if (!status) status = json_document_open(path, &document, out_error);
    if (!status) {
        Reader reader = {.tokenizer = tokenizer, .path = path, .error = out_error};
        if (config) reader.config = json_document_root(config);
        if (map) reader.map = json_document_root(map);
        status = read_root(&reader, json_document_root(document));
    }
    json_document_close(document);
    json_document_close(map);
    json_document_close(config);
    return status;
}

Status read_side_file(const char *directory, const char *name, JsonDocument **out_document, Error *out_error)
{
    char path[PATH_BYTES_MAX];
    *out_document = NULL;
    Status status = file_join(path, sizeof path, directory, name, out_error);
    if (status || !file_exists(path)) return status;
    return json_document_open(path, out_document, out_error);
}

static void read_describe(const JsonValue *found, char *out_text, size_t capacity)
{
    TextView text = {0};
    double number = 0;
    bool truth = false;
    switch (json_type(found)) {
    case JSON_NULL:
        snprintf(out_text, capacity, "%s", found ? "null" : "nothing");
        return;
    case JSON_BOOLEAN:
        snprintf(out_text, capacity, "%s", json_boolean(found, &truth) && truth ? "true" : "false");
        return;
    case JSON_NUMBER:
        snprintf(out_text, capacity, "%.17g", json_number(found, &number) ? number : 0.0);
        return;
    case JSON_STRING:
        if (!json_string(found, &text)) text = (TextView){"", 0};
        snprintf(out_text, capacity, "\"%.*s\"", (int)(text.size < 60 ? text.size : 60), text.bytes);
        return;
    case JSON_ARRAY:
        snprintf(out_text, capacity, "an array of %zu", json_size(found));
        return;
    case JSON_OBJECT:
        snprintf(out_text, capacity, "an object of %zu", json_size(found));
        return;
    }
}

Status read_expected(const Reader *reader, const char *field, const char *expected, const JsonValue *found)
{
    char description[96];
    read_describe(found, description, sizeof description);
    return error_set(reader->error, STATUS_CORRUPT, "%s: %s: expected %s, found %s", reader->path, field, expected,
                     description);
}

static Status read_member_expected(const Reader *reader, const JsonValue *object, const char *field,
                                   const char *key, const char *expected)
{
    if (json_type(object) != JSON_OBJECT) return read_expected(reader, field, "an object", object);
    char name[256];
    snprintf(name, sizeof name, "%.150s.%s", field, key);
    return read_expected(reader, name, expected, json_member(object, key));
}

Status read_boolean(const Reader *reader, const JsonValue *object, const char *field, const char *key,
                    bool *out_value)
{
    if (json_boolean(json_member(object, key), out_value)) return STATUS_OK;
    return read_member_expected(reader, object, field, key, "true or false");
}

Status read_string(const Reader *reader, const JsonValue *object, const char *field, const char *key,
                   TextView *out_value)
{
    if (json_string(json_member(object, key), out_value)) return STATUS_OK;
    return read_member_expected(reader, object, field, key, "a string");
}

Status read_integer(const Reader *reader, const JsonValue *object, const char *field, const char *key, int64_t max,
                    uint32_t *out_value)
{
    int64_t value;
    if (json_integer(json_member(object, key), 0, max, &value)) {
        *out_value = (uint32_t)value;
        return STATUS_OK;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "a whole number from 0 to %" PRId64, max);
    return read_member_expected(reader, object, field, key, expected);
}

Status read_flag(const Reader *reader, const JsonValue *object, const char *key, bool fallback, bool *out_value)
{
    *out_value = fallback;
    return json_member(object, key) ? read_boolean(reader, object, reader->field, key, out_value) : STATUS_OK;
}

Status read_character(const Reader *reader, const JsonValue *object, const char *key, uint32_t *out_code_point)
{
    TextView text;
    if (json_string(json_member(object, key), &text) && text.size > 0 &&
        utf8_decode(text.bytes, out_code_point) == text.size) {
        return STATUS_OK;
    }
    return read_member_expected(reader, object, reader->field, key, "one character");
}

Status read_owned(const Reader *reader, const JsonValue *object, const char *key, char **out_text,
                  size_t *out_size)
{
    TextView text;
    Status status = read_string(reader, object, reader->field, key, &text);
    if (status) return status;
    *out_text = read_copy(text);
    *out_size = text.size;
    return *out_text ? STATUS_OK : error_set(reader->error, STATUS_NO_MEMORY, "no memory for a tokenizer");
}

Status read_pattern(const Reader *reader, const JsonValue *object, Pattern **out_pattern)
{
    const JsonValue *pattern = json_member(object, "pattern");
    TextView text;
    bool literal = json_string(json_member(pattern, "String"), &text);
    if (!literal && !json_string(json_member(pattern, "Regex"), &text)) {
        return read_member_expected(reader, object, reader->field, "pattern",
                                    "an object with a String or a Regex");
    }
    Status status = pattern_open(text, literal, out_pattern, reader->error);
    return status ? error_prefix(reader->error, "%s: %s.pattern", reader->path, reader->field) : STATUS_OK;
}

Status read_too_many(const Reader *reader, const char *what, uint32_t most)
{
    return error_set(reader->error, STATUS_UNSUPPORTED, "%s: %s: more than %u %s", reader->path, reader->field,
                     most, what);
}

Status read_token_check(const Reader *reader, const char *field, TextView text)
{
    if (text.size <= WORDPIECE_TOKEN_BYTES_MAX) return STATUS_OK;
    return error_set(reader->error, STATUS_CORRUPT, "%s: %s: a token has %zu bytes, at most %d are accepted",
                     reader->path, field, text.size, WORDPIECE_TOKEN_BYTES_MAX);
}

char *read_copy(TextView text)
{
    char *copy = malloc(text.size + 1);
    if (!copy) return NULL;
    if (text.size) memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    return copy;
}
