/* The requests of Classify, Rerank, TagTokens, FillMask and Answer: what is read, and which field a refusal names. */
#include "rpc/codec_request.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { INPUT_COUNT_MAX = 2 };

static ProtobufCBinaryData data_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* One request of each method, each with what it needs and nothing else; `arena` holds what was read last. */
typedef struct Wire {
    Headlight__V1__ClassifyRequest classify;
    Headlight__V1__RerankRequest rerank;
    Headlight__V1__TagTokensRequest tag;
    Headlight__V1__FillMaskRequest fill;
    Headlight__V1__AnswerRequest answer;
    Headlight__V1__Options options;
    Headlight__V1__ExplanationSpec explanation;
    Headlight__V1__Text text;
    Headlight__V1__Text *list[3];
    ProtobufCBinaryData texts[3];
} Wire;

static void wire_init(Wire *wire)
{
    headlight__v1__classify_request__init(&wire->classify);
    headlight__v1__rerank_request__init(&wire->rerank);
    headlight__v1__tag_tokens_request__init(&wire->tag);
    headlight__v1__fill_mask_request__init(&wire->fill);
    headlight__v1__answer_request__init(&wire->answer);
    headlight__v1__options__init(&wire->options);
    headlight__v1__explanation_spec__init(&wire->explanation);
    headlight__v1__text__init(&wire->text);
    wire->text.text = (ProtobufCBinaryData){4, (uint8_t *)"a\0b!"};
    for (size_t i = 0; i < 3; i++) {
        wire->list[i] = &wire->text;
        wire->texts[i] = data_of("text");
    }
    wire->classify.inputs = wire->tag.inputs = wire->fill.inputs = wire->list;
    wire->classify.n_inputs = wire->tag.n_inputs = wire->fill.n_inputs = 1;
    wire->rerank.query = data_of("query");
    wire->rerank.texts = wire->texts;
    wire->rerank.n_texts = 2;
    wire->answer.question = data_of("who?");
    wire->answer.context = data_of("me");
}

/* What one read gave. */
typedef struct Read {
    Arena arena;
    CodecFault fault;
    Status status;
    union {
        CodecInputs inputs;
        CodecClassifyRequest classify;
        CodecRerankRequest rerank;
        CodecTagRequest tag;
        CodecFillRequest fill;
        CodecAnswerRequest answer;
    };
} Read;

/* Packs `message`, a member of a Wire, and reads it as its type says. */
static void wire_read(const void *message, Read *out_read)
{
    const ProtobufCMessage *base = message;
    size_t size = protobuf_c_message_get_packed_size(base);
    uint8_t *bytes = malloc(size + 1);
    protobuf_c_message_pack(base, bytes);
    arena_init(&out_read->arena, MIB);
    Arena *arena = &out_read->arena;
    CodecFault *fault = &out_read->fault;
    const ProtobufCMessageDescriptor *type = base->descriptor;
    if (type == &headlight__v1__classify_request__descriptor) {
        out_read->status = codec_request_classify(arena, bytes, size, INPUT_COUNT_MAX, &out_read->classify, fault);
    } else if (type == &headlight__v1__rerank_request__descriptor) {
        out_read->status = codec_request_rerank(arena, bytes, size, INPUT_COUNT_MAX, &out_read->rerank, fault);
    } else if (type == &headlight__v1__tag_tokens_request__descriptor) {
        out_read->status = codec_request_tag(arena, bytes, size, INPUT_COUNT_MAX, &out_read->tag, fault);
    } else if (type == &headlight__v1__fill_mask_request__descriptor) {
        out_read->status = codec_request_fill(arena, bytes, size, INPUT_COUNT_MAX, &out_read->fill, fault);
    } else {
        out_read->status = codec_request_answer(arena, bytes, size, &out_read->answer, fault);
    }
    free(bytes); /* nothing read may point into it */
}

static void assert_read(const void *message, Read *out_read)
{
    wire_read(message, out_read);
    if (out_read->status) fail_msg("%s", out_read->fault.error.message);
}

static void assert_refused(const void *message, Status status, const char *field, const char *words)
{
    Read read;
    wire_read(message, &read);
    assert_int_equal(read.status, status);
    assert_int_equal(read.fault.error.status, status);
    assert_string_equal(read.fault.field, field);
    if (!strstr(read.fault.error.message, words)) fail_msg("'%s' in: %s", words, read.fault.error.message);
    arena_free(&read.arena);
}

