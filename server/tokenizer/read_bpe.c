/* The BPE model: vocabulary, merges in both spellings, and what becomes of unknown characters. */
#include "tokenizer/read.h"

#include <stdio.h>

static Status read_merge_broken(const Reader *reader, uint32_t rank, const char *problem, TextView token)
{
    return error_set(reader->error, STATUS_CORRUPT, "%s: model.merges[%u]: %s: \"%.*s\"", reader->path, rank,
                     problem, (int)(token.size < 80 ? token.size : 80), token.bytes);
}

/* A merge is "left right" or ["left", "right"]. */
static Status read_pair(const Reader *reader, const JsonValue *item, uint32_t rank, TextView out_tokens[2])
{
    TextView text;
    if (json_string(item, &text)) {
        const char *space = memchr(text.bytes, ' ', text.size);
        size_t left = space ? (size_t)(space - text.bytes) : 0;
        if (!space || memchr(space + 1, ' ', text.size - left - 1)) {
            return read_merge_broken(reader, rank, "expected two tokens with one space between them", text);
        }
        out_tokens[0] = (TextView){text.bytes, left};
        out_tokens[1] = (TextView){space + 1, text.size - left - 1};
        return STATUS_OK;
    }
    const JsonValue *first = json_type(item) == JSON_ARRAY ? json_first(item) : NULL;
    if (first && json_size(item) == 2 && json_string(first, &out_tokens[0]) &&
        json_string(json_next(first), &out_tokens[1])) {
        return STATUS_OK;
    }
    char field[48];
    snprintf(field, sizeof field, "model.merges[%u]", rank);
    return read_expected(reader, field, "\"left right\" or [\"left\", \"right\"]", item);
}

static uint32_t read_joined(const Vocabulary *vocabulary, TextView left, TextView right)
{
    uint64_t hash = VOCABULARY_HASH_START;
    for (size_t i = 0; i < left.size; i++) hash = vocabulary_hash_byte(hash, (unsigned char)left.bytes[i]);
    for (size_t i = 0; i < right.size; i++) hash = vocabulary_hash_byte(hash, (unsigned char)right.bytes[i]);
    return vocabulary_find_joined(vocabulary, hash, left, right);
}

/* What a merge's right side adds to the left: it has the prefix of all characters but a word's first. */
static Status read_merge(Reader *reader, const JsonValue *item, uint32_t rank)
{
    Bpe *bpe = &reader->tokenizer->model.bpe;
    TextView tokens[2];
    Status status = read_pair(reader, item, rank, tokens);
    if (status) return status;
    BpeMerge merge = {.rank = rank};
    merge.left = vocabulary_find(bpe->vocabulary, tokens[0]);
    if (merge.left == VOCABULARY_NONE) return read_merge_broken(reader, rank, "not in the vocabulary", tokens[0]);
    merge.right = vocabulary_find(bpe->vocabulary, tokens[1]);
    if (merge.right == VOCABULARY_NONE) return read_merge_broken(reader, rank, "not in the vocabulary", tokens[1]);
    TextView added = {tokens[1].bytes + bpe->prefix_size, tokens[1].size - bpe->prefix_size};
    if (tokens[1].size <= bpe->prefix_size || memcmp(tokens[1].bytes, bpe->prefix, bpe->prefix_size) != 0 ||
        tokens[0].size == 0) {
        return read_merge_broken(reader, rank, "a side is empty or lacks the prefix", tokens[1]);
    }
    merge.id = read_joined(bpe->vocabulary, tokens[0], added);
    if (merge.id == VOCABULARY_NONE)
        return read_merge_broken(reader, rank, "what it makes is not there", tokens[0]);
    if (bpe_add(bpe, merge)) return STATUS_OK;
    return read_merge_broken(reader, rank, "the merges collide in the hash more than chance allows", tokens[0]);
}

/* The library does not count a version line. */
static bool read_is_version(const JsonValue *item)
{
    TextView text;
    return json_string(item, &text) && text.size >= 8 && memcmp(text.bytes, "#version", 8) == 0;
}

