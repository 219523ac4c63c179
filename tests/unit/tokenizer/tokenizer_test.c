/* A tokenizer's promises beside equality: control tokens from users, budgets, refused files, vocab.txt. */
#include "base/limits.h"
#include "tokenizer/tokenizer.h"
#include "unit/model/scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/tokenizer/refused.h"

#define UNCASED TESTS_DATA "/golden/tokenizer/uncased"
#define ADDED_FLAGS TESTS_DATA "/golden/tokenizer/added_flags"

#define MIDDLE \
    "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true," \
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
static Encoding encode(const Tokenizer *tokenizer, const char *text, const EncodeOptions *options, Arena *arena)
{
    Encoding encoding;
    Error error;
    arena_init(arena, 1 << 20);
    if (tokenizer_encode(tokenizer, text_view(text), NULL, options, arena, &encoding, &error)) {
        fail_msg("%s", error.message);
    }
    return encoding;
}

static bool has_special(const Tokenizer *tokenizer, const Encoding *encoding)
{
    for (uint32_t i = 0; i < encoding->count; i++) {
        bool of_text = encoding->segments[i] != ENCODING_SEGMENT_NONE;
        TextView token = tokenizer_token_text(tokenizer, encoding->ids[i]);
        if (of_text && tokenizer_token_special(tokenizer, encoding->ids[i]) &&
            !text_equal(token, text_view("[UNK]"))) {
            return true;
        }
    }
    return false;
}

static void text_becomes_a_control_token_only_when_asked(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_directory(UNCASED);
    Arena arena;
    EncodeOptions options = {0};
    Encoding encoding = encode(tokenizer, "a [SEP] b [MASK][CLS]", &options, &arena);
    assert_false(has_special(tokenizer, &encoding));
    arena_free(&arena);
    options.parse_special_tokens = true;
    encoding = encode(tokenizer, "a [SEP] b [MASK][CLS]", &options, &arena);
    assert_true(has_special(tokenizer, &encoding));
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void the_mask_alone_can_be_parsed(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_directory(TESTS_DATA "/golden/tokenizer/roberta");
    Arena arena;
    EncodeOptions options = {.parse_mask = true, .without_special_tokens = true};
    uint32_t mask = tokenizer_mask_id(tokenizer), count = 0;
    assert_true(text_equal(tokenizer_token_text(tokenizer, mask), text_view("<mask>")));
    Encoding encoding = encode(tokenizer, "a  <mask> b</s><pad>", &options, &arena);
    for (uint32_t i = 0; i < encoding.count; i++) {
        if (!tokenizer_token_special(tokenizer, encoding.ids[i])) continue;
        assert_int_equal(encoding.ids[i], mask);
        assert_int_equal(encoding.offsets[i].begin,
                         3); /* it took the blanks, and RobertaProcessing left them out */
        assert_int_equal(encoding.offsets[i].end, 9);
        count++;
    }
    assert_int_equal(count, 1);
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static TokenizerTypes types_of(const char *config)
{
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "tokenizer.json", HEAD MIDDLE MODEL(VOCAB));
    scratch_write_text(&scratch, "tokenizer_config.json", config);
    Tokenizer *tokenizer = open_directory(scratch.path);
    scratch_close(&scratch);
    TokenizerTypes types = tokenizer_types(tokenizer);
    tokenizer_close(tokenizer);
    return types;
}

static void segment_ids_are_used_as_transformers_does(void **state)
{
    (void)state;
    assert_int_equal(types_of("{}"), TOKENIZER_TYPES_UNSAID);
    assert_int_equal(types_of("{\"tokenizer_class\":\"BertTokenizer\"}"), TOKENIZER_TYPES_USED);
    assert_int_equal(types_of("{\"tokenizer_class\":\"DebertaV2TokenizerFast\"}"), TOKENIZER_TYPES_USED);
    assert_int_equal(types_of("{\"tokenizer_class\":\"TokenizersBackend\"}"), TOKENIZER_TYPES_UNUSED);
    assert_int_equal(types_of("{\"tokenizer_class\":\"AlbertTokenizer\"}"), TOKENIZER_TYPES_UNUSED);
    assert_int_equal(types_of("{\"tokenizer_class\":\"Fast\",\"model_input_names\":[1,\"token_type_ids\"]}"),
                     TOKENIZER_TYPES_USED);
    assert_int_equal(types_of("{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":[\"input_ids\"]}"),
                     TOKENIZER_TYPES_UNUSED);
}

static void tokens_with_a_task_are_found_by_their_names(void **state)
{
    (void)state;
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "tokenizer.json",
                       HEAD "{\"id\":1,\"content\":\"a\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                            "\"normalized\":false,\"special\":true}" MIDDLE MODEL(VOCAB));
    scratch_write_text(&scratch, "tokenizer_config.json", "{\"pad_token\":{\"content\":\"b\"}}");
    scratch_write_text(&scratch, "special_tokens_map.json", "{\"pad_token\":\"a\",\"mask_token\":\"a\"}");
    Tokenizer *tokenizer = open_directory(scratch.path);
    scratch_close(&scratch);
    assert_int_equal(tokenizer_mask_id(tokenizer), 1);
    assert_int_equal(tokenizer_pad_id(tokenizer), 2);
    tokenizer_close(tokenizer);
}

static void invalid_text_is_refused_with_its_position(void **state)
{
    (void)state;
    static const char *const texts[] = {"ab\xFF", "ab\xC0\x80", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80",
                                        "ab\xE4\xB8"};
    Tokenizer *tokenizer = open_directory(UNCASED);
    EncodeOptions options = {0};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Arena arena;
        Encoding encoding;
        Error error;
        arena_init(&arena, 1 << 20);
        Status status =
            tokenizer_encode(tokenizer, text_view(texts[i]), NULL, &options, &arena, &encoding, &error);
        assert_int_equal(status, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "byte 2"));
        arena_free(&arena);
    }
    tokenizer_close(tokenizer);
}

