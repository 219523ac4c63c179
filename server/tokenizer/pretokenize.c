/* From a text to its tokens. A long text goes through in blocks, so that the scratch stays in the cache:
 * BertPreTokenizer ends a word, and NFD a run of marks, at every blank, so a block may end behind one. */
#include "tokenizer/pretokenize.h"

#include "tokenizer/characters.h"
#include "unicode/utf8.h"

#include <assert.h>

enum { BLOCK_BYTES = 8 * 1024 };

typedef enum WordClass { WORD_LETTER, WORD_SPACE, WORD_PUNCTUATION } WordClass;

static inline WordClass word_class_ascii(unsigned char byte)
{
    if (byte > ' ') {
        bool letter =
            (unsigned char)((byte | 0x20) - 'a') < 26 || (unsigned char)(byte - '0') < 10 || byte == 0x7F;
        return letter ? WORD_LETTER : WORD_PUNCTUATION;
    }
    return byte == ' ' || (byte >= '\t' && byte <= '\r') ? WORD_SPACE : WORD_LETTER;
}

static inline WordClass word_class(const char *bytes, uint32_t *out_size)
{
    if ((unsigned char)bytes[0] < 0x80) {
        *out_size = 1;
        return word_class_ascii((unsigned char)bytes[0]);
    }
    uint32_t code_point;
    *out_size = (uint32_t)utf8_decode(bytes, &code_point);
    unsigned flags = characters_flags(code_point);
    if (flags & CHARACTER_WHITE_SPACE) return WORD_SPACE;
    return flags & CHARACTER_PUNCTUATION ? WORD_PUNCTUATION : WORD_LETTER;
}

static void pretokenize_words(const Tokenizer *tokenizer, const Normalized *normalized, ByteRange range,
                              Collector *collector)
{
    if (tokenizer->pre_tokenizers.count == 0) {
        model_split(&tokenizer->model, normalized, range.begin, range.end, collector);
        return;
    }
    uint32_t word = range.begin, size;
    for (uint32_t at = range.begin; at < range.end; at += size) {
        WordClass class = word_class(normalized->bytes + at, &size);
        if (class == WORD_LETTER) continue;
        if (word < at) model_split(&tokenizer->model, normalized, word, at, collector);
        if (class == WORD_PUNCTUATION) model_split(&tokenizer->model, normalized, at, at + size, collector);
        word = at + size;
    }
    if (word < range.end) model_split(&tokenizer->model, normalized, word, range.end, collector);
}

/* One normalized piece: the added tokens in it, and the words in between. */
static void pretokenize_normalized(const Tokenizer *tokenizer, const Normalized *normalized, bool parse_special,
                                   Collector *collector)
{
    TextView text = {normalized->bytes, normalized->size};
    AddedScan scan = added_scan(&tokenizer->added.normalized, text, parse_special);
    AddedPiece piece;
    while (added_next(&scan, &piece)) {
        if (piece.token) {
            ByteRange origin = normalized_origin(normalized, piece.range.begin, piece.range.end);
            collector_begin_word(collector);
            collector_push(collector, (CollectedToken){piece.token->id, origin});
        } else {
            pretokenize_words(tokenizer, normalized, piece.range, collector);
        }
    }
}

/* Whether a block may end behind `code_point`: it is surely between two words, whatever follows. */
static bool block_may_end(const Tokenizer *tokenizer, uint32_t code_point)
{
    if (code_point < 0x80) return word_class_ascii((unsigned char)code_point) != WORD_LETTER;
    return tokenizer->normalizers.bert.enabled && tokenizer->normalizers.bert.handle_chinese_chars &&
           (characters_flags(code_point) & CHARACTER_CHINESE) != 0;
}

/* Where the block that starts at `begin` ends. */
static uint32_t block_end(const Tokenizer *tokenizer, TextView text, uint32_t begin, uint32_t end)
{
    bool divisible = tokenizer->pre_tokenizers.count == 1 && tokenizer->added.normalized.count == 0;
    if (!divisible || end - begin <= BLOCK_BYTES) return end;
    uint32_t at = begin + BLOCK_BYTES;
    while (((unsigned char)text.bytes[at] & 0xC0) == 0x80) at--;
    while (at < end) {
        uint32_t code_point;
        at += (uint32_t)utf8_decode(text.bytes + at, &code_point);
        if (block_may_end(tokenizer, code_point)) break;
    }
    return at;
}

Status pretokenize_text(const Tokenizer *tokenizer, TextView text, bool parse_special, Collector *collector,
                        Error *out_error)
{
    Normalized normalized = {0};
    AddedScan scan = added_scan(&tokenizer->added.plain, text, parse_special);
    AddedPiece piece;
    Status status = STATUS_OK;
    while (!status && added_next(&scan, &piece)) {
        if (piece.token) {
            collector_begin_word(collector);
            collector_push(collector, (CollectedToken){piece.token->id, piece.range});
            continue;
        }
        for (uint32_t at = piece.range.begin; !status && at < piece.range.end;) {
            ByteRange block = {at, block_end(tokenizer, text, at, piece.range.end)};
            status = normalizer_run(&tokenizer->normalizers, text, block, &normalized, out_error);
            if (!status) pretokenize_normalized(tokenizer, &normalized, parse_special, collector);
            at = block.end;
        }
    }
    normalized_close(&normalized);
    if (!status && collector->failed) {
        status = error_set(out_error, STATUS_NO_MEMORY, "no memory for the %u tokens of a text", collector->count);
    }
    return status;
}
