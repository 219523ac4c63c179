/* From a text to its tokens. A long text goes through in blocks, so that the scratch stays in the cache:
 * BertPreTokenizer ends a word, and NFD a run of marks, at every blank, so a block may end behind one. */
#include "tokenizer/pretokenize.h"

#include "tokenizer/characters.h"
#include "tokenizer/words.h"
#include "unicode/utf8.h"

#include <assert.h>

enum { BLOCK_BYTES = 8 * 1024 };

/* Scratch of one text. */
typedef struct Pass {
    const Tokenizer *tokenizer;
    Collector *collector;
    AddedParse parse;
    Normalized normalized;
    Normalized spare;
    Words words;
} Pass;

/* One normalized piece: the added tokens in it, and the words in between. */
static Status pretokenize_normalized(Pass *pass, Error *out_error)
{
    const Normalized *normalized = &pass->normalized;
    TextView text = {normalized->bytes, normalized->size};
    AddedScan scan = added_scan(&pass->tokenizer->added.normalized, text, pass->parse);
    AddedPiece piece;
    Status status = STATUS_OK;
    while (!status && added_next(&scan, &piece)) {
        if (piece.token) {
            ByteRange origin = normalized_origin(normalized, piece.range.begin, piece.range.end);
            TextView part = {text.bytes + piece.range.begin, piece.range.end - piece.range.begin};
            collector_begin_word(pass->collector);
            collector_push_text(pass->collector, (CollectedToken){piece.token->id, origin}, part);
        } else {
            status = words_push(&pass->words, normalized, piece.range, out_error);
        }
    }
    return status;
}

/* Whether a block may end behind `code_point`: it is surely between two words, whatever follows. */
static bool block_may_end(const Tokenizer *tokenizer, uint32_t code_point)
{
    if (code_point < 0x80)
        return (characters_flags(code_point) & (CHARACTER_WHITE_SPACE | CHARACTER_PUNCTUATION)) != 0;
    return tokenizer->normalizers.bert.enabled && tokenizer->normalizers.bert.handle_chinese_chars &&
           (characters_flags(code_point) & CHARACTER_CHINESE) != 0;
}

/* Where the block that starts at `begin` ends. */
static uint32_t block_end(const Tokenizer *tokenizer, TextView text, uint32_t begin, uint32_t end)
{
    bool words_end =
        tokenizer->pre_tokenizers.count == 1 && tokenizer->pre_tokenizers.items[0].kind == PRE_TOKENIZER_BERT;
    bool divisible = words_end && tokenizer->normalizers.count == 0 && tokenizer->added.normalized.count == 0;
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

/* What is between two added tokens. */
static Status pretokenize_piece(Pass *pass, TextView text, ByteRange piece, Error *out_error)
{
    Status status = STATUS_OK;
    for (uint32_t at = piece.begin; !status && at < piece.end;) {
        ByteRange block = {at, block_end(pass->tokenizer, text, at, piece.end)};
        status =
            normalizer_run(&pass->tokenizer->normalizers, text, block, &pass->normalized, &pass->spare, out_error);
        if (!status) status = pretokenize_normalized(pass, out_error);
        at = block.end;
    }
    return status;
}

Status pretokenize_text(const Tokenizer *tokenizer, TextView text, AddedParse parse, Collector *collector,
                        Error *out_error)
{
    Pass pass = {.tokenizer = tokenizer, .collector = collector, .parse = parse};
    pass.words.tokenizer = tokenizer;
    pass.words.collector = collector;
    AddedScan scan = added_scan(&tokenizer->added.plain, text, parse);
    AddedPiece piece;
    Status status = STATUS_OK;
    while (!status && added_next(&scan, &piece)) {
        if (piece.token) {
            TextView part = {text.bytes + piece.range.begin, piece.range.end - piece.range.begin};
            collector_begin_word(collector);
            collector_push_text(collector, (CollectedToken){piece.token->id, piece.range}, part);
        } else {
            status = pretokenize_piece(&pass, text, piece.range, out_error);
        }
    }
    normalized_close(&pass.normalized);
    normalized_close(&pass.spare);
    words_close(&pass.words);
    if (!status && collector->failed) {
        status = error_set(out_error, STATUS_NO_MEMORY, "no memory for the %u tokens of a text", collector->count);
    }
    return status;
}
