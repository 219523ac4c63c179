/* A tokenizer's life and what can be asked of it. */
#include "tokenizer/tokenizer.h"

#include "base/file.h"
#include "base/limits.h"
#include "tokenizer/read.h"
#include "tokenizer/tokenizer_state.h"

#include <stdlib.h>

static Status tokenizer_mark_special(Tokenizer *tokenizer, Error *out_error)
{
    uint32_t unknown_id = VOCABULARY_NONE;
    (void)model_unknown_id(&tokenizer->model, &unknown_id);
    tokenizer->special = calloc(tokenizer->vocabulary_size / 32 + 1, sizeof *tokenizer->special);
    if (!tokenizer->special) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a tokenizer");
    for (uint32_t i = 0; i < tokenizer->added.count; i++) {
        const AddedToken *token = &tokenizer->added.tokens[i];
        if (token->special && token->id != unknown_id) tokenizer->special[token->id / 32] |= 1u << token->id % 32;
    }
    return STATUS_OK;
}

Status tokenizer_open(const char *directory, Tokenizer **out_tokenizer, Error *out_error)
{
    char path[PATH_BYTES_MAX];
    Tokenizer *tokenizer = NULL;
    Status status = file_join(path, sizeof path, directory, "tokenizer.json", out_error);
    if (status) return status;
    tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a tokenizer");
    status = file_exists(path) ? read_tokenizer_json(tokenizer, directory, path, out_error)
                               : read_vocabulary_text(tokenizer, directory, out_error);
    if (!status) status = tokenizer_mark_special(tokenizer, out_error);
    if (status) goto fail;
    *out_tokenizer = tokenizer;
    return STATUS_OK;
fail:
    tokenizer_close(tokenizer);
    return status;
}

void tokenizer_close(Tokenizer *tokenizer)
{
    if (!tokenizer) return;
    vocabulary_close(&tokenizer->vocabulary);
    added_close(&tokenizer->added);
    free(tokenizer->special);
    model_close(&tokenizer->model);
    normalizer_close(&tokenizer->normalizers);
    pre_tokenizer_close(&tokenizer->pre_tokenizers);
    decoder_close(&tokenizer->decoders);
    free(tokenizer);
}

uint32_t tokenizer_vocabulary_size(const Tokenizer *tokenizer)
{
    return tokenizer->vocabulary_size;
}

TextView tokenizer_token_text(const Tokenizer *tokenizer, uint32_t id)
{
    const AddedToken *added = added_find(&tokenizer->added, id);
    return added ? added->text : vocabulary_text(&tokenizer->vocabulary, id);
}

uint32_t tokenizer_mask_id(const Tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_MASK];
}

uint32_t tokenizer_pad_id(const Tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_PADDING];
}

TokenizerTypes tokenizer_types(const Tokenizer *tokenizer)
{
    return tokenizer->types;
}

bool tokenizer_token_special(const Tokenizer *tokenizer, uint32_t id)
{
    const AddedToken *added = added_find(&tokenizer->added, id);
    return added && added->special;
}

static bool set_find_special(const AddedSet *set, TextView text, uint32_t from, uint32_t unknown_id,
                             uint32_t *out_id, ByteRange *out_range)
{
    const AddedToken *token;
    ByteRange range = {from, from};
    while (added_find_special(set, text, range.end, &token, &range)) {
        if (token->id == unknown_id) continue;
        *out_id = token->id;
        *out_range = range;
        return true;
    }
    return false;
}

bool tokenizer_find_special(const Tokenizer *tokenizer, TextView text, uint32_t from, uint32_t *out_id,
                            ByteRange *out_range)
{
    uint32_t unknown_id = VOCABULARY_NONE, id;
    ByteRange range;
    (void)model_unknown_id(&tokenizer->model, &unknown_id);
    bool found = set_find_special(&tokenizer->added.plain, text, from, unknown_id, out_id, out_range);
    if (set_find_special(&tokenizer->added.normalized, text, from, unknown_id, &id, &range) &&
        (!found || range.begin < out_range->begin)) {
        *out_id = id;
        *out_range = range;
        found = true;
    }
    return found;
}

bool tokenizer_unknown_id(const Tokenizer *tokenizer, uint32_t *out_id)
{
    return model_unknown_id(&tokenizer->model, out_id);
}

bool tokenizer_marks_subwords(const Tokenizer *tokenizer)
{
    return tokenizer->model.prefix && tokenizer->model.prefix[0];
}

uint32_t tokenizer_added_count(const Tokenizer *tokenizer, bool pair)
{
    return pair ? tokenizer->pair.added_count : tokenizer->single.added_count;
}
