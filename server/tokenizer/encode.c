/* tokenizer_encode: both texts to tokens, truncation, template. */
#include "base/limits.h"
#include "tokenizer/pretokenize.h"
#include "unicode/utf8.h"

#include <assert.h>

/* The library's truncation of two texts with `text` and `pair` tokens to `limit`, or of one with pair 0. */
typedef struct Kept {
    uint32_t text;
    uint32_t pair;
} Kept;

static Status encode_check(TextView text, const char *what, Error *out_error)
{
    size_t position;
    if (text.size > TEXT_BYTES_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "the %s has %zu bytes; at most %llu are accepted",
                         what, text.size, (unsigned long long)TEXT_BYTES_MAX);
    }
    if (!utf8_valid(text, &position)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "the %s is not UTF-8 at byte %zu", what, position);
    }
    return STATUS_OK;
}

/* "n1" is the shorter one, as in the library. */
static Kept truncate_longest_first(uint32_t text_count, uint32_t pair_count, uint32_t limit)
{
    uint32_t n1 = text_count, n2 = pair_count;
    bool swap = n1 > n2;
    if (swap) {
        uint32_t other = n1;
        n1 = n2;
        n2 = other;
    }
    if (n1 > limit)
        n2 = n1;
    else
        n2 = n1 > limit - n1 ? n1 : limit - n1;
    if (n1 > limit || n1 + n2 > limit) {
        n1 = limit / 2;
        n2 = n1 + limit % 2;
    }
    return swap ? (Kept){n2, n1} : (Kept){n1, n2};
}

/* Only one of the two gives way. */
static Status truncate_only(uint32_t *kept, uint64_t excess, const char *what, Error *out_error)
{
    if (*kept > excess) {
        *kept -= (uint32_t)excess;
        return STATUS_OK;
    }
    return error_set(
        out_error, STATUS_INVALID_ARGUMENT,
        "%llu tokens are too many and the %s, which alone may be truncated, has %u: shorten the other one "
        "or let the longest give way first",
        (unsigned long long)excess, what, *kept);
}

/* How many tokens of each text are kept. `limit`: for both; 0: no truncation. */
static Status encode_truncate(const Collector *text, const Collector *pair, const EncodeOptions *options,
                              uint32_t limit, Kept *out_kept, Error *out_error)
{
    *out_kept = (Kept){text->count, pair ? pair->count : 0};
    uint64_t count = (uint64_t)out_kept->text + out_kept->pair;
    if (limit == 0 || count <= limit) return STATUS_OK;
    switch (options->strategy) {
    case TRUNCATION_LONGEST_FIRST:
        if (pair)
            *out_kept = truncate_longest_first(text->count, pair->count, limit);
        else
            out_kept->text = limit;
        return STATUS_OK;
    case TRUNCATION_ONLY_FIRST:
        return truncate_only(&out_kept->text, count - limit, "text", out_error);
    case TRUNCATION_ONLY_SECOND:
        return truncate_only(&out_kept->pair, count - limit, "pair", out_error);
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%d is not a truncation strategy",
                     (int)options->strategy);
}

static uint64_t template_size(const Template *template, bool without_special, Kept kept)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < template->piece_count; i++) {
        TemplatePieceKind kind = template->pieces[i].kind;
        size += kind == TEMPLATE_TEXT ? kept.text : kind == TEMPLATE_PAIR ? kept.pair : !without_special;
    }
    return size;
}

static Status encoding_allocate(Encoding *encoding, uint64_t count, bool words, Arena *arena, Error *out_error)
{
    if (count <= UINT32_MAX) {
        encoding->count = (uint32_t)count;
        encoding->offsets = arena_allocate(arena, count * sizeof *encoding->offsets);
        encoding->ids = arena_allocate(arena, count * sizeof *encoding->ids);
        if (words) encoding->words = arena_allocate(arena, count * sizeof *encoding->words);
        encoding->type_ids = arena_allocate(arena, count);
        encoding->segments = arena_allocate(arena, count);
        bool whole = encoding->offsets && encoding->ids && encoding->type_ids && encoding->segments;
        if (whole && (!words || encoding->words)) return STATUS_OK;
    }
    return error_set(
        out_error, STATUS_RESOURCE_EXHAUSTED,
        "%llu tokens need more than the request's memory budget of %zu bytes: send less text at once, or "
        "ask for truncation",
        (unsigned long long)count, arena->budget_bytes);
}

static void encoding_put(Encoding *encoding, uint32_t at, StoredToken token, uint8_t type_id, uint8_t segment)
{
    encoding->ids[at] = token.token.id;
    encoding->offsets[at] = token.token.origin;
    if (encoding->words) encoding->words[at] = token.word;
    encoding->type_ids[at] = type_id;
    encoding->segments[at] = segment;
}

/* `at` moved forward by `count` characters, but not beyond `end`. */
static uint32_t encode_forward(TextView text, uint32_t at, uint32_t end, uint32_t count)
{
    uint32_t code_point;
    for (; count > 0 && at < end; count--) at += (uint32_t)utf8_decode(text.bytes + at, &code_point);
    return at;
}

