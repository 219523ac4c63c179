/* Links headlight_tokenizer. Any bytes as text, the first ones as options: offsets stay inside, nothing is lost. */
#include "fuzz.h"
#include "tokenizer/tokenizer.h"
#include "unicode/utf8.h"

#include <assert.h>

static const char *const DIRECTORIES[] = {
    TESTS_DATA "/golden/tokenizer/uncased",         TESTS_DATA "/golden/tokenizer/cased_without_accents",
    TESTS_DATA "/golden/tokenizer/added_flags",     TESTS_DATA "/golden/tokenizer/added_blanks",
    TESTS_DATA "/golden/tokenizer/no_prefix",       TESTS_DATA "/golden/tokenizer/no_cleaning",
    TESTS_DATA "/golden/tokenizer/roberta_prefix",  TESTS_DATA "/golden/tokenizer/modernbert",
    TESTS_DATA "/golden/tokenizer/eurobert",        TESTS_DATA "/golden/tokenizer/precompiled",
    TESTS_DATA "/golden/tokenizer/albert",          TESTS_DATA "/golden/tokenizer/deberta",
    TESTS_DATA "/golden/tokenizer/unigram_bytes",   TESTS_DATA "/golden/tokenizer/bpe_suffix",
    TESTS_DATA "/golden/tokenizer/bpe_fallback",    TESTS_DATA "/golden/tokenizer/word_level",
    TESTS_DATA "/golden/tokenizer/byte_normalizer", TESTS_DATA "/golden/tokenizer/split_words",
};

enum { TOKENIZER_COUNT = sizeof DIRECTORIES / sizeof DIRECTORIES[0], HEADER_BYTES = 3 };

static const Tokenizer *text_fuzz_tokenizer(unsigned which)
{
    static Tokenizer *tokenizers[TOKENIZER_COUNT];
    Error error;
    which %= TOKENIZER_COUNT;
    if (!tokenizers[which]) {
        Status status = tokenizer_open(DIRECTORIES[which], &tokenizers[which], &error);
        assert(status == STATUS_OK);
        (void)status;
    }
    return tokenizers[which];
}

static void text_fuzz_check(const Encoding *encoding, TextView text, TextView pair, const EncodeOptions *options)
{
    size_t position;
    assert(encoding->count <= encoding->text_token_count);
    assert(encoding->truncated == (encoding->count < encoding->text_token_count));
    assert(options->token_count_max == 0 || encoding->count <= options->token_count_max);
    for (uint32_t i = 0; i < encoding->count; i++) {
        if (encoding->segments[i] == ENCODING_SEGMENT_NONE) continue;
        ByteRange range = encoding->offsets[i];
        TextView source = encoding->segments[i] ? pair : text;
        assert(range.begin <= range.end && range.end <= source.size); /* a trimmed one may be empty */
        TextView part = {source.bytes + range.begin, range.end - range.begin};
        bool whole = utf8_valid(part, &position);
        assert(whole); /* offsets never cut a character */
        (void)whole;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < HEADER_BYTES) return -1;
    const Tokenizer *tokenizer = text_fuzz_tokenizer(bytes[0]);
    EncodeOptions options = {
        .without_special_tokens = bytes[1] & 1,
        .parse_special_tokens = bytes[1] & 2,
        .side = bytes[1] & 4 ? TRUNCATION_LEFT : TRUNCATION_RIGHT,
        .strategy = (TruncationStrategy)(bytes[1] >> 3 & 3),
        .token_count_max = bytes[2],
    };
    TextView all = {(const char *)bytes + HEADER_BYTES, size - HEADER_BYTES};
    size_t cut = bytes[1] & 32 ? all.size / 2 : all.size, position;
    TextView text = {all.bytes, cut}, pair = {all.bytes + cut, all.size - cut};
    bool valid = utf8_valid(text, &position) && utf8_valid(pair, &position);
    Arena arena;
    Encoding encoding;
    TextView decoded;
    Error error;
    arena_init(&arena, (size_t)1 << 28);
    Status status =
        tokenizer_encode(tokenizer, text, bytes[1] & 32 ? &pair : NULL, &options, &arena, &encoding, &error);
    assert(status == STATUS_OK || status == STATUS_INVALID_ARGUMENT || status == STATUS_RESOURCE_EXHAUSTED);
    assert(valid || status != STATUS_OK);
    if (status == STATUS_OK) {
        text_fuzz_check(&encoding, text, pair, &options);
        status =
            tokenizer_decode(tokenizer, encoding.ids, encoding.count, bytes[1] & 64, &arena, &decoded, &error);
        assert(status == STATUS_OK && utf8_valid(decoded, &position));
    }
    arena_free(&arena);
    return 0;
}
