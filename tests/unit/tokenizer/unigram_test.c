/* Unigram by the file that describes it: the best sum, ties, unknown characters, and files that are refused. */
#include "unit/tokenizer/open_json.h"

#include <stdio.h>

#define UNIGRAM(settings, vocab) \
    "{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\"," settings "\"vocab\":[" vocab "]}}"
#define UNKNOWN "\"unk_id\":0,"
#define PIECES "[\"<unk>\",0],[\"a\",-1],[\"b\",-1],[\"ab\",-2],[\"abc\",-2.5],[\"c\",-1]"

static void unigram_takes_the_best_sum(void **state)
{
    (void)state;
    assert_encoded(UNIGRAM(UNKNOWN, PIECES), "abc", "4:0-3");
    assert_encoded(UNIGRAM(UNKNOWN, "[\"<unk>\",0],[\"a\",-1],[\"b\",-1],[\"ab\",-2.1]"), "ab", "1:0-1 2:1-2");
}

/* Of equal sums, the one whose last token is the longest. */
static void unigram_breaks_ties_as_the_library(void **state)
{
    (void)state;
    assert_encoded(UNIGRAM(UNKNOWN, PIECES), "ab", "3:0-2");
    assert_encoded(UNIGRAM(UNKNOWN, "[\"<unk>\",0],[\"a\",-1],[\"aa\",-1]"), "aaa", "1:0-1 2:1-3");
    /* The library reads the first score as the next larger double, so the two sum up to more than the third. */
    assert_encoded(
        UNIGRAM(UNKNOWN, "[\"<unk>\",0],[\"a\",9.773894309997559],[\"b\",-9],[\"ab\",0.77389430999756]"), "ab",
        "1:0-1 2:1-2");
    assert_encoded(UNIGRAM(UNKNOWN, "[\"<unk>\",0],[\"a\",6.078885266281508e-09],[\"b\",-7.944362457146374e-09],"
                                    "[\"ab\",-1.8654771908648667e-09]"),
                   "ab", "1:0-1 2:1-2");
}

static void unigram_joins_unknown_characters(void **state)
{
    (void)state;
    assert_encoded(UNIGRAM(UNKNOWN, PIECES), "xyabz", "0:0-2 3:2-4 0:4-5");
    assert_encoded(UNIGRAM(UNKNOWN, PIECES), "x<unk>\xC3\xA9", "0:0-8");
    /* What is joined may be a token. */
    assert_encoded(UNIGRAM("\"unk_id\":1,", "[\"xy\",-30],[\"<unk>\",0],[\"x\",-30]"), "xy", "0:0-2");
    assert_encoded(UNIGRAM(UNKNOWN "\"byte_fallback\":true,", "[\"<unk>\",0],[\"<0xC3>\",0],[\"<0xA9>\",0]"),
                   "\xC3\xA9", "1:0-2 2:0-2");
    assert_encoded(UNIGRAM(UNKNOWN "\"byte_fallback\":true,", "[\"<unk>\",0],[\"<0xC3>\",0]"), "\xC3\xA9",
                   "0:0-2");
}

static void unigram_skips_every_id_of_a_special_token(void **state)
{
    (void)state;
    Tokenizer *tokenizer =
        open_json("{\"added_tokens\":[{\"id\":2,\"content\":\"<unk>\",\"single_word\":false,\"lstrip\":false,"
                  "\"rstrip\":false,"
                  "\"normalized\":false,\"special\":true}],\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
                  "\"vocab\":[[\"<unk>\",0],[\"a\",0],[\"<unk>\",0]]}}");
    Arena arena;
    TextView text;
    Error error;
    arena_init(&arena, 1 << 20);
    assert_int_equal(tokenizer_decode(tokenizer, (uint32_t[]){0, 1, 2}, 3, true, &arena, &text, &error),
                     STATUS_OK);
    assert_int_equal(text.size, 1);
    assert_int_equal(text.bytes[0], 'a');
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

/* Its last place is its id and has its score, but every place keeps its text and may be the lowest score. */
static void unigram_takes_a_piece_that_is_there_twice(void **state)
{
    (void)state;
    static const char file[] = UNIGRAM(UNKNOWN, "[\"<unk>\",0],[\"a\",-50],[\"b\",-1],[\"ab\",-5],[\"a\",-1]");
    assert_encoded(file, "ab", "4:0-1 2:1-2");
    assert_encoded(file, "xa", "0:0-1 4:1-2");
    Tokenizer *tokenizer = open_json(file);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 5);
    assert_int_equal(tokenizer_token_text(tokenizer, 1).bytes[0], 'a');
    assert_int_equal(tokenizer_token_text(tokenizer, 4).bytes[0], 'a');
    tokenizer_close(tokenizer);
}

static void unigram_passes_over_a_nul(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_json(UNIGRAM(UNKNOWN, PIECES));
    Arena arena;
    Encoding encoding;
    EncodeOptions options = {0};
    Error error;
    arena_init(&arena, 1 << 20);
    assert_int_equal(
        tokenizer_encode(tokenizer, (TextView){"a\0b\0\0ab", 7}, NULL, &options, &arena, &encoding, &error),
        STATUS_OK);
    assert_int_equal(encoding.count, 5);
    assert_int_equal(encoding.ids[1], 0);
    assert_int_equal(encoding.ids[4], 3);
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void unigram_refuses_what_is_wrong(void **state)
{
    (void)state;
    assert_refused(UNIGRAM("", PIECES), STATUS_UNSUPPORTED, "model.unk_id");
    assert_refused(UNIGRAM("\"unk_id\":null,", PIECES), STATUS_UNSUPPORTED, "model.unk_id");
    assert_refused(UNIGRAM("\"unk_id\":6,", PIECES), STATUS_CORRUPT, "model.unk_id");
    assert_refused(UNIGRAM("\"unk_id\":-1,", PIECES), STATUS_CORRUPT, "model.unk_id");
    assert_refused(UNIGRAM(UNKNOWN, ""), STATUS_CORRUPT, "model.unk_id");
    assert_refused(UNIGRAM(UNKNOWN "\"byte_fallback\":null,", PIECES), STATUS_CORRUPT, "model.byte_fallback");
    assert_refused(UNIGRAM(UNKNOWN, "[\"a\",0],[\"b\"]"), STATUS_CORRUPT, "model.vocab[1]");
    assert_refused(UNIGRAM(UNKNOWN, "[\"a\",0],[\"b\",0,0]"), STATUS_CORRUPT, "model.vocab[1]");
    assert_refused(UNIGRAM(UNKNOWN, "[\"a\",0],[0,\"b\"]"), STATUS_CORRUPT, "model.vocab[1]");
    assert_refused(UNIGRAM(UNKNOWN, "[\"a\",0],{\"b\":0}"), STATUS_CORRUPT, "model.vocab[1]");
    assert_refused(UNIGRAM(UNKNOWN, "[\"a\",1e999]"), STATUS_CORRUPT, "model.vocab[0]");
    assert_refused("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":{\"a\":0}}}", STATUS_CORRUPT,
                   "model.vocab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unigram_takes_the_best_sum),
        cmocka_unit_test(unigram_breaks_ties_as_the_library),
        cmocka_unit_test(unigram_joins_unknown_characters),
        cmocka_unit_test(unigram_takes_a_piece_that_is_there_twice),
        cmocka_unit_test(unigram_skips_every_id_of_a_special_token),
        cmocka_unit_test(unigram_passes_over_a_nul),
        cmocka_unit_test(unigram_refuses_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
