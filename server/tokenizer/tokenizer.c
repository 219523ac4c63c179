/* A tokenizer's life and what can be asked of it. */
#include "tokenizer/tokenizer.h"

#include "base/file.h"
#include "base/limits.h"
#include "tokenizer/read.h"
#include "tokenizer/tokenizer_state.h"

#include <stdlib.h>

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

uint32_t tokenizer_separator_id(const Tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_SEPARATOR];
}

uint32_t tokenizer_classifier_id(const Tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_CLASSIFIER];
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
