/* added_tokens, taken in as the library's AddedVocabulary does: the ids in the file are what it once gave, but
 * what counts is the order. */
#include "base/limits.h"
#include "tokenizer/read.h"

#include <stdio.h>
#include <stdlib.h>

/* A token while the list is read. */
typedef struct PendingToken {
    AddedToken token; /* content and text are not set yet: */
    ByteRange content;
    ByteRange text;
    uint32_t order; /* of two tokens with one id the later one counts */
} PendingToken;

typedef struct PendingList {
    PendingToken *items; /* [count] */
    uint32_t count;
    char *bytes; /* [bytes_capacity] contents and normalized contents */
    size_t bytes_used;
    size_t bytes_capacity;
    Vocabulary contents; /* content -> index in items */
    uint32_t next_id;
    Normalized scratch;
    Normalized spare;
} PendingList;

static void pending_close(PendingList *list)
{
    free(list->items);
    free(list->bytes);
    vocabulary_close(&list->contents);
    normalized_close(&list->scratch);
    normalized_close(&list->spare);
}

static Status pending_open(PendingList *list, const AddedToken *tokens, uint32_t count, Reader *reader)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += tokens[i].content.size;
    list->items = calloc((size_t)count + 1, sizeof *list->items);
    if (!list->items) return error_set(reader->error, STATUS_NO_MEMORY, "no memory for %u added tokens", count);
    list->next_id = reader->tokenizer->vocabulary.count;
    return vocabulary_open(&list->contents, count, count, bytes, reader->error);
}

/* Appends to the list's bytes; NO_MEMORY. */
static Status pending_copy(PendingList *list, TextView text, ByteRange *out_range, Error *out_error)
{
    if (list->bytes_capacity - list->bytes_used < text.size) {
        size_t capacity = list->bytes_capacity + list->bytes_capacity / 2 + text.size + 1024;
        char *bytes = capacity > UINT32_MAX ? NULL : realloc(list->bytes, capacity);
        if (!bytes)
            return error_set(out_error, STATUS_NO_MEMORY, "no memory for added tokens of %zu bytes", capacity);
        list->bytes = bytes;
        list->bytes_capacity = capacity;
    }
    if (text.size) memcpy(list->bytes + list->bytes_used, text.bytes, text.size);
    *out_range = (ByteRange){(uint32_t)list->bytes_used, (uint32_t)(list->bytes_used + text.size)};
    list->bytes_used += text.size;
    return STATUS_OK;
}

/* A content that the list does not have yet gets its entry and its id. */
static Status pending_insert(PendingList *list, const Reader *reader, TextView content, PendingToken **out_item)
{
    uint32_t index = vocabulary_find(&list->contents, content);
    if (index != VOCABULARY_NONE) {
        *out_item = &list->items[index];
        return STATUS_OK;
    }
    index = list->count;
    if (vocabulary_add(&list->contents, content, index) != VOCABULARY_ADDED) {
        return error_set(reader->error, STATUS_CORRUPT,
                         "%s: added_tokens: they collide in the hash more than chance allows", reader->path);
    }
    PendingToken *item = &list->items[list->count++];
    uint32_t id = vocabulary_find(&reader->tokenizer->vocabulary, content);
    if (id == VOCABULARY_NONE) id = list->next_id++;
    if (id >= MODEL_VOCABULARY_SIZE_MAX) {
        return error_set(reader->error, STATUS_CORRUPT, "%s: added_tokens: more than %u tokens in all",
                         reader->path, MODEL_VOCABULARY_SIZE_MAX);
    }
    item->token.id = id;
    Status status = pending_copy(list, content, &item->content, reader->error);
    item->text = item->content;
    *out_item = item;
    return status;
}

static Status pending_add(PendingList *list, const Reader *reader, const AddedToken *token, uint32_t order)
{
    if (token->content.size == 0) return STATUS_OK;
    PendingToken *item = NULL;
    Status status = pending_insert(list, reader, token->content, &item);
    if (status) return status;
    bool ever_special = item->token.ever_special || token->special;
    uint32_t id = item->token.id;
    item->token = *token;
    item->token.id = id;
    item->token.ever_special = ever_special;
    item->order = order;
    if (!token->normalized) return STATUS_OK;
    status =
        normalizer_run(&reader->tokenizer->normalizers, token->content,
                       (ByteRange){0, (uint32_t)token->content.size}, &list->scratch, &list->spare, reader->error);
    if (status) return status;
    return pending_copy(list, (TextView){list->scratch.bytes, list->scratch.size}, &item->text, reader->error);
}

