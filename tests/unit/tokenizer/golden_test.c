/* 20,000 strings against the tokenizers library: ids, byte offsets, type ids and decoded text, alone, in pairs,
 * truncated, with and without special tokens. tests/golden/tokenizer/make.py says what is compared. */
#include "base/file.h"
#include "tokenizer/tokenizer.h"
#include "unit/tokenizer/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define GOLDEN TESTS_DATA "/golden/tokenizer"
#define MINILM TESTS_DATA "/../models/all-MiniLM-L6-v2"

enum { LONG_BYTES = 2000, FILE_BYTES_MAX = 1 << 21, PRINTED_MAX = 5 };

enum { PIPELINE_FIRST = 25, PIPELINE_COUNT = 500 }; /* of make.py */

typedef struct Strings {
    char *file;
    TextView *items; /* each with its own bytes when it is repeated */
    uint32_t count;
} Strings;

static char *golden_read(const char *path, size_t *out_size)
{
    char *bytes = NULL;
    Error error;
    if (file_read(path, FILE_BYTES_MAX, &bytes, out_size, &error)) fail_msg("%s", error.message);
    return bytes;
}

static TextView golden_repeat(const char *bytes, uint32_t size, uint32_t repeat)
{
    char *copy = malloc((size_t)size * repeat + 1);
    assert_non_null(copy);
    for (uint32_t i = 0; i < repeat; i++) memcpy(copy + (size_t)size * i, bytes, size);
    return (TextView){copy, (size_t)size * repeat};
}

static int golden_open(void **state)
{
    static Strings strings;
    size_t size;
    strings.file = golden_read(GOLDEN "/strings.bin", &size);
    const unsigned char *at = (const unsigned char *)strings.file;
    strings.count = check_read_u32(at);
    strings.items = calloc(strings.count, sizeof *strings.items);
    assert_non_null(strings.items);
    at += 4;
    for (uint32_t i = 0; i < strings.count; i++) {
        uint32_t repeat = check_read_u32(at), string_size = check_read_u32(at + 4);
        strings.items[i] = golden_repeat((const char *)at + 8, string_size, repeat);
        at += 8 + string_size;
    }
    assert_ptr_equal(at, (const unsigned char *)strings.file + size);
    *state = &strings;
    return 0;
}

static int golden_close(void **state)
{
    Strings *strings = *state;
    for (uint32_t i = 0; i < strings->count; i++) free((char *)strings->items[i].bytes);
    free(strings->items);
    free(strings->file);
    return 0;
}

static void assert_encoding_sound(const Encoding *encoding, const EncodeOptions *options, TextView text,
                                  const TextView *pair)
{
    assert_true(options->token_count_max == 0 || encoding->count <= options->token_count_max);
    assert_true(encoding->truncated ? encoding->count < encoding->text_token_count
                                    : encoding->count == encoding->text_token_count);
    for (uint32_t i = 0; i < encoding->count; i++) {
        ByteRange range = encoding->offsets[i];
        size_t size = encoding->segments[i] == 0 ? text.size : encoding->segments[i] == 1 ? pair->size : 0;
        assert_true(range.begin <= range.end && range.end <= size);
    }
}

static uint32_t golden_encode(uint32_t check, const Tokenizer *tokenizer, TextView text, const TextView *pair,
                              const EncodeOptions *options)
{
    Arena arena;
    Encoding encoding;
    Error error;
    arena_init(&arena, 16 * (text.size + (pair ? pair->size : 0)) + (1 << 17));
    Status status = tokenizer_encode(tokenizer, text, pair, options, &arena, &encoding, &error);
    if (status) {
        assert_int_equal(status, STATUS_INVALID_ARGUMENT);
        return check_u32(check, UINT32_MAX);
    }
    assert_encoding_sound(&encoding, options, text, pair);
    check = check_u32(check, encoding.count);
    for (uint32_t i = 0; i < encoding.count; i++) check = check_u32(check, encoding.ids[i]);
    for (uint32_t i = 0; i < encoding.count; i++) {
        check = check_u32(check_u32(check, encoding.offsets[i].begin), encoding.offsets[i].end);
    }
    for (uint32_t i = 0; i < encoding.count; i++) check = check_u32(check, encoding.type_ids[i]);
    arena_free(&arena);
    return check;
}

