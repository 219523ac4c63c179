/* Links headlight_tokenizer. Every allocation and file call of opening a tokenizer, encoding a pair and decoding
 * it fails in turn. */
#include "base/limits.h"
#include "tokenizer/tokenizer.h"
#include "unit/model/scratch.h"
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char tokenizer_json[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
    "{\"id\":0,\"content\":\"[PAD]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":1,\"content\":\"[UNK]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":2,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":7,\"content\":\"<new>\",\"single_word\":false,\"lstrip\":true,\"rstrip\":true,\"normalized\":true,"
    "\"special\":false}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\","
    "\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],"
    "\"pair\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},"
    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],"
    "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]\"]},"
    "\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[3],\"tokens\":[\"[SEP]\"]}}},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"##b\":"
    "5,"
    "\"e\":6}}}";

/* Every component that allocates, around the smallest model. */
static const char steps_json[] =
    "{\"version\":\"1.0\",\"added_tokens\":["
    "{\"id\":1,\"content\":\"<m>\",\"single_word\":false,\"lstrip\":true,\"rstrip\":false,\"normalized\":true,"
    "\"special\":false}],"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\",\"clean_text\":true,"
    "\"handle_chinese_chars\":true,\"strip_accents\":true,\"lowercase\":true},{\"type\":\"NFKC\"},"
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" "
    "\"},{\"type\":\"Prepend\",\"prepend\":\"z\"}]},"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"b+"
    "\"},"
    "\"behavior\":\"MergedWithNext\",\"invert\":false},{\"type\":\"Metaspace\",\"replacement\":\"_\"},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}]},"
    "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"a\",0],\"cls\":[\"a\",0],\"trim_offsets\":true,"
    "\"add_prefix_space\":false},"
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},"
    "\"content\":\"b\"},"
    "{\"type\":\"ByteFallback\"},{\"type\":\"CTC\",\"pad_token\":\"x\",\"word_delimiter_token\":\"y\",\"cleanup\":"
    "true},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
    "{\"type\":\"Metaspace\",\"replacement\":\"_\"},{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}]},"
    "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{\"a\":0}}}";

static Status encode_and_decode(const Tokenizer *tokenizer, Error *out_error)
{
    const TextView pair = text_view("E\xCC\x81 zz <new>");
    const EncodeOptions options = {.token_count_max = 9};
    Encoding encoding;
    TextView text;
    Arena arena;
    arena_init(&arena, 1 * MIB);
    Status status = tokenizer_encode(tokenizer, text_view("Ab a \xC3\xA9 <new> ab ab ab"), &pair, &options, &arena,
                                     &encoding, out_error);
    if (status == STATUS_OK) {
        assert_true(encoding.count > 0 && encoding.count <= 9);
        status = tokenizer_decode(tokenizer, encoding.ids, encoding.count, true, &arena, &text, out_error);
    }
    arena_free(&arena);
    return status;
}

/* `context` is the tokenizer's folder. */
static Status open_and_use(void *context, Error *out_error)
{
    const Scratch *scratch = context;
    Tokenizer *tokenizer = NULL;
    Status status = tokenizer_open(scratch->path, &tokenizer, out_error);
    if (status != STATUS_OK) {
        assert_null(tokenizer);
        return status;
    }
    status = encode_and_decode(tokenizer, out_error);
    tokenizer_close(tokenizer);
    return status;
}

static void tokenizer_survives_every_failing_call(void **state)
{
    (void)state;
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "tokenizer.json", tokenizer_json);
    scratch_write_text(&scratch, "tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":512}");
    scratch_write_text(&scratch, "special_tokens_map.json", "{\"unk_token\":\"[UNK]\",\"sep_token\":\"[SEP]\"}");
    walk_faults("tokenizer", open_and_use, &scratch, WALK_STRICT);
    scratch_close(&scratch);
}

static void tokenizer_of_many_steps_survives_every_failing_call(void **state)
{
    (void)state;
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "tokenizer.json", steps_json);
    walk_faults("tokenizer of many steps", open_and_use, &scratch, WALK_STRICT);
    scratch_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_survives_every_failing_call),
        cmocka_unit_test(tokenizer_of_many_steps_survives_every_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
