/* Requests from the wire: what is read, what is refused, and which field the refusal names. */
#include "rpc/codec_request.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct Wire {
    Headlight__V1__EmbedRequest request;
    Headlight__V1__Options options;
    Headlight__V1__ExplanationSpec explanation;
    Headlight__V1__Text text;
    Headlight__V1__Text *list[3];
} Wire;

static void wire_init(Wire *wire, size_t count)
{
    headlight__v1__embed_request__init(&wire->request);
    headlight__v1__options__init(&wire->options);
    headlight__v1__explanation_spec__init(&wire->explanation);
    headlight__v1__text__init(&wire->text);
    wire->text.text = (ProtobufCBinaryData){4, (uint8_t *)"a\0b!"};
    for (size_t i = 0; i < 3; i++) wire->list[i] = &wire->text;
    wire->request.n_inputs = count;
    wire->request.inputs = wire->list;
    wire->request.options = &wire->options;
}

static Status wire_read(const Wire *wire, Arena *arena, CodecEmbedRequest *out_request, CodecFault *out_fault)
{
    size_t size = protobuf_c_message_get_packed_size(&wire->request.base);
    uint8_t *bytes = malloc(size + 1);
    protobuf_c_message_pack(&wire->request.base, bytes);
    arena_init(arena, MIB);
    Status status = codec_request_embed(arena, bytes, size, 2, out_request, out_fault);
    free(bytes); /* nothing read may point into it */
    return status;
}

static void codec_request_embed_reads_every_field(void **state)
{
    (void)state;
    Wire wire;
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault;
    wire_init(&wire, 2);
    wire.request.model = (ProtobufCBinaryData){5, (uint8_t *)"model"};
    wire.request.prompt_name = (ProtobufCBinaryData){5, (uint8_t *)"query"};
    wire.request.maybe_normalize_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_NORMALIZE_NORMALIZE;
    wire.request.maybe_dimensions_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS;
    wire.request.dimensions = 7;
    wire.request.return_token_embeddings = true;
    wire.options.length_policy = HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_LEFT;
    wire.text.maybe_pair_case = HEADLIGHT__V1__TEXT__MAYBE_PAIR_PAIR;
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    assert_true(text_equal(request.inputs.model, text_view("model")));
    assert_true(text_equal(request.inputs.prepare.prompt_name, text_view("query")));
    assert_int_equal(request.inputs.prepare.length_policy, LENGTH_TRUNCATE_LEFT);
    assert_int_equal(request.embed.normalize, NORMALIZE_NO);
    assert_int_equal(request.embed.dimensions, 7);
    assert_true(request.embed.return_tokens);
    assert_int_equal(request.inputs.count, 2);
    assert_true(text_equal(request.inputs.texts[1].text, (TextView){"a\0b!", 4}));
    assert_true(request.inputs.texts[1].has_pair && request.inputs.texts[1].pair.size == 0);
    arena_free(&arena);
}

static void codec_request_embed_defaults_cut_long_texts_and_leave_the_rest_to_the_checkpoint(void **state)
{
    (void)state;
    Wire wire;
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault;
    wire_init(&wire, 1);
    wire.request.options = NULL;
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    assert_int_equal(request.inputs.prepare.length_policy, LENGTH_AUTO);
    assert_int_equal(request.inputs.prepare.chunking.token_count, 0);
    assert_int_equal(request.inputs.prepare.chunking.overlap, CHUNK_OVERLAP_DEFAULT);
    assert_false(request.inputs.prepare.late_chunks || request.embed.return_chunks);
    assert_int_equal(request.embed.normalize, NORMALIZE_AS_CHECKPOINT);
    assert_int_equal(request.embed.dimensions, 0);
    assert_false(request.inputs.texts[0].has_pair);
    arena_free(&arena);
}

