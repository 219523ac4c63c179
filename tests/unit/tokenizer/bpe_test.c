/* BPE by the file that describes it: the order of merges, unknown characters, affixes, words of any length, and files
 * that are refused. */
#include "unit/tokenizer/open_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BPE(settings, vocab, merges) \
    "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\"," settings "\"vocab\":{" vocab "},\"merges\":[" merges "]}" \
    "}"
#define ABC "\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"aa\":6"

static void bpe_merges_by_rank_and_from_the_left(void **state)
{
    (void)state;
    assert_encoded(BPE("", ABC, "\"b c\",\"a b\""), "abc", "0:0-1 4:1-3");
    assert_encoded(BPE("", ABC, "\"a b\",\"b c\""), "abc", "3:0-2 2:2-3");
    assert_encoded(BPE("", ABC, "[\"a\",\"b\"],[\"ab\",\"c\"]"), "abcab", "5:0-3 3:3-5");
    assert_encoded(BPE("", ABC, "\"a a\""), "aaaaa", "6:0-2 6:2-4 0:4-5");
    /* A repeated pair has the later rank. */
    assert_encoded(BPE("", ABC, "\"a b\",\"b c\",\"a b\""), "abc", "0:0-1 4:1-3");
    assert_encoded(BPE("", ABC, "\"#version: 0.2\",\"a b\""), "ab", "3:0-2");
}

static void bpe_ignores_merges_for_a_token(void **state)
{
    (void)state;
    assert_encoded(BPE("", ABC, ""), "abc", "0:0-1 1:1-2 2:2-3");
    assert_encoded(BPE("\"ignore_merges\":true,", ABC, ""), "abc", "5:0-3");
    assert_encoded(BPE("\"ignore_merges\":true,", ABC, ""), "abca", "0:0-1 1:1-2 2:2-3 0:3-4");
}

static void bpe_knows_what_to_do_with_the_unknown(void **state)
{
    (void)state;
    /* Without a token for it, a character vanishes, and the offsets of what follows move, as in the library. */
    assert_encoded(BPE("", ABC, ""), "xa", "0:0-1");
    assert_encoded(BPE("\"unk_token\":\"c\",", ABC, ""), "xya", "2:0-1 2:1-2 0:2-3");
    assert_encoded(BPE("\"unk_token\":\"c\",\"fuse_unk\":true,", ABC, ""), "axy", "0:0-1 2:1-3");
    assert_encoded(BPE("\"byte_fallback\":true,", "\"a\":0,\"<0xC3>\":1,\"<0xA9>\":2", ""), "a\xC3\xA9",
                   "0:0-1 1:1-3 2:1-3");
    assert_encoded(BPE("\"byte_fallback\":true,\"unk_token\":\"a\",", "\"a\":0,\"<0xC3>\":1", ""), "\xC3\xA9",
                   "0:0-2");
}

static void bpe_looks_up_affixes(void **state)
{
    (void)state;
    assert_encoded(BPE("\"continuing_subword_prefix\":\"##\",", "\"a\":0,\"##b\":1,\"##c\":2,\"##bc\":3,\"abc\":4",
                       "\"##b ##c\",\"a ##bc\""),
                   "abc", "4:0-3");
    assert_encoded(BPE("\"end_of_word_suffix\":\"</w>\",", "\"a\":0,\"b</w>\":1,\"ab</w>\":2", "\"a b</w>\""),
                   "aab", "0:0-1 2:1-3");
}

/* A word of a megabyte: n log n, not quadratic. */
static void bpe_takes_a_word_of_any_size(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    Tokenizer *tokenizer = open_json(BPE("", "\"a\":0,\"aa\":1,\"aaaa\":2", "\"a a\",\"aa aa\""));
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'a', SIZE);
    Arena arena;
    Encoding encoding;
    EncodeOptions options = {0};
    Error error;
    arena_init(&arena, (size_t)64 * SIZE);
    clock_t start = clock();
    assert_int_equal(
        tokenizer_encode(tokenizer, (TextView){text, SIZE - 1}, NULL, &options, &arena, &encoding, &error),
        STATUS_OK);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
    assert_int_equal(encoding.count, SIZE / 4 + 1);
    assert_int_equal(encoding.ids[0], 2);
    assert_int_equal(encoding.ids[encoding.count - 2], 1);
    assert_int_equal(encoding.ids[encoding.count - 1], 0);
    arena_free(&arena);
    free(text);
    tokenizer_close(tokenizer);
}

static void bpe_refuses_what_is_wrong(void **state)
{
    (void)state;
    assert_refused(BPE("\"dropout\":0.1,", ABC, ""), STATUS_UNSUPPORTED, "model.dropout");
    assert_refused(BPE("\"byte_fallback\":true,\"end_of_word_suffix\":\"x\",", ABC, ""), STATUS_UNSUPPORTED,
                   "model.byte_fallback");
    assert_refused(BPE("\"unk_token\":\"x\",", ABC, ""), STATUS_CORRUPT, "model.unk_token");
    assert_refused(BPE("\"unk_token\":1,", ABC, ""), STATUS_CORRUPT, "model.unk_token");
    assert_refused(BPE("\"fuse_unk\":1,", ABC, ""), STATUS_CORRUPT, "model.fuse_unk");
    assert_refused(BPE("", ABC, "\"a x\""), STATUS_CORRUPT, "model.merges[0]: not in the vocabulary: \"x\"");
    assert_refused(BPE("", ABC, "\"x a\""), STATUS_CORRUPT, "model.merges[0]: not in the vocabulary: \"x\"");
    assert_refused(BPE("", ABC, "\"a b\",\"c c\""), STATUS_CORRUPT, "model.merges[1]: what it makes is not there");
    assert_refused(BPE("", ABC, "\"ab\""), STATUS_CORRUPT, "model.merges[0]: expected two tokens");
    assert_refused(BPE("", ABC, "\"a b c\""), STATUS_CORRUPT, "model.merges[0]: expected two tokens");
    assert_refused(BPE("", ABC, "[\"a\"]"), STATUS_CORRUPT, "model.merges[0]: expected");
    assert_refused(BPE("", ABC, "[\"a\",\"b\"],\"b c\""), STATUS_CORRUPT, "model.merges: expected one way");
    assert_refused(BPE("\"continuing_subword_prefix\":\"#\",", ABC, "\"a b\""), STATUS_CORRUPT,
                   "lacks the prefix");
    assert_refused(BPE("", "\"\":0,\"a\":1", "\" a\""), STATUS_CORRUPT, "a side is empty");
    assert_refused(BPE("", "\"a\":0,\"b\":0", ""), STATUS_CORRUPT, "two tokens have this id");
    assert_refused(BPE("", "\"a\":4194304", ""), STATUS_CORRUPT, "model.vocab[\"a\"]");
    assert_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", STATUS_CORRUPT, "model.merges");
    assert_refused("{\"model\":{\"type\":\"BPE\",\"merges\":[]}}", STATUS_CORRUPT, "model.vocab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bpe_merges_by_rank_and_from_the_left),  cmocka_unit_test(bpe_ignores_merges_for_a_token),
        cmocka_unit_test(bpe_knows_what_to_do_with_the_unknown), cmocka_unit_test(bpe_looks_up_affixes),
        cmocka_unit_test(bpe_takes_a_word_of_any_size),          cmocka_unit_test(bpe_refuses_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
