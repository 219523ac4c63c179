/* Components that are refused, each by its field and what was found there. */
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/tokenizer/refused.h"

#define NORMALIZER(value) HEAD "],\"normalizer\":" value "," MODEL(VOCAB)
#define PRE_TOKENIZER(value) HEAD "],\"pre_tokenizer\":" value "," MODEL(VOCAB)
#define PROCESSOR(value) HEAD "],\"post_processor\":" value "," MODEL(VOCAB)
#define TRIM "{\"type\":\"ByteLevel\",\"trim_offsets\":true,\"add_prefix_space\":true}"
#define BERT "{\"type\":\"BertProcessing\",\"sep\":[\"a\",1],\"cls\":[\"b\",2]}"

static void hostile_components_are_refused_by_field(void **state)
{
    (void)state;
    static const Refused refused[] = {
        {NORMALIZER("{\"type\":\"Sequence\",\"normalizers\":7}"), STATUS_CORRUPT, "normalizer.normalizers", "7"},
        {NORMALIZER("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"NFX\"}]}"),
         STATUS_UNSUPPORTED, "normalizer[1]", "\"NFX\""},
        {NORMALIZER("{\"type\":\"Strip\",\"strip_left\":true}"), STATUS_CORRUPT, "normalizer.strip_right",
         "nothing"},
        {NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}"), STATUS_CORRUPT,
         "normalizer.pattern", ""},
        {NORMALIZER("{\"type\":\"Replace\",\"pattern\":\"a\",\"content\":\"\"}"), STATUS_CORRUPT,
         "normalizer.pattern", "\"a\""},
        {NORMALIZER("{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}"), STATUS_CORRUPT,
         "precompiled_charsmap", ""},
        {PRE_TOKENIZER("{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"), STATUS_CORRUPT,
         "pre_tokenizer.replacement", "\"ab\""},
        {PRE_TOKENIZER("{\"type\":\"Metaspace\",\"replacement\":\"a\",\"add_prefix_space\":false}"),
         STATUS_CORRUPT, "add_prefix_space", "false"},
        {PRE_TOKENIZER(
             "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"Gone\",\"invert\":false}"),
         STATUS_UNSUPPORTED, "pre_tokenizer.behavior", "\"Gone\""},
        {PRE_TOKENIZER("{\"type\":\"FixedLength\",\"length\":0}"), STATUS_CORRUPT, "length", "0"},
        {PROCESSOR("{\"type\":\"Sequence\",\"processors\":[" TRIM "," TRIM "]}"), STATUS_UNSUPPORTED,
         "post_processor[1]", "trims offsets"},
        {PROCESSOR("{\"type\":\"Sequence\",\"processors\":[" BERT "," BERT "]}"), STATUS_UNSUPPORTED,
         "post_processor[1]", "adds tokens"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) assert_refusal(&refused[i]);
}

static void many_normalizers_are_refused(void **state)
{
    (void)state;
    char *json = malloc(1 << 20);
    assert_non_null(json);
    char *at = stpcpy(json, HEAD "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}");
    for (int i = 0; i < 5000; i++) at = stpcpy(at, ",{\"type\":\"NFC\"}");
    stpcpy(at, "]}," MODEL(VOCAB));
    assert_refusal(&(Refused){json, STATUS_UNSUPPORTED, "normalizer[32]", "more than 32"});
    free(json);
}

static void a_text_that_grows_without_measure_is_refused(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_json(NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":"
                                                "\"0123456789012345678901234567890123456789\"}"));
    size_t size = 1 * MIB;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    Arena arena;
    Encoding encoding;
    Error error;
    EncodeOptions options = {0};
    arena_init(&arena, 1 << 20);
    Status status = tokenizer_encode(tokenizer, (TextView){text, size}, NULL, &options, &arena, &encoding, &error);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    arena_free(&arena);
    free(text);
    tokenizer_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_components_are_refused_by_field),
        cmocka_unit_test(many_normalizers_are_refused),
        cmocka_unit_test(a_text_that_grows_without_measure_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
