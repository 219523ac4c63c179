/* Vocabularies, and the models that are little more: WordPiece and WordLevel. */
#include "base/limits.h"
#include "tokenizer/read.h"

#include <stdio.h>

Status read_vocabulary_open(Reader *reader, size_t count, uint64_t id_max, size_t bytes)
{
    if (count == 0 || count > MODEL_VOCABULARY_SIZE_MAX || id_max >= MODEL_VOCABULARY_SIZE_MAX) {
        return error_set(reader->error, STATUS_CORRUPT,
                         "%s: model.vocab: %zu tokens with ids up to %llu, expected 1 to %u with ids below %u",
                         reader->path, count, (unsigned long long)id_max, MODEL_VOCABULARY_SIZE_MAX,
                         MODEL_VOCABULARY_SIZE_MAX);
    }
    return vocabulary_open(&reader->tokenizer->vocabulary, (uint32_t)count, (uint32_t)id_max + 1, bytes,
                           reader->error);
}

/* Proves every member and sums up what the vocabulary needs. */
static Status read_vocabulary_sizes(const Reader *reader, const JsonValue *vocab, int64_t *out_id_max,
                                    size_t *out_bytes)
{
    for (const JsonValue *item = json_first(vocab); item; item = json_next(item)) {
        TextView text = json_key(item);
        int64_t id;
        Status status = read_token_check(reader, "model.vocab", text);
        if (status) return status;
        if (!json_integer(item, 0, MODEL_VOCABULARY_SIZE_MAX - 1, &id)) {
            char field[128], expected[64];
            snprintf(field, sizeof field, "model.vocab[\"%.*s\"]", (int)(text.size < 80 ? text.size : 80),
                     text.bytes);
            snprintf(expected, sizeof expected, "an id from 0 to %u", MODEL_VOCABULARY_SIZE_MAX - 1);
            return read_expected(reader, field, expected, item);
        }
        if (id > *out_id_max) *out_id_max = id;
        *out_bytes += text.size;
    }
    return STATUS_OK;
}

Status read_vocabulary_add(Reader *reader, TextView text, uint32_t id, bool may_repeat)
{
    const char *problem = NULL;
    switch (vocabulary_add(&reader->tokenizer->vocabulary, text, id)) {
    case VOCABULARY_ADDED:
        return STATUS_OK;
    case VOCABULARY_TEXT_TAKEN:
        if (may_repeat) {
            vocabulary_repeat(&reader->tokenizer->vocabulary, text, id);
            return STATUS_OK;
        }
        problem = "this token is there twice";
        break;
    case VOCABULARY_ID_TAKEN:
        problem = "two tokens have this id";
        break;
    case VOCABULARY_CROWDED:
        problem = "the tokens collide in the hash more than chance allows";
        break;
    }
    return error_set(reader->error, STATUS_CORRUPT, "%s: model.vocab[\"%.*s\"]: found %u: %s", reader->path,
                     (int)(text.size < 80 ? text.size : 80), text.bytes, id, problem);
}

Status read_vocabulary(Reader *reader, const JsonValue *vocab)
{
    if (json_type(vocab) != JSON_OBJECT) return read_expected(reader, "model.vocab", "an object", vocab);
    int64_t id_max = 0, id;
    size_t bytes = 0;
    Status status = read_vocabulary_sizes(reader, vocab, &id_max, &bytes);
    if (!status) status = read_vocabulary_open(reader, json_size(vocab), (uint64_t)id_max, bytes);
    for (const JsonValue *item = json_first(vocab); item && !status; item = json_next(item)) {
        if (json_integer(item, 0, id_max, &id))
            status = read_vocabulary_add(reader, json_key(item), (uint32_t)id, false);
    }
    return status;
}

Status read_unknown(Reader *reader, TextView unknown, uint32_t *out_id)
{
    *out_id = vocabulary_find(&reader->tokenizer->vocabulary, unknown);
    if (*out_id != VOCABULARY_NONE) return STATUS_OK;
    return error_set(reader->error, STATUS_CORRUPT,
                     "%s: model.unk_token: expected a token of the vocabulary, found \"%.*s\"", reader->path,
                     (int)(unknown.size < 80 ? unknown.size : 80), unknown.bytes);
}

Status read_wordlevel(Reader *reader, const JsonValue *value)
{
    Model *model = &reader->tokenizer->model;
    TextView unknown;
    Status status = read_string(reader, value, "model", "unk_token", &unknown);
    if (!status) status = read_vocabulary(reader, json_member(value, "vocab"));
    if (status) return status;
    model->kind = MODEL_WORDLEVEL;
    model->wordlevel.vocabulary = &reader->tokenizer->vocabulary;
    return read_unknown(reader, unknown, &model->wordlevel.unknown_id);
}

Status read_wordpiece_finish(Reader *reader, TextView unknown, TextView prefix, uint32_t character_count_max)
{
    Tokenizer *tokenizer = reader->tokenizer;
    Status status = read_token_check(reader, "model.continuing_subword_prefix", prefix);
    uint32_t unknown_id;
    if (!status) status = read_unknown(reader, unknown, &unknown_id);
    if (status) return status;
    tokenizer->model.prefix = read_copy(prefix);
    if (!tokenizer->model.prefix) return error_set(reader->error, STATUS_NO_MEMORY, "no memory for a tokenizer");
    uint64_t hash = VOCABULARY_HASH_START;
    for (size_t i = 0; i < prefix.size; i++) hash = vocabulary_hash_byte(hash, (unsigned char)prefix.bytes[i]);
    tokenizer->model.kind = MODEL_WORDPIECE;
    tokenizer->model.wordpiece = (WordPiece){
        .vocabulary = &tokenizer->vocabulary,
        .prefix = {tokenizer->model.prefix, prefix.size},
        .prefix_hash = hash,
        .unknown_id = unknown_id,
        .character_count_max = character_count_max,
    };
    return STATUS_OK;
}

Status read_wordpiece(Reader *reader, const JsonValue *value)
{
    TextView unknown, prefix;
    uint32_t character_count_max;
    Status status = read_string(reader, value, "model", "unk_token", &unknown);
    if (!status) status = read_string(reader, value, "model", "continuing_subword_prefix", &prefix);
    if (!status) {
        status =
            read_integer(reader, value, "model", "max_input_chars_per_word", UINT32_MAX, &character_count_max);
    }
    if (!status) status = read_vocabulary(reader, json_member(value, "vocab"));
    return status ? status : read_wordpiece_finish(reader, unknown, prefix, character_count_max);
}