static void codec_request_zero_means_the_default_count(void **state)
{
    (void)state;
    Wire wire;
    Read read;
    wire_init(&wire);
    assert_read(&wire.classify, &read);
    assert_int_equal(read.classify.top_k, UINT32_MAX);
    assert_false(read.classify.raw_scores);
    arena_free(&read.arena);
    assert_read(&wire.rerank, &read);
    assert_int_equal(read.rerank.top_n, UINT32_MAX);
    assert_false(read.rerank.raw_scores || read.rerank.return_text);
    arena_free(&read.arena);
    assert_read(&wire.tag, &read);
    assert_int_equal(read.tag.aggregation, AGGREGATION_SIMPLE);
    arena_free(&read.arena);
    assert_read(&wire.fill, &read);
    assert_int_equal(read.fill.top_k, 5);
    arena_free(&read.arena);
    assert_read(&wire.answer, &read);
    assert_int_equal(read.answer.options.top_k, 1);
    assert_int_equal(read.inputs.prepare.length_policy, LENGTH_AUTO);
    assert_false(read.answer.options.allow_no_answer);
    arena_free(&read.arena);
}

static void codec_request_reads_what_is_asked_for(void **state)
{
    (void)state;
    Wire wire;
    Read read;
    wire_init(&wire);
    wire.classify.raw_scores = true;
    wire.classify.top_k = 3;
    wire.classify.model = data_of("model");
    assert_read(&wire.classify, &read);
    assert_true(read.classify.raw_scores && read.classify.top_k == 3);
    assert_true(text_equal(read.inputs.model, text_view("model")));
    assert_true(text_equal(read.inputs.texts[0].text, (TextView){"a\0b!", 4}));
    arena_free(&read.arena);
    wire.rerank.raw_scores = wire.rerank.return_text = true;
    wire.rerank.top_n = 1;
    assert_read(&wire.rerank, &read);
    assert_true(read.rerank.raw_scores && read.rerank.return_text && read.rerank.top_n == 1);
    arena_free(&read.arena);
    wire.fill.top_k = FILL_TOP_K_MAX;
    assert_read(&wire.fill, &read);
    assert_int_equal(read.fill.top_k, FILL_TOP_K_MAX);
    arena_free(&read.arena);
    wire.answer.top_k = ANSWER_TOP_K_MAX;
    wire.answer.options = &wire.options;
    wire.answer.allow_no_answer = true;
    wire.options.length_policy = HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_REFUSE;
    assert_read(&wire.answer, &read);
    assert_int_equal(read.answer.options.top_k, ANSWER_TOP_K_MAX);
    assert_int_equal(read.inputs.prepare.length_policy, LENGTH_REFUSE);
    assert_true(read.answer.options.allow_no_answer);
    arena_free(&read.arena);
}

static void codec_request_rerank_pairs_the_query_with_each_text(void **state)
{
    (void)state;
    Wire wire;
    Read read;
    wire_init(&wire);
    wire.texts[1] = data_of("");
    assert_read(&wire.rerank, &read);
    assert_int_equal(read.inputs.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(text_equal(read.inputs.texts[i].text, text_view("query")));
        assert_true(read.inputs.texts[i].has_pair);
    }
    assert_true(text_equal(read.inputs.texts[0].pair, text_view("text")));
    assert_int_equal(read.inputs.texts[1].pair.size, 0);
    assert_int_equal(codec_request_text_bytes(&read.inputs), 14);
    arena_free(&read.arena);
}

static void codec_request_answer_is_one_pair(void **state)
{
    (void)state;
    Wire wire;
    Read read;
    wire_init(&wire);
    assert_read(&wire.answer, &read);
    assert_int_equal(read.inputs.count, 1);
    assert_true(text_equal(read.inputs.texts[0].text, text_view("who?")));
    assert_true(read.inputs.texts[0].has_pair && text_equal(read.inputs.texts[0].pair, text_view("me")));
    arena_free(&read.arena);
}

