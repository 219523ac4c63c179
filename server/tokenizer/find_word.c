/* Words that are tokens. */
#include "tokenizer/bytes.h"
#include "tokenizer/tokenizer_state.h"
#include "unicode/utf8.h"

enum { WORD_BYTES_MAX = 256 }; /* longer tokens are no words */

bool tokenizer_maps_bytes(const Tokenizer *tokenizer)
{
    for (uint32_t i = 0; i < tokenizer->pre_tokenizers.count; i++) {
        if (tokenizer->pre_tokenizers.items[i].kind == PRE_TOKENIZER_BYTES) return true;
    }
    for (uint32_t i = 0; i < tokenizer->normalizers.count; i++) {
        if (tokenizer->normalizers.items[i].kind == NORMALIZER_BYTES) return true;
    }
    return false;
}

/* Writes what a vocabulary puts in front of a word that follows a blank. */
static size_t word_write_blank(const Tokenizer *tokenizer, bool maps_bytes, char *out_bytes)
{
    if (maps_bytes) return bytes_write(' ', out_bytes);
    for (uint32_t i = 0; i < tokenizer->pre_tokenizers.count; i++) {
        const PreTokenizer *step = &tokenizer->pre_tokenizers.items[i];
        if (step->kind == PRE_TOKENIZER_METASPACE) return utf8_write(step->character, out_bytes);
    }
    return 0;
}

uint32_t tokenizer_find_word(const Tokenizer *tokenizer, TextView word)
{
    char bytes[WORD_BYTES_MAX];
    bool maps_bytes = tokenizer_maps_bytes(tokenizer);
    size_t size = word_write_blank(tokenizer, maps_bytes, bytes);
    const Bpe *bpe = tokenizer->model.kind == MODEL_BPE ? &tokenizer->model.bpe : NULL;
    size_t suffix_size = bpe ? bpe->suffix_size : 0;
    /* A byte takes up to UTF8_BYTES_MAX of room in the byte alphabet. */
    if (word.size > (sizeof bytes - size) / UTF8_BYTES_MAX) return VOCABULARY_NONE;
    for (size_t i = 0; i < word.size; i++) {
        if (maps_bytes)
            size += bytes_write((unsigned char)word.bytes[i], bytes + size);
        else
            bytes[size++] = word.bytes[i];
    }
    if (suffix_size > sizeof bytes - size) return VOCABULARY_NONE;
    if (suffix_size) memcpy(bytes + size, bpe->suffix, suffix_size);
    return vocabulary_find(&tokenizer->vocabulary, (TextView){bytes, size + suffix_size});
}
