/* ExplanationSpec: every field is read or refused by its name. */
#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef Headlight__V1__ExplanationMethod Method;

typedef struct Wire {
    Headlight__V1__ExplainRequest request;
    Headlight__V1__Text text;
    Headlight__V1__Options options;
    Headlight__V1__ExplanationSpec spec;
    Arena arena;
    CodecExplainRequest read;
    CodecFault fault;
} Wire;

static void wire_init(Wire *wire)
{
    headlight__v1__explain_request__init(&wire->request);
    headlight__v1__text__init(&wire->text);
    headlight__v1__options__init(&wire->options);
    headlight__v1__explanation_spec__init(&wire->spec);
    wire->text.text = (ProtobufCBinaryData){1, (uint8_t *)"a"};
    wire->request.input = &wire->text;
    wire->request.options = &wire->options;
    wire->options.explanation = &wire->spec;
}

/* Over the wire; the arena is the caller's to free. */
static Status wire_read(Wire *wire)
{
    size_t size = protobuf_c_message_get_packed_size(&wire->request.base);
    uint8_t *bytes = malloc(size + 1);
    protobuf_c_message_pack(&wire->request.base, bytes);
    arena_init(&wire->arena, REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * size);
    Status status = codec_request_explain(&wire->arena, bytes, size, &wire->read, &wire->fault);
    free(bytes);
    return status;
}

static void assert_refused(Wire *wire, const char *field, const char *words)
{
    assert_int_equal(wire_read(wire), STATUS_INVALID_ARGUMENT);
    assert_string_equal(wire->fault.field, field);
    if (!strstr(wire->fault.error.message, words)) fail_msg("%s", wire->fault.error.message);
    arena_free(&wire->arena);
    wire_init(wire);
}

static void codec_request_explain_defaults_to_attention_of_the_pooled_row(void **state)
{
    (void)state;
    Wire wire;
    wire_init(&wire);
    for (int given = 0; given < 3; given++) {
        if (given < 2) wire.options.explanation = NULL;
        if (given == 0) wire.request.options = NULL;
        assert_int_equal(wire_read(&wire), STATUS_OK);
        const CodecInputs *inputs = &wire.read.inputs;
        assert_int_equal(inputs->count, 1);
        assert_int_equal(inputs->shape, CODEC_SHAPE_INPUT);
        assert_true(inputs->explains);
        assert_int_equal(inputs->explain.methods, 1u << EXPLAIN_ATTENTION);
        assert_int_equal(inputs->explain.rows, EXPLAIN_ROWS_POOLED);
        assert_int_equal(inputs->explain.top_k, EXPLAIN_TOP_K_DEFAULT);
        assert_int_equal(inputs->explain.layer_count + inputs->explain.head_count, 0);
        assert_false(inputs->explain.has_target || inputs->explain.has_removal || inputs->explain.faithfulness);
        arena_free(&wire.arena);
        wire_init(&wire);
    }
}

static void codec_request_explain_reads_every_field(void **state)
{
    (void)state;
    uint32_t layers[] = {5, 0, 5, 2};
    uint32_t heads[] = {1};
    uint32_t rows[] = {9, 3};
    Method methods[] = {(Method)EXPLAIN_SUMMARY, (Method)EXPLAIN_ROLLOUT, (Method)EXPLAIN_ROLLOUT};
    Wire wire;
    wire_init(&wire);
    wire.spec.n_methods = 3;
    wire.spec.methods = methods;
    wire.spec.n_layers = 4;
    wire.spec.layers = layers;
    wire.spec.n_heads = 1;
    wire.spec.heads = heads;
    wire.spec.n_row_indices = 2;
    wire.spec.row_indices = rows;
    wire.spec.rows = HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_LISTED;
    wire.spec.form = HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_TOP_K;
    wire.spec.top_k = 3;
    wire.spec.aggregate = HEADLIGHT__V1__HEAD_AGGREGATE__HEAD_AGGREGATE_MAX;
    wire.spec.weight_format = HEADLIGHT__V1__WEIGHT_FORMAT__WEIGHT_FORMAT_UINT8;
    wire.spec.removal = HEADLIGHT__V1__REMOVAL__REMOVAL_DELETE;
    wire.spec.maybe_target_label_case = HEADLIGHT__V1__EXPLANATION_SPEC__MAYBE_TARGET_LABEL_TARGET_LABEL;
    wire.spec.target_label = (ProtobufCBinaryData){3, (uint8_t *)"pos"};
    wire.spec.max_bytes = UINT64_MAX;
    wire.spec.seed = 77;
    wire.spec.sample_count = EXPLAIN_SAMPLE_COUNT_MAX;
    wire.spec.step_count = EXPLAIN_STEP_COUNT_MAX;
    wire.spec.faithfulness = true;
    assert_int_equal(wire_read(&wire), STATUS_OK);
    const ExplainSpec *spec = &wire.read.inputs.explain;
    assert_int_equal(spec->methods, 1u << EXPLAIN_SUMMARY | 1u << EXPLAIN_ROLLOUT);
    assert_int_equal(spec->layer_count, 3);
    assert_true(spec->layers[0] == 0 && spec->layers[1] == 2 && spec->layers[2] == 5);
    assert_int_equal(spec->head_count, 1);
    assert_int_equal(spec->row_count, 2);
    assert_true(spec->row_indices[0] == 3 && spec->row_indices[1] == 9);
    assert_int_equal(spec->rows, EXPLAIN_ROWS_LISTED);
    assert_int_equal(spec->form, EXPLAIN_FORM_TOP_K);
    assert_int_equal(spec->top_k, 3);
    assert_int_equal(spec->aggregate, EXPLAIN_HEADS_MAX);
    assert_int_equal(spec->format, EXPLAIN_UINT8);
    assert_true(spec->has_removal && spec->removal == EXPLAIN_DELETE);
    assert_true(spec->has_target && text_equal(spec->target_label, text_view("pos")));
    assert_true(spec->bytes_max == UINT64_MAX && spec->seed == 77 && spec->faithfulness);
    assert_int_equal(spec->sample_count, EXPLAIN_SAMPLE_COUNT_MAX);
    assert_int_equal(spec->step_count, EXPLAIN_STEP_COUNT_MAX);
    arena_free(&wire.arena);
}

