/* Post-processors: what they put around the texts is a template, and what they do to offsets is a trim. */
#include "tokenizer/read.h"

#include <stdio.h>

static Status read_template_id(const Reader *reader, const char *field, const JsonValue *value, uint32_t *out_id)
{
    int64_t id;
    uint32_t size = reader->tokenizer->vocabulary_size;
    if (json_integer(value, 0, (int64_t)size - 1, &id)) {
        *out_id = (uint32_t)id;
        return STATUS_OK;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "an id from 0 to %u", size - 1);
    return read_expected(reader, field, expected, value);
}

/* ["[CLS]", 101]: the text is for people. */
static Status read_bert_token(const Reader *reader, const JsonValue *value, const char *field, uint32_t *out_id)
{
    TextView text;
    const JsonValue *first = json_type(value) == JSON_ARRAY ? json_first(value) : NULL;
    if (json_size(value) != 2 || !json_string(first, &text)) {
        return read_expected(reader, field, "a list of a token and its id", value);
    }
    return read_template_id(reader, field, json_next(first), out_id);
}

/* Only one may add tokens: the library has no use for a second one either. */
static Status read_processor_once(Reader *reader)
{
    if (reader->has_template) {
        return error_set(reader->error, STATUS_UNSUPPORTED, "%s: %s: a second post-processor that adds tokens",
                         reader->path, reader->field);
    }
    reader->has_template = true;
    reader->tokenizer->single = reader->tokenizer->pair = (Template){0};
    return STATUS_OK;
}

/* The pieces of a pair, whose first three are those of a single text. */
static Status read_pieces(Reader *reader, const JsonValue *value, bool roberta)
{
    uint32_t cls, sep;
    Status status = read_processor_once(reader);
    if (!status) status = read_bert_token(reader, json_member(value, "cls"), "post_processor.cls", &cls);
    if (!status) status = read_bert_token(reader, json_member(value, "sep"), "post_processor.sep", &sep);
    if (status) return status;
    const uint8_t second = roberta ? 0 : 1; /* the type of all that belongs to the pair */
    TemplatePiece start = {TEMPLATE_TOKEN, 0, cls}, text = {TEMPLATE_TEXT, 0, 0}, end = {TEMPLATE_TOKEN, 0, sep};
    TemplatePiece pair = {TEMPLATE_PAIR, second, 0}, pair_end = {TEMPLATE_TOKEN, second, sep};
    Template *templates[] = {&reader->tokenizer->single, &reader->tokenizer->pair};
    for (int i = 0; i < 2; i++) {
        template_add(templates[i], start);
        template_add(templates[i], text);
        template_add(templates[i], end);
    }
    if (roberta) template_add(&reader->tokenizer->pair, end);
    template_add(&reader->tokenizer->pair, pair);
    template_add(&reader->tokenizer->pair, pair_end);
    return STATUS_OK;
}

Status read_bert_processing(Reader *reader, const JsonValue *value)
{
    return read_pieces(reader, value, false);
}

static Status read_trim(Reader *reader, const JsonValue *value)
{
    bool trims, prefix;
    Status status = read_boolean(reader, value, reader->field, "trim_offsets", &trims);
    if (!status) status = read_boolean(reader, value, reader->field, "add_prefix_space", &prefix);
    if (status || !trims) return status;
    if (reader->tokenizer->trim.enabled) {
        return error_set(reader->error, STATUS_UNSUPPORTED, "%s: %s: a second post-processor that trims offsets",
                         reader->path, reader->field);
    }
    reader->tokenizer->trim = (OffsetTrim){.enabled = true, .keeps_prefix = prefix};
    return STATUS_OK;
}

Status read_roberta_processing(Reader *reader, const JsonValue *value)
{
    Status status = read_pieces(reader, value, true);
    return status ? status : read_trim(reader, value);
}

Status read_byte_level_processing(Reader *reader, const JsonValue *value)
{
    return read_trim(reader, value);
}

Status read_processor_sequence(Reader *reader, const JsonValue *value)
{
    return read_sequence(reader, value, POST_PROCESSOR, "processors");
}

static Status read_template_full(const Reader *reader, const char *field)
{
    return error_set(reader->error, STATUS_CORRUPT, "%s: %s: more than %d pieces", reader->path, field,
                     TEMPLATE_PIECES_MAX);
}