static void no_room_beside_the_template_is_refused(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_directory(UNCASED);
    for (uint32_t most = 1; most <= 3; most++) {
        Arena arena;
        Encoding encoding;
        Error error;
        EncodeOptions options = {.token_count_max = most};
        arena_init(&arena, 1 << 20);
        Status status = tokenizer_encode(tokenizer, text_view("a b"), NULL, &options, &arena, &encoding, &error);
        assert_int_equal(status, most < 3 ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        arena_free(&arena);
    }
    tokenizer_close(tokenizer);
}

static void a_text_of_four_mebibytes_fits_the_requests_budget(void **state)
{
    (void)state;
    static const char *const units[] = {"!", "a ", "\xE4\xB8\xAD", "\xCC\x81\xCC\x96", "\xEA\xB0\x81", "word, "};
    Tokenizer *tokenizer = open_directory(UNCASED);
    size_t size = 4 * MIB;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i]), used = size / unit * unit;
        for (size_t at = 0; at < used; at++) text[at] = units[i][at % unit];
        Arena arena;
        Encoding encoding;
        Error error;
        EncodeOptions options = {0}, truncated = {.token_count_max = 256};
        arena_init(&arena, REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * used);
        Status status =
            tokenizer_encode(tokenizer, (TextView){text, used}, NULL, &options, &arena, &encoding, &error);
        if (status) fail_msg("%s: %s", units[i], error.message);
        uint32_t count = encoding.count;
        arena_free(&arena);
        arena_init(&arena, 16 * 1024);
        status = tokenizer_encode(tokenizer, (TextView){text, used}, NULL, &truncated, &arena, &encoding, &error);
        if (status) fail_msg("%s: %s", units[i], error.message);
        assert_int_equal(encoding.text_token_count, count);
        arena_free(&arena);
    }
    free(text);
    tokenizer_close(tokenizer);
}