static int pending_compare(const void *left, const void *right)
{
    const PendingToken *a = left, *b = right;
    if (a->token.id != b->token.id) return a->token.id < b->token.id ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Hands the list over to the tokenizer: views instead of ranges, ids ascending, each once. */
static Status pending_finish(PendingList *list, Reader *reader)
{
    AddedTokens *added = &reader->tokenizer->added;
    added->tokens = malloc(((size_t)list->count + 1) * sizeof *added->tokens);
    if (!added->tokens) return error_set(reader->error, STATUS_NO_MEMORY, "no memory for added tokens");
    added->bytes = list->bytes;
    list->bytes = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        PendingToken *item = &list->items[i];
        item->token.content =
            (TextView){added->bytes + item->content.begin, item->content.end - item->content.begin};
        item->token.text = (TextView){added->bytes + item->text.begin, item->text.end - item->text.begin};
    }
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t same = vocabulary_find(&list->contents, list->items[i].token.text);
        list->items[i].token.skipped = same != VOCABULARY_NONE && list->items[same].token.ever_special;
    }
    qsort(list->items, list->count, sizeof *list->items, pending_compare);
    for (uint32_t i = 0; i < list->count; i++) {
        bool replaced = i + 1 < list->count && list->items[i + 1].token.id == list->items[i].token.id;
        if (!replaced) added->tokens[added->count++] = list->items[i].token;
    }
    return added_index(added, reader->error);
}

Status read_add_tokens(Reader *reader, const AddedToken *tokens, uint32_t count)
{
    PendingList list = {0};
    Status status = pending_open(&list, tokens, count, reader);
    for (uint32_t i = 0; i < count && !status; i++) status = pending_add(&list, reader, &tokens[i], i);
    if (!status) status = pending_finish(&list, reader);
    pending_close(&list);
    if (status) return status;
    const AddedTokens *added = &reader->tokenizer->added;
    uint32_t size = added->count ? added->tokens[added->count - 1].id + 1 : 0;
    uint32_t model_size = reader->tokenizer->vocabulary.id_count;
    reader->tokenizer->vocabulary_size = size > model_size ? size : model_size;
    return STATUS_OK;
}

static Status read_added_token(const Reader *reader, const JsonValue *item, uint32_t index, AddedToken *out_token)
{
    char field[64];
    uint32_t id;
    snprintf(field, sizeof field, "added_tokens[%u]", index);
    Status status = read_string(reader, item, field, "content", &out_token->content);
    if (!status) status = read_token_check(reader, field, out_token->content);
    if (!status) status = read_integer(reader, item, field, "id", MODEL_VOCABULARY_SIZE_MAX - 1, &id);
    if (!status) status = read_boolean(reader, item, field, "single_word", &out_token->single_word);
    if (!status) status = read_boolean(reader, item, field, "lstrip", &out_token->lstrip);
    if (!status) status = read_boolean(reader, item, field, "rstrip", &out_token->rstrip);
    if (!status) status = read_boolean(reader, item, field, "normalized", &out_token->normalized);
    if (!status) status = read_boolean(reader, item, field, "special", &out_token->special);
    return status;
}

Status read_added_tokens(Reader *reader, const JsonValue *value)
{
    if (value && json_type(value) != JSON_ARRAY) return read_expected(reader, "added_tokens", "an array", value);
    size_t count = json_size(value);
    if (count > MODEL_VOCABULARY_SIZE_MAX) return read_expected(reader, "added_tokens", "fewer tokens", value);
    AddedToken *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens) return error_set(reader->error, STATUS_NO_MEMORY, "no memory for %zu added tokens", count);
    Status status = STATUS_OK;
    uint32_t index = 0;
    for (const JsonValue *item = json_first(value); item && !status; item = json_next(item), index++) {
        status = read_added_token(reader, item, index, &tokens[index]);
    }
    if (!status) status = read_add_tokens(reader, tokens, index);
    free(tokens);
    return status;
}
