/* tokenizer_decode: the tokens' texts, and then one decoder after the other, each from one list to the other. */
#include "tokenizer/decode.h"
#include "tokenizer/bytes.h"
#include "tokenizer/texts.h"
#include "tokenizer/tokenizer_state.h"
#include "unicode/utf8.h"

static TextView decoder_text(const Decoder *decoder)
{
    return (TextView){decoder->text, decoder->text_size};
}

static TextView decoder_content(const Decoder *decoder)
{
    return (TextView){decoder->content, decoder->content_size};
}

static void decode_wordpiece(const Decoder *decoder, const Texts *from, Texts *to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        TextView token = texts_get(from, i), prefix = decoder_text(decoder);
        size_t begin = to->size;
        bool continues = token.size >= prefix.size && memcmp(token.bytes, prefix.bytes, prefix.size) == 0;
        if (i > 0 && continues)
            token = (TextView){token.bytes + prefix.size, token.size - prefix.size};
        else if (i > 0)
            texts_write(to, text_view(" "));
        texts_write(to, token);
        if (decoder->cleanup) decode_cleanup(to, begin);
        texts_end(to);
    }
}

/* A token that has only characters of the byte alphabet is its bytes; any other is its text. */
static bool decode_token_bytes(TextView token, Texts *to)
{
    unsigned char byte;
    uint32_t code_point;
    for (size_t at = 0; at < token.size;) {
        at += utf8_decode(token.bytes + at, &code_point);
        if (!bytes_of(code_point, &byte)) return false;
    }
    for (size_t at = 0; at < token.size;) {
        at += utf8_decode(token.bytes + at, &code_point);
        if (bytes_of(code_point, &byte)) texts_write(to, (TextView){(const char *)&byte, 1});
    }
    return true;
}

static void decode_byte_level(const Texts *from, Texts *to)
{
    Texts bytes = {.size_max = to->size_max};
    for (uint32_t i = 0; i < from->count; i++) {
        TextView token = texts_get(from, i);
        if (!decode_token_bytes(token, &bytes)) texts_write(&bytes, token);
    }
    decode_lossy((TextView){bytes.bytes, bytes.size}, to);
    texts_end(to);
    to->failed |= bytes.failed;
    to->too_large |= bytes.too_large;
    texts_close(&bytes);
}

static void decode_metaspace(const Decoder *decoder, const Texts *from, Texts *to)
{
    char bytes[UTF8_BYTES_MAX];
    const TextView replacement = {bytes, utf8_write(decoder->character, bytes)};
    for (uint32_t i = 0; i < from->count; i++) {
        decode_replace(texts_get(from, i), replacement, text_view(i == 0 && decoder->drops ? "" : " "), to);
        texts_end(to);
    }
}

static void decode_fuse(const Texts *from, Texts *to)
{
    if (from->size) texts_write(to, (TextView){from->bytes, from->size});
    texts_end(to);
}

/* Where the run of at most `most` of the character at the token's start ends. */
static size_t decode_strip_start(TextView token, uint32_t character, uint32_t most)
{
    size_t at = 0;
    for (uint32_t code_point; most > 0 && at < token.size; most--) {
        size_t size = utf8_decode(token.bytes + at, &code_point);
        if (code_point != character) break;
        at += size;
    }
    return at;
}

static size_t decode_strip_end(TextView token, uint32_t character, uint32_t most)
{
    size_t end = token.size;
    for (uint32_t code_point; most > 0 && end > 0; most--) {
        size_t previous = utf8_previous(token.bytes, end);
        utf8_decode(token.bytes + previous, &code_point);
        if (code_point != character) break;
        end = previous;
    }
    return end;
}

static void decode_strip(const Decoder *decoder, const Texts *from, Texts *to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        TextView token = texts_get(from, i);
        size_t begin = decode_strip_start(token, decoder->character, decoder->left);
        size_t end = decode_strip_end(token, decoder->character, decoder->right);
        if (begin < end) texts_write(to, (TextView){token.bytes + begin, end - begin});
        texts_end(to);
    }
}

/* False: the pattern gave up. */
static bool decode_pattern(const Decoder *decoder, const Texts *from, Texts *to)
{
    bool sound = true;
    for (uint32_t i = 0; i < from->count && sound; i++) {
        TextView token = texts_get(from, i);
        PatternScan scan = pattern_scan(decoder->pattern, token);
        ByteRange match;
        uint32_t at = 0;
        while (token.size && !to->failed && pattern_next(&scan, &match)) {
            texts_write(to, (TextView){token.bytes + at, match.begin - at});
            texts_write(to, decoder_content(decoder));
            at = match.end;
        }
        sound = !scan.failed;
        pattern_scan_close(&scan);
        texts_write(to, (TextView){token.bytes + at, token.size - at});
        texts_end(to);
    }
    return sound;
}

static void decode_bpe(const Decoder *decoder, const Texts *from, Texts *to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        decode_replace(texts_get(from, i), decoder_text(decoder), text_view(i + 1 == from->count ? "" : " "), to);
        texts_end(to);
    }
}