static Status read_merges(Reader *reader, const JsonValue *merges)
{
    JsonType type = json_type(json_first(merges));
    uint32_t rank = 0;
    for (const JsonValue *item = json_first(merges); item; item = json_next(item)) {
        if (json_type(item) != type) return read_expected(reader, "model.merges", "one way to write merges", item);
        if (read_is_version(item)) continue;
        Status status = read_merge(reader, item, rank++);
        if (status) return status;
    }
    return STATUS_OK;
}

/* A string that may be null; its copy, or NULL. */
static Status read_affix(const Reader *reader, const JsonValue *value, const char *key, char **out_text,
                         uint32_t *out_size)
{
    TextView text = {"", 0};
    char field[64];
    snprintf(field, sizeof field, "model.%s", key);
    const JsonValue *found = json_member(value, key);
    if (json_type(found) != JSON_NULL && !json_string(found, &text)) {
        return read_expected(reader, field, "a string or null", found);
    }
    if (text.size > BPE_AFFIX_BYTES_MAX) return read_expected(reader, field, "at most 64 bytes", found);
    *out_size = (uint32_t)text.size;
    *out_text = read_copy(text);
    return *out_text ? STATUS_OK : error_set(reader->error, STATUS_NO_MEMORY, "no memory for a tokenizer");
}

static Status read_switch(const Reader *reader, const JsonValue *value, const char *key, bool *out_value)
{
    *out_value = false;
    if (json_type(json_member(value, key)) == JSON_NULL) return STATUS_OK;
    return read_boolean(reader, value, "model", key, out_value);
}

/* What makes the same text different tokens, or is not defined where it meets another setting. */
static Status read_bpe_check(const Reader *reader, const JsonValue *value)
{
    const Bpe *bpe = &reader->tokenizer->model.bpe;
    const JsonValue *dropout = json_member(value, "dropout");
    double probability;
    if (json_type(dropout) != JSON_NULL && !(json_number(dropout, &probability) && probability == 0)) {
        return error_set(reader->error, STATUS_UNSUPPORTED,
                         "%s: model.dropout: only null and 0 are supported: it makes tokens random", reader->path);
    }
    if (bpe->byte_fallback && (bpe->prefix_size || bpe->suffix_size)) {
        return error_set(reader->error, STATUS_UNSUPPORTED,
                         "%s: model.byte_fallback: not supported together with a prefix or suffix", reader->path);
    }
    return STATUS_OK;
}

static Status read_bpe_settings(Reader *reader, const JsonValue *value)
{
    Bpe *bpe = &reader->tokenizer->model.bpe;
    Status status = read_affix(reader, value, "continuing_subword_prefix", &bpe->prefix, &bpe->prefix_size);
    if (!status) status = read_affix(reader, value, "end_of_word_suffix", &bpe->suffix, &bpe->suffix_size);
    if (!status) status = read_switch(reader, value, "fuse_unk", &bpe->fuse_unknown);
    if (!status) status = read_switch(reader, value, "byte_fallback", &bpe->byte_fallback);
    if (!status) status = read_bpe_check(reader, value);
    TextView unknown = {"", 0};
    const JsonValue *found = json_member(value, "unk_token");
    if (status) return status;
    if (json_type(found) != JSON_NULL && !json_string(found, &unknown)) {
        return read_expected(reader, "model.unk_token", "a string or null", found);
    }
    /* Files of byte-level models say "" for none: they know every character. */
    return unknown.size ? read_unknown(reader, unknown, &bpe->unknown_id) : STATUS_OK;
}

Status read_bpe(Reader *reader, const JsonValue *value)
{
    Tokenizer *tokenizer = reader->tokenizer;
    const JsonValue *merges = json_member(value, "merges");
    bool ignore_merges;
    if (json_type(merges) != JSON_ARRAY) return read_expected(reader, "model.merges", "an array", merges);
    Status status = read_switch(reader, value, "ignore_merges", &ignore_merges);
    if (!status) status = read_vocabulary(reader, json_member(value, "vocab"));
    if (status) return status;
    tokenizer->model.kind = MODEL_BPE;
    status = bpe_open(&tokenizer->model.bpe, &tokenizer->vocabulary, (uint32_t)json_size(merges), reader->error);
    if (!status) status = read_bpe_settings(reader, value);
    if (!status) status = read_merges(reader, merges);
    return status ? status : bpe_finish(&tokenizer->model.bpe, ignore_merges, reader->error);
}