static void a_spent_budget_is_an_error(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_directory(UNCASED);
    Arena arena;
    Encoding encoding;
    Error error;
    EncodeOptions options = {0};
    uint32_t ids[3000] = {0};
    TextView text;
    arena_init(&arena, 64);
    Status status =
        tokenizer_encode(tokenizer, text_view("a b c d e f g h"), NULL, &options, &arena, &encoding, &error);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(tokenizer_decode(tokenizer, ids, 3000, false, &arena, &text, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void an_id_outside_the_vocabulary_is_refused(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_json(HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":5}"));
    Arena arena;
    TextView text;
    Error error;
    arena_init(&arena, 1 << 16);
    uint32_t size = tokenizer_vocabulary_size(tokenizer), ids[] = {5, 3, 0, size};
    assert_int_equal(size, 6);
    assert_int_equal(tokenizer_token_text(tokenizer, 3).size, 0);
    assert_int_equal(tokenizer_decode(tokenizer, ids, 4, false, &arena, &text, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(tokenizer_decode(tokenizer, ids, 3, false, &arena, &text, &error), STATUS_OK);
    assert_true(text_equal(text, text_view("a [UNK]"))); /* an id that does not exist is passed over */
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void truncation_and_padding_in_the_file_are_not_ours(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_json(
        "{\"truncation\":{\"max_length\":2,\"strategy\":\"LongestFirst\",\"stride\":0},\"padding\":{\"strategy\":"
        "{\"Fixed\":128}},\"added_tokens\":[" MIDDLE MODEL(VOCAB));
    Arena arena;
    EncodeOptions options = {0};
    Encoding encoding = encode(tokenizer, "a b ab", &options, &arena);
    assert_int_equal(encoding.count, 4);
    assert_false(encoding.truncated);
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void ids_of_added_tokens_follow_the_vocabulary(void **state)
{
    (void)state;
    Tokenizer *tokenizer =
        open_json(HEAD "{\"id\":900,\"content\":\"zip\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                       "\"normalized\":false,\"special\":true}" MIDDLE MODEL(VOCAB));
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 5);
    assert_true(text_equal(tokenizer_token_text(tokenizer, 4), text_view("zip")));
    assert_true(tokenizer_token_special(tokenizer, 4));
    assert_false(tokenizer_token_special(tokenizer, 1));
    tokenizer_close(tokenizer);
}

#define ADDED(fields) HEAD fields MIDDLE MODEL(VOCAB)
#define FLAGS "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false"
#define TEMPLATE(single, special) \
    HEAD MIDDLE "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":" single ",\"pair\":" \
                "[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}]," \
                "\"special_tokens\":" special "}," MODEL(VOCAB)
#define PIECE_A "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define PIECE_X "{\"SpecialToken\":{\"id\":\"X\",\"type_id\":0}}"

static void hostile_files_are_refused_by_field(void **state)
{
    (void)state;
    static const Refused refused[] = {
        {"[]", STATUS_CORRUPT, "the file", "an array of 0"},
        {"{}", STATUS_CORRUPT, "model", "nothing"},
        {"{\"version\":\"2.0\"}", STATUS_CORRUPT, "version", "2.0"},
        {"{\"model\":{\"type\":\"XYZ\"}}", STATUS_UNSUPPORTED, "model", "\"XYZ\""},
        {HEAD "],\"normalizer\":{\"type\":\"NFX\"}," MODEL(VOCAB), STATUS_UNSUPPORTED, "normalizer", "\"NFX\""},
        {HEAD "],\"pre_tokenizer\":{\"type\":\"Bytes\"}," MODEL(VOCAB), STATUS_UNSUPPORTED, "pre_tokenizer",
         "\"Bytes\""},
        {HEAD "],\"decoder\":{\"type\":\"Space\"}," MODEL(VOCAB), STATUS_UNSUPPORTED, "decoder", "\"Space\""},
        {HEAD "],\"decoder\":{\"type\":\"WordPiece\"}," MODEL(VOCAB), STATUS_CORRUPT, "decoder.prefix", "nothing"},
        {HEAD "],\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":3}," MODEL(VOCAB), STATUS_CORRUPT,
         "normalizer.lowercase", "3"},
        {HEAD MIDDLE MODEL("[1]"), STATUS_CORRUPT, "model.vocab", "an array of 1"},
        {HEAD MIDDLE MODEL("{}"), STATUS_CORRUPT, "model.vocab", "0 tokens"},
        {HEAD MIDDLE MODEL("{\"a\":1}"), STATUS_CORRUPT, "model.unk_token", "[UNK]"},
        {HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":-1}"), STATUS_CORRUPT, "model.vocab[\"a\"]", "-1"},
        {HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":1.5}"), STATUS_CORRUPT, "model.vocab[\"a\"]", "1.5"},
        {HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":4294967295}"), STATUS_CORRUPT, "model.vocab[\"a\"]", "4294967295"},
        {HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":1,\"b\":1}"), STATUS_CORRUPT, "model.vocab[\"b\"]", "found 1"},
        {HEAD MIDDLE MODEL("{\"[UNK]\":0,\"a\":1,\"a\":2}"), STATUS_CORRUPT, "a", "twice"},
        {HEAD MIDDLE
         "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
         "\"max_input_chars_per_word\":-5,\"vocab\":" VOCAB "}}",
         STATUS_CORRUPT, "model.max_input_chars_per_word", "-5"},
        {ADDED("7"), STATUS_CORRUPT, "added_tokens[0]", "7"},
        {ADDED("{\"id\":1,\"content\":\"a\"," FLAGS "}"), STATUS_CORRUPT, "added_tokens[0].special", "nothing"},
        {ADDED("{\"id\":1e9,\"content\":\"a\"," FLAGS ",\"special\":true}"), STATUS_CORRUPT, "added_tokens[0].id",
         "1000000000"},
        {TEMPLATE("[" PIECE_A "," PIECE_X "]", "{}"), STATUS_CORRUPT, "special_tokens[\"X\"]", "nothing"},
        {TEMPLATE("[" PIECE_A "," PIECE_X "]", "{\"X\":{\"id\":\"X\",\"ids\":[4],\"tokens\":[\"x\"]}}"),
         STATUS_CORRUPT, "special_tokens", "found 4"},
        {TEMPLATE("[" PIECE_A "," PIECE_X "]", "{\"X\":{\"id\":\"X\",\"ids\":[1],\"tokens\":[]}}"), STATUS_CORRUPT,
         "special_tokens", "an object"},
        {TEMPLATE("[" PIECE_A "," PIECE_A "]", "{}"), STATUS_UNSUPPORTED, "post_processor.single", "2 times"},
        {TEMPLATE("[{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}]", "{}"), STATUS_CORRUPT, "post_processor.single",
         "\"B\""},
        {TEMPLATE("[{\"Sequence\":{\"id\":\"A\",\"type_id\":300}}]", "{}"), STATUS_CORRUPT, "type_id", "300"},
        {TEMPLATE("{}", "{}"), STATUS_CORRUPT, "post_processor.single", "an object of 0"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) assert_refusal(&refused[i]);
}

static void a_template_of_many_pieces_is_refused(void **state)
{
    (void)state;
    char *json = malloc(1 << 20);
    assert_non_null(json);
    char *at =
        stpcpy(json, HEAD MIDDLE "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" PIECE_A);
    for (int i = 0; i < 5000; i++) at = stpcpy(at, "," PIECE_X);
    stpcpy(at, "],\"pair\":[],\"special_tokens\":{\"X\":{\"id\":\"X\",\"ids\":[1],\"tokens\":[\"x\"]}}}," MODEL(
                   VOCAB));
    assert_refusal(&(Refused){json, STATUS_CORRUPT, "post_processor.single", "more than 64"});
    free(json);
}

static void a_folder_without_a_tokenizer_says_how_to_make_one(void **state)
{
    (void)state;
    Scratch scratch;
    Tokenizer *tokenizer = NULL;
    Error error;
    scratch_open(&scratch);
    assert_int_equal(tokenizer_open(scratch.path, &tokenizer, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "save_pretrained"));
    scratch_close(&scratch);
}

static void a_vocabulary_text_makes_a_bert_tokenizer(void **state)
{
    (void)state;
    Scratch scratch;
    Arena arena;
    EncodeOptions options = {.parse_special_tokens = true};
    scratch_open(&scratch);
    scratch_write_text(&scratch, "vocab.txt", "[UNK]\r\n[CLS]\n[SEP]\na\n##b\nC\na\nno end");
    scratch_write_text(&scratch, "tokenizer_config.json",
                       "{\"do_lower_case\": false, \"unk_token\": {\"content\": \"[UNK]\"}}");
    Tokenizer *tokenizer = open_directory(scratch.path);
    scratch_close(&scratch);
    Encoding encoding = encode(tokenizer, "ab C c [SEP]", &options, &arena);
    static const uint32_t expected[] = {1, 6, 4, 5, 0, 2, 2}; /* "a" is there twice: the last line counts */
    assert_int_equal(encoding.count, 7);
    assert_memory_equal(encoding.ids, expected, sizeof expected);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 8);
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

static void text_where_single_words_touch_marks_keeps_linear_time(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_directory(ADDED_FLAGS);
    size_t size = 2 * MIB;
    char *text = malloc(size);
    assert_non_null(text);
    static const char *const units[] = {" ", "\xCC\x81\xCC\x96\xCC\xA3", "abc", "Tok  \t", "[X", "q-q"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i]), used = size / unit * unit;
        for (size_t at = 0; at < used; at++) text[at] = units[i][at % unit];
        Arena arena;
        Encoding encoding;
        Error error;
        EncodeOptions options = {.parse_special_tokens = true, .token_count_max = 100, .side = TRUNCATION_LEFT};
        arena_init(&arena, 1 << 16);
        Status status =
            tokenizer_encode(tokenizer, (TextView){text, used}, NULL, &options, &arena, &encoding, &error);
        if (status) fail_msg("%s: %s", units[i], error.message);
        arena_free(&arena);
    }
    free(text);
    tokenizer_close(tokenizer);
}