static void assert_refused(const Wire *wire, Status status, const char *field)
{
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault = {.field = ""};
    assert_int_equal(wire_read(wire, &arena, &request, &fault), status);
    assert_int_equal(fault.error.status, status);
    assert_string_equal(fault.field, field);
    assert_true(fault.error.message[0]);
    arena_free(&arena);
}

static void codec_request_embed_refuses_by_field(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire, 0);
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "inputs");
    wire_init(&wire, 3);
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "inputs");
    wire_init(&wire, 1);
    wire.request.model = (ProtobufCBinaryData){1, (uint8_t *)"\xFF"};
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "model");
    wire_init(&wire, 1);
    wire.request.maybe_dimensions_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "dimensions");
    wire_init(&wire, 1);
    wire.options.explanation = &wire.explanation;
    wire.explanation.form = (Headlight__V1__AttentionForm)77;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.explanation.form");
    ProtobufCBinaryData codes[] = {{4, (uint8_t *)"LEET"}, {4, (uint8_t *)"leet"}};
    wire_init(&wire, 1);
    wire.options.sanitize_enable = codes;
    wire.options.n_sanitize_enable = 2;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.sanitize_enable");
}

static void codec_request_embed_reads_what_is_asked_of_the_sanitizer(void **state)
{
    (void)state;
    Wire wire;
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault;
    ProtobufCBinaryData codes[] = {{4, (uint8_t *)"LEET"}, {9, (uint8_t *)"TYPO_WORD"}, {4, (uint8_t *)"LEET"}};
    wire_init(&wire, 1);
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    const CodecSanitize *read = &request.inputs.sanitize;
    assert_false(read->policy_given || read->level_given || read->return_cleaned);
    assert_int_equal(read->options.policy, SANITIZE_OFF);
    assert_int_equal(read->options.level, SANITIZE_MODERATE);
    assert_int_equal(read->options.enabled, 0);
    arena_free(&arena);
    wire.options.sanitize = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
    wire.options.sanitize_level = HEADLIGHT__V1__SANITIZE_LEVEL__SANITIZE_LEVEL_STRICT;
    wire.options.return_cleaned_text = true;
    wire.options.sanitize_enable = codes;
    wire.options.n_sanitize_enable = 3;
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    assert_true(read->policy_given && read->level_given && read->return_cleaned);
    assert_int_equal(read->options.policy, SANITIZE_CLEAN);
    assert_int_equal(read->options.level, SANITIZE_STRICT);
    assert_int_equal(read->options.enabled, (uint64_t)1 << RULE_LEET | (uint64_t)1 << RULE_TYPO_WORD);
    arena_free(&arena);
}

static void codec_request_embed_reads_how_to_cut(void **state)
{
    (void)state;
    Wire wire;
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault;
    Headlight__V1__Chunking chunking = HEADLIGHT__V1__CHUNKING__INIT;
    wire_init(&wire, 1);
    wire.options.chunking = &chunking;
    wire.options.length_policy = HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_CHUNK;
    wire.request.return_chunk_embeddings = true;
    chunking.token_count = 64;
    chunking.maybe_overlap_case = HEADLIGHT__V1__CHUNKING__MAYBE_OVERLAP_OVERLAP;
    chunking.aggregate = HEADLIGHT__V1__CHUNK_AGGREGATE__CHUNK_AGGREGATE_ATTENTION;
    for (uint32_t overlap = 0; overlap < 64; overlap += 63) {
        chunking.overlap = overlap;
        assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
        const PrepareOptions *prepare = &request.inputs.prepare;
        assert_true(prepare->length_policy == LENGTH_CHUNK && prepare->late_chunks && request.embed.return_chunks);
        assert_true(prepare->chunking.token_count == 64 && prepare->chunking.overlap == overlap);
        assert_int_equal(prepare->chunking.aggregate, CHUNK_ATTENTION);
        arena_free(&arena);
    }
}

