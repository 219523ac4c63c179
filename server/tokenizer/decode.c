/* tokenizer_decode: the WordPiece decoder, or tokens joined by spaces. */
#include "tokenizer/tokenizer_state.h"

#include <assert.h>

typedef struct Replacement {
    const char *from;
    const char *to; /* never longer */
} Replacement;

/* The library's cleanup, in its order. All start with a space. */
static const Replacement CLEANUP[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Replaces in place, from left to right, what does not overlap. Returns the new size. */
static size_t decode_replace(char *bytes, size_t size, const Replacement *replacement)
{
    size_t from_size = strlen(replacement->from), to_size = strlen(replacement->to);
    size_t out = 0;
    for (size_t at = 0; at < size;) {
        if (size - at >= from_size && memcmp(bytes + at, replacement->from, from_size) == 0) {
            memcpy(bytes + out, replacement->to, to_size);
            at += from_size;
            out += to_size;
        } else {
            bytes[out++] = bytes[at++];
        }
    }
    return out;
}

/* Appends a token to the `size` bytes; `first`: nothing was appended yet. Returns the new size. */
static size_t decode_append(const Decoder *decoder, TextView token, bool first, char *bytes, size_t size)
{
    size_t begin = size;
    if (!first) {
        bool continues = decoder->enabled && token.size >= decoder->prefix_size &&
                         memcmp(token.bytes, decoder->prefix, decoder->prefix_size) == 0;
        if (continues)
            token = (TextView){token.bytes + decoder->prefix_size, token.size - decoder->prefix_size};
        else
            bytes[size++] = ' ';
    }
    if (token.size) memcpy(bytes + size, token.bytes, token.size);
    size += token.size;
    if (!decoder->enabled || !decoder->cleanup || !memchr(bytes + begin, ' ', size - begin)) return size;
    for (size_t i = 0; i < sizeof CLEANUP / sizeof CLEANUP[0]; i++) {
        size = begin + decode_replace(bytes + begin, size - begin, &CLEANUP[i]);
    }
    return size;
}

/* Whether the decoder sees `id`, and its text. Ids that do not exist have none: the library passes over them too.
 */
static bool decode_token(const Tokenizer *tokenizer, uint32_t id, bool skip_special, TextView *out_text)
{
    const AddedToken *added = added_find(&tokenizer->added, id);
    if (!added && !vocabulary_has(&tokenizer->vocabulary, id)) return false;
    if (added && added->skipped && skip_special) return false;
    *out_text = added ? added->text : vocabulary_text(&tokenizer->vocabulary, id);
    return true;
}

Status tokenizer_decode(const Tokenizer *tokenizer, const uint32_t *ids, uint32_t count, bool skip_special_tokens,
                        Arena *arena, TextView *out_text, Error *out_error)
{
    size_t size_max = 0;
    TextView token;
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] >= tokenizer->vocabulary_size) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "id %u at position %u: the vocabulary ends at %u",
                             ids[i], i, tokenizer->vocabulary_size - 1);
        }
        if (decode_token(tokenizer, ids[i], skip_special_tokens, &token)) size_max += token.size + 1;
    }
    char *bytes = arena_allocate(arena, size_max);
    if (!bytes) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the text of %u tokens needs more than the request's memory budget of %zu bytes", count,
                         arena->budget_bytes);
    }
    size_t size = 0;
    bool first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_token(tokenizer, ids[i], skip_special_tokens, &token)) continue;
        size = decode_append(&tokenizer->decoder, token, first, bytes, size);
        first = false;
    }
    assert(size <= size_max);
    *out_text = (TextView){bytes, size};
    return STATUS_OK;
}