/* `range` without the white space at the token's edges. */
static ByteRange encode_trim(const OffsetTrim *trim, TokenEdges edges, TextView text, ByteRange range, bool first)
{
    bool prefix = trim->keeps_prefix && edges.leading == 1 && (first || range.begin == 0);
    if (!prefix) range.begin = encode_forward(text, range.begin, range.end, edges.leading);
    uint32_t end = range.end, left = edges.trailing;
    for (; left > 0 && end > 0; left--) end = (uint32_t)utf8_previous(text.bytes, end);
    if (left == 0) range.end = end > range.begin ? end : range.begin;
    return range;
}

/* A text, its tokens, and how many of them are kept. */
typedef struct EncodeText {
    TextView text;
    const Collector *collector;
    uint32_t kept;
} EncodeText;

static StoredToken encode_token(const Tokenizer *tokenizer, const EncodeText *text, uint32_t index)
{
    StoredToken token = collector_token(text->collector, text->kept, index);
    if (!tokenizer->trim.enabled) return token;
    TextView known = vocabulary_text(&tokenizer->vocabulary, token.token.id);
    TokenEdges edges = collector_edges(text->collector, text->kept, index, known);
    if (edges.leading || edges.trailing)
        token.token.origin = encode_trim(&tokenizer->trim, edges, text->text, token.token.origin, index == 0);
    return token;
}

static void encoding_fill(Encoding *encoding, const Tokenizer *tokenizer, const Template *template,
                          bool without_special, const EncodeText texts[2])
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < template->piece_count; i++) {
        const TemplatePiece *piece = &template->pieces[i];
        if (piece->kind == TEMPLATE_TOKEN) {
            StoredToken token = {.token = {.id = piece->id}};
            if (!without_special) encoding_put(encoding, at++, token, piece->type_id, ENCODING_SEGMENT_NONE);
            continue;
        }
        uint8_t segment = piece->kind == TEMPLATE_PAIR;
        for (uint32_t k = 0; k < texts[segment].kept; k++) {
            encoding_put(encoding, at++, encode_token(tokenizer, &texts[segment], k), piece->type_id, segment);
        }
    }
    assert(at == encoding->count);
}

static Status encode_finish(const Tokenizer *tokenizer, EncodeText texts[2], const EncodeOptions *options,
                            Arena *arena, Encoding *out_encoding, Error *out_error)
{
    const Collector *text = texts[0].collector, *pair = texts[1].collector;
    const Template *template = pair ? &tokenizer->pair : &tokenizer->single;
    bool without_special = options->without_special_tokens;
    uint32_t added = without_special ? 0 : template->added_count;
    uint32_t limit = options->token_count_max ? options->token_count_max - added : 0;
    Kept kept, all = {text->count, pair ? pair->count : 0};
    Status status = encode_truncate(text, pair, options, limit, &kept, out_error);
    if (status) return status;
    Encoding encoding = {.truncated = kept.text != all.text || kept.pair != all.pair};
    uint64_t all_count = template_size(template, without_special, all);
    encoding.text_token_count = all_count < UINT32_MAX ? (uint32_t)all_count : UINT32_MAX;
    status = encoding_allocate(&encoding, template_size(template, without_special, kept), options->return_words,
                               arena, out_error);
    if (status) return status;
    texts[0].kept = kept.text;
    texts[1].kept = kept.pair;
    encoding_fill(&encoding, tokenizer, template, without_special, texts);
    *out_encoding = encoding;
    return STATUS_OK;
}

static AddedParse encode_parse(const Tokenizer *tokenizer, const EncodeOptions *options)
{
    return (AddedParse){options->parse_special_tokens,
                        options->parse_mask ? tokenizer_mask_id(tokenizer) : VOCABULARY_NONE};
}

Status tokenizer_encode(const Tokenizer *tokenizer, TextView text, const TextView *pair,
                        const EncodeOptions *options, Arena *arena, Encoding *out_encoding, Error *out_error)
{
    const Template *template = pair ? &tokenizer->pair : &tokenizer->single;
    uint32_t added = options->without_special_tokens ? 0 : template->added_count;
    if (options->token_count_max && options->token_count_max <= added) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "at most %u tokens leave no room for text beside the %u that the model adds",
                         options->token_count_max, added);
    }
    Status status = encode_check(text, "text", out_error);
    if (!status && pair) status = encode_check(*pair, "pair", out_error);
    if (status) return status;
    uint32_t limit = options->token_count_max ? options->token_count_max : UINT32_MAX;
    Collector first = collector_start(limit, options->side), second = first;
    first.keeps_edges = second.keeps_edges = tokenizer->trim.enabled;
    if (options->bars_special_tokens && model_unknown_id(&tokenizer->model, &first.unknown_id)) {
        first.barred = tokenizer->special;
        second.barred = first.barred;
        second.unknown_id = first.unknown_id;
    }
    AddedParse parse = encode_parse(tokenizer, options);
    status = pretokenize_text(tokenizer, text, parse, &first, out_error);
    if (!status && pair) status = pretokenize_text(tokenizer, *pair, parse, &second, out_error);
    if (!status) {
        EncodeText texts[2] = {{.text = text, .collector = &first}, {.collector = pair ? &second : NULL}};
        if (pair) texts[1].text = *pair;
        status = encode_finish(tokenizer, texts, options, arena, out_encoding, out_error);
    }
    collector_close(&first);
    collector_close(&second);
    return status;
}