/* The numbers that tokenizers' Encoding.word_ids gives, counted from 1; the template's tokens have none. */
static void tokenizer_tokens_of_a_word_share_its_number(void **state)
{
    (void)state;
    Tokenizer *tokenizer = open_json(HEAD MIDDLE "\"post_processor\":null,\"decoder\":null," MODEL(VOCAB));
    Arena arena;
    const EncodeOptions options = {.return_words = true};
    Encoding encoding = encode(tokenizer, "abb a,b c", &options, &arena);
    static const uint32_t words[] = {1, 1, 1, 2, 3, 4, 5};
    assert_int_equal(encoding.count, 7);
    for (uint32_t i = 0; i < encoding.count; i++) assert_int_equal(encoding.words[i], words[i]);
    uint32_t unknown_id = 9;
    assert_true(tokenizer_unknown_id(tokenizer, &unknown_id));
    assert_int_equal(unknown_id, 0);
    assert_true(tokenizer_marks_subwords(tokenizer));
    arena_free(&arena);
    tokenizer_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_tokens_of_a_word_share_its_number),
        cmocka_unit_test(text_becomes_a_control_token_only_when_asked),
        cmocka_unit_test(the_mask_alone_can_be_parsed),
        cmocka_unit_test(segment_ids_are_used_as_transformers_does),
        cmocka_unit_test(tokens_with_a_task_are_found_by_their_names),
        cmocka_unit_test(invalid_text_is_refused_with_its_position),
        cmocka_unit_test(no_room_beside_the_template_is_refused),
        cmocka_unit_test(a_text_of_four_mebibytes_fits_the_requests_budget),
        cmocka_unit_test(a_spent_budget_is_an_error),
        cmocka_unit_test(an_id_outside_the_vocabulary_is_refused),
        cmocka_unit_test(truncation_and_padding_in_the_file_are_not_ours),
        cmocka_unit_test(ids_of_added_tokens_follow_the_vocabulary),
        cmocka_unit_test(hostile_files_are_refused_by_field),
        cmocka_unit_test(a_template_of_many_pieces_is_refused),
        cmocka_unit_test(a_folder_without_a_tokenizer_says_how_to_make_one),
        cmocka_unit_test(a_vocabulary_text_makes_a_bert_tokenizer),
        cmocka_unit_test(text_where_single_words_touch_marks_keeps_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