/* {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]} of special_tokens, one piece an id. */
static Status read_special_piece(const Reader *reader, const JsonValue *special_tokens, const char *field,
                                 TextView name, uint8_t type_id, Template *template)
{
    const JsonValue *token = json_first(special_tokens);
    while (token && !text_equal(json_key(token), name)) token = json_next(token);
    const JsonValue *ids = json_member(token, "ids");
    if (json_type(ids) != JSON_ARRAY || json_size(ids) != json_size(json_member(token, "tokens"))) {
        char where[256];
        snprintf(where, sizeof where, "post_processor.special_tokens[\"%.*s\"]",
                 (int)(name.size < 80 ? name.size : 80), name.bytes);
        return read_expected(reader, where, "an object with as many ids as tokens", token);
    }
    for (const JsonValue *id = json_first(ids); id; id = json_next(id)) {
        TemplatePiece piece = {TEMPLATE_TOKEN, type_id, 0};
        Status status = read_template_id(reader, "post_processor.special_tokens: ids", id, &piece.id);
        if (status) return status;
        if (!template_add(template, piece)) return read_template_full(reader, field);
    }
    return STATUS_OK;
}

static Status read_template_piece(const Reader *reader, const JsonValue *item, const JsonValue *special_tokens,
                                  const char *field, bool has_pair, Template *template)
{
    const JsonValue *sequence = json_member(item, "Sequence");
    const JsonValue *body = sequence ? sequence : json_member(item, "SpecialToken");
    if (json_type(body) != JSON_OBJECT) return read_expected(reader, field, "a Sequence or a SpecialToken", item);
    TextView name;
    uint32_t type_id;
    Status status = read_string(reader, body, field, "id", &name);
    if (!status) status = read_integer(reader, body, field, "type_id", UINT8_MAX, &type_id);
    if (status) return status;
    if (!sequence) return read_special_piece(reader, special_tokens, field, name, (uint8_t)type_id, template);
    TemplatePiece piece = {TEMPLATE_TEXT, (uint8_t)type_id, 0};
    if (has_pair && text_equal(name, text_view("B")))
        piece.kind = TEMPLATE_PAIR;
    else if (!text_equal(name, text_view("A"))) {
        return read_expected(reader, field, has_pair ? "sequence A or B" : "sequence A", json_member(body, "id"));
    }
    return template_add(template, piece) ? STATUS_OK : read_template_full(reader, field);
}

static Status read_template(const Reader *reader, const JsonValue *value, const char *key, bool has_pair,
                            Template *template)
{
    char field[64];
    snprintf(field, sizeof field, "post_processor.%s", key);
    const JsonValue *pieces = json_member(value, key), *special_tokens = json_member(value, "special_tokens");
    if (json_type(pieces) != JSON_ARRAY) return read_expected(reader, field, "an array", pieces);
    if (json_type(special_tokens) != JSON_OBJECT) {
        return read_expected(reader, "post_processor.special_tokens", "an object", special_tokens);
    }
    *template = (Template){0};
    Status status = STATUS_OK;
    for (const JsonValue *item = json_first(pieces); item && !status; item = json_next(item)) {
        status = read_template_piece(reader, item, special_tokens, field, has_pair, template);
    }
    uint32_t texts = 0, pairs = 0;
    for (uint32_t i = 0; i < template->piece_count; i++) {
        texts += template->pieces[i].kind == TEMPLATE_TEXT;
        pairs += template->pieces[i].kind == TEMPLATE_PAIR;
    }
    if (status || (texts == 1 && pairs == has_pair)) return status;
    /* The library takes any number, but then truncation no longer bounds an encoding's size. */
    return error_set(reader->error, STATUS_UNSUPPORTED,
                     "%s: %s: sequence A is there %u times and B %u times, not %s", reader->path, field, texts,
                     pairs, has_pair ? "once each" : "A once");
}

Status read_template_processing(Reader *reader, const JsonValue *value)
{
    Status status = read_processor_once(reader);
    if (!status) status = read_template(reader, value, "single", false, &reader->tokenizer->single);
    return status ? status : read_template(reader, value, "pair", true, &reader->tokenizer->pair);
}