static uint32_t golden_decode(uint32_t check, const Tokenizer *tokenizer, TextView text)
{
    Arena arena;
    Encoding encoding;
    Error error;
    arena_init(&arena, (size_t)1 << 26);
    EncodeOptions options = {.parse_special_tokens = true};
    assert_int_equal(tokenizer_encode(tokenizer, text, NULL, &options, &arena, &encoding, &error), STATUS_OK);
    for (int skip = 0; skip < 2; skip++) {
        TextView decoded;
        Status status = tokenizer_decode(tokenizer, encoding.ids, encoding.count, skip, &arena, &decoded, &error);
        assert_int_equal(status, STATUS_OK);
        check = check_bytes(check_u32(check, (uint32_t)decoded.size), decoded.bytes, decoded.size);
    }
    arena_free(&arena);
    return check;
}

/* cases() of make.py. */
static uint32_t golden_cases(const Tokenizer *tokenizer, const Strings *strings, uint32_t number)
{
    TextView text = strings->items[number], pair = strings->items[(number * 7 + 3) % strings->count];
    bool is_short = text.size <= LONG_BYTES && pair.size <= LONG_BYTES;
    EncodeOptions options = {0}, parse = {.parse_special_tokens = true}, bare = {.without_special_tokens = true};
    uint32_t check = golden_encode(0, tokenizer, text, NULL, &options);
    check = golden_encode(check, tokenizer, text, NULL, &parse);
    check = golden_encode(check, tokenizer, text, &pair, &options);
    if (is_short) {
        options.parse_special_tokens = number % 3 == 0;
        options.token_count_max = tokenizer_added_count(tokenizer, false) + 1 + number % 11;
        options.side = number % 2 == 1 ? TRUNCATION_LEFT : TRUNCATION_RIGHT;
        check = golden_encode(check, tokenizer, text, NULL, &options);
        options.parse_special_tokens = number % 5 == 0;
        options.token_count_max = tokenizer_added_count(tokenizer, true) + 1 + number % 23;
        options.side = number / 2 % 2 == 1 ? TRUNCATION_LEFT : TRUNCATION_RIGHT;
        options.strategy = (TruncationStrategy)(number % 3);
        check = golden_encode(check, tokenizer, text, &pair, &options);
    }
    check = golden_encode(check, tokenizer, text, number % 2 == 1 ? &pair : NULL, &bare);
    return golden_decode(check, tokenizer, text);
}

static void assert_golden(const Strings *strings, const char *name, const char *directory, uint32_t first,
                          uint32_t count)
{
    char path[512];
    size_t size;
    Tokenizer *tokenizer = NULL;
    Error error;
    if (tokenizer_open(directory, &tokenizer, &error)) fail_msg("%s", error.message);
    snprintf(path, sizeof path, GOLDEN "/%s/expected.bin", name);
    unsigned char *expected = (unsigned char *)golden_read(path, &size);
    assert_int_equal(size, 2 * count);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t check = golden_cases(tokenizer, strings, first + i);
        if ((check & 0xFFFF) == (expected[2 * i] | (uint32_t)expected[2 * i + 1] << 8)) continue;
        TextView text = strings->items[first + i];
        if (wrong++ < PRINTED_MAX) {
            print_message("%s: string %u: %.*s\n", name, first + i, (int)(text.size < 200 ? text.size : 200),
                          text.bytes);
        }
    }
    free(expected);
    tokenizer_close(tokenizer);
    if (wrong) fail_msg("%s: %u of %u strings differ from the library", name, wrong, count);
}