static void decode_ctc(const Decoder *decoder, const Texts *from, Texts *to)
{
    Texts clean = {.size_max = to->size_max};
    for (uint32_t i = 0; i < from->count; i++) {
        TextView token = texts_get(from, i);
        if (i > 0 && text_equal(texts_get(from, i - 1), token)) continue;
        texts_clear(&clean);
        decode_replace(token, decoder_text(decoder), text_view(""), &clean);
        size_t begin = to->size;
        if (decoder->cleanup) decode_cleanup(&clean, 0);
        TextView replaced = {clean.bytes, clean.size};
        if (decoder->cleanup)
            decode_replace(replaced, decoder_content(decoder), text_view(" "), to);
        else
            texts_write(to, replaced);
        if (to->size > begin) texts_end(to);
    }
    to->failed |= clean.failed;
    to->too_large |= clean.too_large;
    texts_close(&clean);
}

static bool decode_step(const Decoder *decoder, const Texts *from, Texts *to)
{
    switch (decoder->kind) {
    case DECODER_WORDPIECE:
        decode_wordpiece(decoder, from, to);
        return true;
    case DECODER_BYTE_LEVEL:
        decode_byte_level(from, to);
        return true;
    case DECODER_METASPACE:
        decode_metaspace(decoder, from, to);
        return true;
    case DECODER_BYTE_FALLBACK:
        decode_byte_fallback(from, to);
        return true;
    case DECODER_FUSE:
        decode_fuse(from, to);
        return true;
    case DECODER_STRIP:
        decode_strip(decoder, from, to);
        return true;
    case DECODER_REPLACE:
        return decode_pattern(decoder, from, to);
    case DECODER_BPE:
        decode_bpe(decoder, from, to);
        return true;
    case DECODER_CTC:
        decode_ctc(decoder, from, to);
        return true;
    }
    return true;
}

/* Whether the decoder sees `id`, and its text. Ids that do not exist have none: the library passes over them too.
 */
static bool decode_token(const Tokenizer *tokenizer, uint32_t id, bool skip_special, TextView *out_text)
{
    const Vocabulary *vocabulary = &tokenizer->vocabulary;
    const AddedToken *added = added_find(&tokenizer->added, id);
    if (!added && !vocabulary_has(vocabulary, id)) return false;
    *out_text = added ? added->text : vocabulary_text(vocabulary, id);
    /* Another id of a special token's text is skipped as well. */
    if (!added && vocabulary->repeats)
        added = added_find(&tokenizer->added, vocabulary_find(vocabulary, *out_text));
    return !(added && added->skipped && skip_special);
}

static Status decode_start(const Tokenizer *tokenizer, const uint32_t *ids, uint32_t count, bool skip_special,
                           Texts *texts, Error *out_error)
{
    for (uint32_t i = 0; i < count; i++) {
        TextView token;
        if (ids[i] >= tokenizer->vocabulary_size) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "id %u at position %u: the vocabulary ends at %u",
                             ids[i], i, tokenizer->vocabulary_size - 1);
        }
        if (!decode_token(tokenizer, ids[i], skip_special, &token)) continue;
        if (tokenizer->decoders.none && texts->count > 0) texts_write(texts, text_view(" "));
        texts_write(texts, token);
        texts_end(texts);
    }
    return STATUS_OK;
}

static Status decode_check(const Texts *texts, bool sound, uint32_t count, const Arena *arena, Error *out_error)
{
    if (!sound) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "a pattern of the tokenizer takes too many steps for these %u tokens", count);
    }
    if (!texts->failed) return STATUS_OK;
    if (!texts->too_large)
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for the text of %u tokens", count);
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the text of %u tokens needs more than the request's memory budget of %zu bytes", count,
                     arena->budget_bytes);
}

Status tokenizer_decode(const Tokenizer *tokenizer, const uint32_t *ids, uint32_t count, bool skip_special_tokens,
                        Arena *arena, TextView *out_text, Error *out_error)
{
    Texts texts = {.size_max = arena->budget_bytes}, spare = texts;
    bool sound = true;
    Status status = decode_start(tokenizer, ids, count, skip_special_tokens, &texts, out_error);
    for (uint32_t i = 0; i < tokenizer->decoders.count && !status && !texts.failed && sound; i++) {
        texts_clear(&spare);
        sound = decode_step(&tokenizer->decoders.items[i], &texts, &spare);
        Texts swap = texts;
        texts = spare;
        spare = swap;
    }
    if (!status) status = decode_check(&texts, sound, count, arena, out_error);
    char *bytes = status ? NULL : arena_allocate(arena, texts.size);
    if (!status && !bytes) {
        texts.failed = texts.too_large = true;
        status = decode_check(&texts, true, count, arena, out_error);
    }
    if (!status) {
        if (texts.size) memcpy(bytes, texts.bytes, texts.size);
        *out_text = (TextView){bytes, texts.size};
    }
    texts_close(&texts);
    texts_close(&spare);
    return status;
}