static void codec_request_explain_refuses_by_field(void **state)
{
    (void)state;
    Method methods[] = {(Method)EXPLAIN_ROLLOUT, (Method)10};
    static uint32_t many[MODEL_LAYER_COUNT_MAX + 1];
    static char label[LABEL_BYTES_MAX + 1];
    Wire wire;
    wire_init(&wire);
    wire.spec.n_methods = 2;
    wire.spec.methods = methods;
    assert_refused(&wire, "options.explanation.methods", "unknown explanation method 10");
    wire.spec.rows = (Headlight__V1__AttentionRows)3;
    assert_refused(&wire, "options.explanation.rows", "unknown rows 3");
    wire.spec.form = (Headlight__V1__AttentionForm)-1;
    assert_refused(&wire, "options.explanation.form", "unknown form -1");
    wire.spec.aggregate = (Headlight__V1__HeadAggregate)3;
    assert_refused(&wire, "options.explanation.aggregate", "unknown aggregate 3");
    wire.spec.weight_format = (Headlight__V1__WeightFormat)3;
    assert_refused(&wire, "options.explanation.weight_format", "unknown weight_format 3");
    wire.spec.removal = (Headlight__V1__Removal)3;
    assert_refused(&wire, "options.explanation.removal", "unknown removal 3");
    wire.spec.n_layers = MODEL_LAYER_COUNT_MAX + 1;
    wire.spec.layers = many;
    assert_refused(&wire, "options.explanation.layers", "257 layers, at most 256");
    wire.spec.n_heads = MODEL_HEAD_COUNT_MAX + 1;
    wire.spec.heads = many;
    assert_refused(&wire, "options.explanation.heads", "257 heads, at most 256");
    wire.spec.n_row_indices = 1;
    wire.spec.row_indices = many;
    assert_refused(&wire, "options.explanation.row_indices", "of rows LISTED");
    wire.spec.rows = HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_LISTED;
    assert_refused(&wire, "options.explanation.row_indices", "is empty");
    wire.spec.top_k = 4;
    assert_refused(&wire, "options.explanation.top_k", "of form TOP_K");
    wire.spec.sample_count = EXPLAIN_SAMPLE_COUNT_MAX + 1;
    assert_refused(&wire, "options.explanation.sample_count", "at most 100000");
    wire.spec.step_count = EXPLAIN_STEP_COUNT_MAX + 1;
    assert_refused(&wire, "options.explanation.step_count", "at most 1000");
    wire.spec.maybe_target_label_case = HEADLIGHT__V1__EXPLANATION_SPEC__MAYBE_TARGET_LABEL_TARGET_LABEL;
    wire.spec.target_label = (ProtobufCBinaryData){1, (uint8_t *)"\xFF"};
    assert_refused(&wire, "options.explanation.target_label", "not UTF-8");
    wire.spec.maybe_target_label_case = HEADLIGHT__V1__EXPLANATION_SPEC__MAYBE_TARGET_LABEL_TARGET_LABEL;
    wire.spec.target_label = (ProtobufCBinaryData){sizeof label, (uint8_t *)label};
    assert_refused(&wire, "options.explanation.target_label", "more than 1024 bytes");
    wire.request.input = NULL;
    assert_refused(&wire, "input", "input is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_request_explain_defaults_to_attention_of_the_pooled_row),
        cmocka_unit_test(codec_request_explain_reads_every_field),
        cmocka_unit_test(codec_request_explain_refuses_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