#define GOLDEN_TEST(name) \
    static void name##_tokenizer_equals_the_library(void **state) \
    { \
        const Strings *strings = *state; \
        assert_golden(strings, #name, GOLDEN "/" #name, 0, strings->count); \
    }

#define PIPELINE_TEST(name) \
    static void name##_tokenizer_equals_the_library(void **state) \
    { \
        assert_golden(*state, #name, GOLDEN "/" #name, PIPELINE_FIRST, PIPELINE_COUNT); \
    }

GOLDEN_TEST(uncased)
GOLDEN_TEST(cased)
GOLDEN_TEST(lower_with_accents)
GOLDEN_TEST(cased_without_accents)
GOLDEN_TEST(no_cleaning)
GOLDEN_TEST(no_normalizer)
GOLDEN_TEST(no_pre_tokenizer)
GOLDEN_TEST(no_prefix)
GOLDEN_TEST(added_flags)
GOLDEN_TEST(added_blanks)
PIPELINE_TEST(roberta)
PIPELINE_TEST(roberta_prefix)
PIPELINE_TEST(roberta_whole)
PIPELINE_TEST(modernbert)
PIPELINE_TEST(eurobert)
PIPELINE_TEST(xlmr)
PIPELINE_TEST(albert)
PIPELINE_TEST(precompiled)
PIPELINE_TEST(deberta)
PIPELINE_TEST(unigram_bytes)
PIPELINE_TEST(bpe_suffix)
PIPELINE_TEST(bpe_fallback)
PIPELINE_TEST(word_level)
PIPELINE_TEST(byte_normalizer)
PIPELINE_TEST(split_words)

static void minilm_tokenizer_equals_the_library(void **state)
{
    if (!file_exists(MINILM "/tokenizer.json")) skip();
    const Strings *strings = *state;
    assert_golden(strings, "minilm", MINILM, 0, strings->count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased_tokenizer_equals_the_library),
        cmocka_unit_test(cased_tokenizer_equals_the_library),
        cmocka_unit_test(lower_with_accents_tokenizer_equals_the_library),
        cmocka_unit_test(cased_without_accents_tokenizer_equals_the_library),
        cmocka_unit_test(no_cleaning_tokenizer_equals_the_library),
        cmocka_unit_test(no_normalizer_tokenizer_equals_the_library),
        cmocka_unit_test(no_pre_tokenizer_tokenizer_equals_the_library),
        cmocka_unit_test(no_prefix_tokenizer_equals_the_library),
        cmocka_unit_test(added_flags_tokenizer_equals_the_library),
        cmocka_unit_test(added_blanks_tokenizer_equals_the_library),
        cmocka_unit_test(roberta_tokenizer_equals_the_library),
        cmocka_unit_test(roberta_prefix_tokenizer_equals_the_library),
        cmocka_unit_test(roberta_whole_tokenizer_equals_the_library),
        cmocka_unit_test(modernbert_tokenizer_equals_the_library),
        cmocka_unit_test(eurobert_tokenizer_equals_the_library),
        cmocka_unit_test(xlmr_tokenizer_equals_the_library),
        cmocka_unit_test(albert_tokenizer_equals_the_library),
        cmocka_unit_test(precompiled_tokenizer_equals_the_library),
        cmocka_unit_test(deberta_tokenizer_equals_the_library),
        cmocka_unit_test(unigram_bytes_tokenizer_equals_the_library),
        cmocka_unit_test(bpe_suffix_tokenizer_equals_the_library),
        cmocka_unit_test(bpe_fallback_tokenizer_equals_the_library),
        cmocka_unit_test(word_level_tokenizer_equals_the_library),
        cmocka_unit_test(byte_normalizer_tokenizer_equals_the_library),
        cmocka_unit_test(split_words_tokenizer_equals_the_library),
        cmocka_unit_test(minilm_tokenizer_equals_the_library),
    };
    return cmocka_run_group_tests(tests, golden_open, golden_close);
}