static void codec_request_tag_knows_the_aggregations(void **state)
{
    (void)state;
    const struct {
        const char *name;
        Aggregation aggregation;
    } known[] = {
        {"none", AGGREGATION_NONE},       {"simple", AGGREGATION_SIMPLE}, {"first", AGGREGATION_FIRST},
        {"average", AGGREGATION_AVERAGE}, {"max", AGGREGATION_MAX},
    };
    Wire wire;
    wire_init(&wire);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        Read read;
        wire.tag.aggregation = data_of(known[i].name);
        assert_read(&wire.tag, &read);
        assert_int_equal(read.tag.aggregation, known[i].aggregation);
        arena_free(&read.arena);
    }
    wire.tag.aggregation = data_of("Simple");
    assert_refused(&wire.tag, STATUS_INVALID_ARGUMENT, "aggregation", "none, simple, first, average and max");
    wire.tag.aggregation = (ProtobufCBinaryData){1, (uint8_t *)"\xFF"};
    assert_refused(&wire.tag, STATUS_INVALID_ARGUMENT, "aggregation", "not UTF-8");
}

static void codec_request_refuses_counts_beyond_their_limits(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire);
    wire.classify.top_k = MODEL_LABEL_COUNT_MAX + 1;
    assert_refused(&wire.classify, STATUS_INVALID_ARGUMENT, "top_k", "65537");
    wire.rerank.top_n = UINT32_MAX;
    assert_refused(&wire.rerank, STATUS_INVALID_ARGUMENT, "top_n", "at most 65536");
    wire.fill.top_k = FILL_TOP_K_MAX + 1;
    assert_refused(&wire.fill, STATUS_INVALID_ARGUMENT, "top_k", "at most 1024");
    wire.answer.top_k = ANSWER_TOP_K_MAX + 1;
    assert_refused(&wire.answer, STATUS_INVALID_ARGUMENT, "top_k", "at most 1024");
}

static void codec_request_refuses_texts_by_field(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire);
    wire.classify.n_inputs = wire.tag.n_inputs = 0;
    assert_refused(&wire.classify, STATUS_INVALID_ARGUMENT, "inputs", "empty");
    assert_refused(&wire.tag, STATUS_INVALID_ARGUMENT, "inputs", "empty");
    wire.fill.n_inputs = 3;
    assert_refused(&wire.fill, STATUS_INVALID_ARGUMENT, "inputs", "at most 2");
    wire.rerank.n_texts = 0;
    assert_refused(&wire.rerank, STATUS_INVALID_ARGUMENT, "texts", "empty");
    wire.rerank.n_texts = 3;
    assert_refused(&wire.rerank, STATUS_INVALID_ARGUMENT, "texts", "3 texts, at most 2");
    wire.rerank.query.len = 0;
    assert_refused(&wire.rerank, STATUS_INVALID_ARGUMENT, "query", "empty");
    wire.answer.context.len = 0;
    assert_refused(&wire.answer, STATUS_INVALID_ARGUMENT, "context", "empty");
    wire.answer.question.len = 0;
    assert_refused(&wire.answer, STATUS_INVALID_ARGUMENT, "question", "empty");
}

/* What one place refuses it refuses for all. */
static void codec_request_refuses_options_for_every_method(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire);
    wire.classify.options = wire.rerank.options = wire.tag.options = &wire.options;
    wire.fill.options = wire.answer.options = &wire.options;
    const void *const messages[] = {&wire.classify, &wire.rerank, &wire.tag, &wire.fill, &wire.answer};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        wire.options.explanation = &wire.explanation;
        wire.explanation.rows = (Headlight__V1__AttentionRows)-1;
        assert_refused(messages[i], STATUS_INVALID_ARGUMENT, "options.explanation.rows", "unknown rows -1");
        wire.options.explanation = NULL;
        wire.options.sanitize = (Headlight__V1__SanitizePolicy)77;
        assert_refused(messages[i], STATUS_INVALID_ARGUMENT, "options.sanitize", "77");
        wire.options.sanitize = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
        wire.options.length_policy = (Headlight__V1__LengthPolicy)77;
        assert_refused(messages[i], STATUS_INVALID_ARGUMENT, "options.length_policy", "77");
        wire.options.length_policy = HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO;
        wire.options.vote_count = VOTE_COUNT_MAX + 1;
        assert_refused(messages[i], STATUS_INVALID_ARGUMENT, "options.vote_count", "votes");
        wire.options.vote_count = 0;
    }
}

