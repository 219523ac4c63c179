/* Words of sequences, and the tokens that they are made of. */
#include "pipeline/explain_words.h"

#include "unit/pipeline/golden.h"

typedef struct Fixture {
    Pipeline *pipeline;
    Arena arena;
    Prepared prepared;
    ExplainSubject subject;
    ExplainWords words;
} Fixture;

/* In an arena that holds what was announced and no more. */
static void fixture_open(Fixture *fixture, const char *checkpoint, TextView text, const TextView *pair)
{
    Error error;
    Arena arena;
    fixture->pipeline = golden_checkpoint(checkpoint, (PipelineOptions){0});
    arena_init(&fixture->arena, 64 * MIB);
    const PrepareOptions options = {.task = TASK_CLASSIFY, .length_policy = LENGTH_TRUNCATE_RIGHT};
    if (pipeline_prepare(fixture->pipeline, text, pair, &options, &fixture->arena, &fixture->prepared, &error))
        fail_msg("%s", error.message);
    fixture->subject = (ExplainSubject){
        .pipeline = fixture->pipeline, .prepared = &fixture->prepared, .text = text, .pair = pair ? *pair : text};
    arena_init(&arena, explain_words_bytes(&fixture->subject));
    assert_true(explain_words_find(&fixture->subject, &arena, &fixture->words));
    arena_free(&arena);
    assert_true(explain_words_find(&fixture->subject, &fixture->arena, &fixture->words));
    assert_in_range(fixture->words.count, 0, explain_words_max(&fixture->prepared));
}

static void fixture_close(Fixture *fixture)
{
    arena_free(&fixture->arena);
    pipeline_close(fixture->pipeline);
}

static TextView word_text(const Fixture *fixture, uint32_t word)
{
    const ExplainWord *item = &fixture->words.items[word];
    TextView text = item->segment == 0 ? fixture->subject.text : fixture->subject.pair;
    return (TextView){text.bytes + item->range.begin, item->range.end - item->range.begin};
}

/* The words, one after the other; '|' where the pair begins. */
static void expect_words(const Fixture *fixture, const char *expected)
{
    char found[512] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < fixture->words.count; i++) {
        bool begins = i > 0 && fixture->words.items[i].segment > fixture->words.items[i - 1].segment;
        TextView text = word_text(fixture, i);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%s%.*s", i ? " " : "", begins ? "| " : "",
                                 (int)text.size, text.bytes);
    }
    assert_string_equal(found, expected);
}

/* Each token's bytes lie in those of its word, or hold it with a sign that the token has as well. */
static void expect_tokens_of_words(const Fixture *fixture)
{
    const Encoding *encoding = &fixture->prepared.encoding;
    for (uint32_t i = 0; i < encoding->count; i++) {
        uint32_t word = fixture->words.token_words[i];
        if (word == EXPLAIN_NO_FEATURE) continue;
        assert_in_range(word, 0, fixture->words.count - 1);
        TextView whole = word_text(fixture, word),
                 text = encoding->segments[i] == 0 ? fixture->subject.text : fixture->subject.pair;
        ByteRange range = encoding->offsets[i];
        while (range.begin < range.end && text.bytes[range.begin] == ' ') range.begin++;
        size_t size = range.end - range.begin;
        assert_true(memmem(whole.bytes, whole.size, text.bytes + range.begin, size) ||
                    memmem(text.bytes + range.begin, size, whole.bytes, whole.size));
    }
}

static void words_are_each_there_once(void **state)
{
    (void)state;
    Fixture fixture;
    fixture_open(&fixture, "tasks/bert/classify", text_view("The cat and the dog - it's the house, the cat!"),
                 NULL);
    expect_words(&fixture, "The cat and the dog it s house");
    expect_tokens_of_words(&fixture);
    uint32_t tokens = 0;
    for (uint32_t i = 0; i < fixture.prepared.encoding.count; i++) tokens += fixture.words.token_words[i] == 1;
    assert_in_range(tokens, 2, 6); /* both cats, in as many pieces as the tokenizer makes of them */
    assert_int_equal(fixture.words.token_words[0], EXPLAIN_NO_FEATURE);
    fixture_close(&fixture);
}

static void words_of_a_pair_are_apart_from_those_of_the_text(void **state)
{
    (void)state;
    Fixture fixture;
    TextView pair = text_view("is the dog");
    fixture_open(&fixture, "tasks/bert/classify", text_view("the cat"), &pair);
    expect_words(&fixture, "the cat | is the dog");
    expect_tokens_of_words(&fixture);
    fixture_close(&fixture);
}

/* A token of two words makes one of them; here the tokenizer of XLM-R knows no border between ideographs. */
static void words_are_whole_tokens(void **state)
{
    (void)state;
    static const char *const texts[] = {"我喜欢这部电影。", "the cat, naïve नमस्ते ภาพยนตร์ดีมาก", "\xF0\x9F\x98\x80!",
                                        "", "e\xCC\x81\xCC\x81 \xE2\x80\x8B-"};
    static const char *const checkpoints[] = {"tasks/bert/classify", "tasks/xlm-roberta/classify",
                                              "tasks/roberta/classify"};
    for (unsigned i = 0; i < 5 * 3; i++) {
        Fixture fixture;
        fixture_open(&fixture, checkpoints[i / 5], text_view(texts[i % 5]), NULL);
        expect_tokens_of_words(&fixture);
        fixture_close(&fixture);
    }
}

static void words_beyond_the_limit_are_runs(void **state)
{
    (void)state;
    enum { WORDS = 700, BYTES = 4 };
    char *bytes = malloc(WORDS * BYTES + 1);
    assert_non_null(bytes);
    for (unsigned i = 0; i < WORDS; i++)
        snprintf(bytes + (size_t)i * BYTES, BYTES + 1, "%c%c%c ", 'a' + i / 26 % 26, 'a' + i % 26, 'a' + i / 676);
    Encoding encoding = {.count = WORDS};
    Prepared prepared = {.encoding = encoding};
    uint8_t segments[WORDS] = {0};
    ByteRange offsets[WORDS];
    for (uint32_t i = 0; i < WORDS; i++) {
        segments[i] = i >= 600;
        offsets[i] = (ByteRange){i * BYTES, i * BYTES + 3};
    }
    prepared.encoding.segments = segments;
    prepared.encoding.offsets = offsets;
    TextView text = {bytes, WORDS * BYTES};
    ExplainSubject subject = {.prepared = &prepared, .text = text, .pair = text};
    Arena arena;
    ExplainWords words;
    arena_init(&arena, MIB);
    assert_true(explain_words_find(&subject, &arena, &words));
    assert_int_equal(words.count, 200 + 34);
    assert_int_equal(words.items[0].range.end, 3 * BYTES - 1);
    assert_int_equal(words.items[200].segment, 1);
    assert_int_equal(words.token_words[599], 199);
    assert_int_equal(words.token_words[600], 200);
    assert_int_equal(words.token_words[699], 233);
    arena_free(&arena);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_each_there_once),
        cmocka_unit_test(words_of_a_pair_are_apart_from_those_of_the_text),
        cmocka_unit_test(words_are_whole_tokens),
        cmocka_unit_test(words_beyond_the_limit_are_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