static void codec_request_embed_refuses_cuts_that_cannot_be(void **state)
{
    (void)state;
    Wire wire;
    Headlight__V1__Chunking chunking = HEADLIGHT__V1__CHUNKING__INIT;
    wire_init(&wire, 1);
    wire.options.chunking = &chunking;
    for (int policy = 1; policy < 4; policy++) {
        wire.options.length_policy = (Headlight__V1__LengthPolicy)policy;
        assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.chunking");
    }
    wire.options.length_policy = HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO;
    chunking.aggregate = (Headlight__V1__ChunkAggregate)2;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.chunking.aggregate");
    chunking.aggregate = (Headlight__V1__ChunkAggregate)-1;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.chunking.aggregate");
    chunking.aggregate = HEADLIGHT__V1__CHUNK_AGGREGATE__CHUNK_AGGREGATE_MEAN;
    chunking.maybe_overlap_case = HEADLIGHT__V1__CHUNKING__MAYBE_OVERLAP_OVERLAP;
    chunking.overlap = UINT32_MAX;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.chunking.overlap");
    chunking.token_count = chunking.overlap = 16;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.chunking.overlap");
}

static void codec_request_embed_knows_each_enum_value(void **state)
{
    (void)state;
    Wire wire;
    for (int value = -2; value < 8; value++) {
        Arena arena;
        CodecEmbedRequest request;
        CodecFault fault = {.field = ""};
        wire_init(&wire, 1);
        wire.options.length_policy = (Headlight__V1__LengthPolicy)value;
        Status status = wire_read(&wire, &arena, &request, &fault);
        arena_free(&arena);
        bool known = value >= 0 && value <= 4;
        assert_int_equal(status, known ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        wire_init(&wire, 1);
        wire.options.sanitize = (Headlight__V1__SanitizePolicy)value;
        status = wire_read(&wire, &arena, &request, &fault);
        arena_free(&arena);
        assert_int_equal(status, known ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        wire_init(&wire, 1);
        wire.options.sanitize_level = (Headlight__V1__SanitizeLevel)value;
        status = wire_read(&wire, &arena, &request, &fault);
        arena_free(&arena);
        assert_int_equal(status, value >= 0 && value <= 3 ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
}

static void global_tokens_are_sorted_and_counted_once(void **state)
{
    (void)state;
    Wire wire;
    Arena arena;
    CodecEmbedRequest request;
    CodecFault fault;
    static const uint32_t expected[] = {0, 3, 7, UINT32_MAX};
    uint32_t indices[GLOBAL_TOKEN_COUNT_MAX + 1] = {7, 3, 7, UINT32_MAX, 0, 3};
    wire_init(&wire, 1);
    wire.options.global_token_indices = indices;
    wire.options.n_global_token_indices = 6;
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    assert_int_equal(request.inputs.prepare.global_count, 4);
    assert_memory_equal(request.inputs.prepare.global_positions, expected, sizeof expected);
    arena_free(&arena);
    wire.options.n_global_token_indices = GLOBAL_TOKEN_COUNT_MAX;
    assert_int_equal(wire_read(&wire, &arena, &request, &fault), STATUS_OK);
    arena_free(&arena);
    wire.options.n_global_token_indices = GLOBAL_TOKEN_COUNT_MAX + 1;
    assert_refused(&wire, STATUS_INVALID_ARGUMENT, "options.global_token_indices");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_request_embed_reads_every_field),
        cmocka_unit_test(codec_request_embed_defaults_cut_long_texts_and_leave_the_rest_to_the_checkpoint),
        cmocka_unit_test(codec_request_embed_refuses_by_field),
        cmocka_unit_test(codec_request_embed_reads_what_is_asked_of_the_sanitizer),
        cmocka_unit_test(codec_request_embed_reads_how_to_cut),
        cmocka_unit_test(codec_request_embed_refuses_cuts_that_cannot_be),
        cmocka_unit_test(codec_request_embed_knows_each_enum_value),
        cmocka_unit_test(global_tokens_are_sorted_and_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