static void codec_request_names_that_are_not_utf8_are_refused_for_every_method(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire);
    ProtobufCBinaryData bad = {1, (uint8_t *)"\xFF"};
    wire.classify.model = wire.rerank.model = wire.tag.model = wire.fill.model = wire.answer.model = bad;
    const void *const messages[] = {&wire.classify, &wire.rerank, &wire.tag, &wire.fill, &wire.answer};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        assert_refused(messages[i], STATUS_INVALID_ARGUMENT, "model", "not UTF-8");
    }
}

/* A message whose query would be tokenized for minutes. */
static void codec_request_rerank_bounds_the_query_times_the_texts(void **state)
{
    (void)state;
    enum { TEXT_COUNT = 400, QUERY_BYTES = QUERY_BYTES_MAX / TEXT_COUNT + 1 };
    Wire wire;
    wire_init(&wire);
    static ProtobufCBinaryData texts[TEXT_COUNT];
    uint8_t *query = calloc(1, QUERY_BYTES);
    memset(query, 'a', QUERY_BYTES);
    wire.rerank.query = (ProtobufCBinaryData){QUERY_BYTES, query};
    wire.rerank.texts = texts;
    wire.rerank.n_texts = TEXT_COUNT;
    size_t size = protobuf_c_message_get_packed_size(&wire.rerank.base);
    uint8_t *bytes = malloc(size);
    protobuf_c_message_pack(&wire.rerank.base, bytes);
    Arena arena;
    arena_init(&arena, 2 * MIB);
    CodecRerankRequest request;
    CodecFault fault;
    Status status = codec_request_rerank(&arena, bytes, size, TEXT_COUNT, &request, &fault);
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    assert_string_equal(fault.field, "query");
    arena_free(&arena);
    wire.rerank.query.len = QUERY_BYTES - 1;
    size = protobuf_c_message_pack(&wire.rerank.base, bytes);
    arena_init(&arena, 2 * MIB);
    status = codec_request_rerank(&arena, bytes, size, TEXT_COUNT, &request, &fault);
    assert_int_equal(status, STATUS_OK);
    arena_free(&arena);
    free(bytes);
    free(query);
}

static void codec_request_faults_name_the_text_as_its_request_does(void **state)
{
    (void)state;
    const struct {
        CodecShape shape;
        bool of_pair;
        const char *field;
        const char *message;
    } cases[] = {
        {CODEC_SHAPE_INPUTS, false, "inputs[7].text", "inputs[7]: bad"},
        {CODEC_SHAPE_INPUTS, true, "inputs[7].pair", "inputs[7]: bad"},
        {CODEC_SHAPE_PAIRS, false, "query", "query: bad"},
        {CODEC_SHAPE_PAIRS, true, "texts[7]", "texts[7]: bad"},
        {CODEC_SHAPE_QUESTION, false, "question", "question: bad"},
        {CODEC_SHAPE_QUESTION, true, "context", "context: bad"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const CodecInputs inputs = {.shape = cases[i].shape};
        CodecFault fault = {.field = ""};
        error_set(&fault.error, STATUS_INVALID_ARGUMENT, "bad");
        assert_int_equal(codec_request_fault(&inputs, 7, cases[i].of_pair, &fault), STATUS_INVALID_ARGUMENT);
        assert_string_equal(fault.field, cases[i].field);
        assert_string_equal(fault.error.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_request_zero_means_the_default_count),
        cmocka_unit_test(codec_request_reads_what_is_asked_for),
        cmocka_unit_test(codec_request_rerank_pairs_the_query_with_each_text),
        cmocka_unit_test(codec_request_answer_is_one_pair),
        cmocka_unit_test(codec_request_tag_knows_the_aggregations),
        cmocka_unit_test(codec_request_refuses_counts_beyond_their_limits),
        cmocka_unit_test(codec_request_refuses_texts_by_field),
        cmocka_unit_test(codec_request_refuses_options_for_every_method),
        cmocka_unit_test(codec_request_names_that_are_not_utf8_are_refused_for_every_method),
        cmocka_unit_test(codec_request_rerank_bounds_the_query_times_the_texts),
        cmocka_unit_test(codec_request_faults_name_the_text_as_its_request_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
