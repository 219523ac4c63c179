/* What a request asks of an explanation, field by field. */
#include "base/limits.h"
#include "rpc/codec_request_fields.h"
#include "unicode/utf8.h"

#include <assert.h>

/* Names its field in faults. */
#define EXPLANATION(field) "options.explanation." field

typedef Headlight__V1__ExplanationSpec Spec;

static Status methods_read(const Spec *from, ExplainSpec *spec, CodecFault *out_fault)
{
    static_assert((int)HEADLIGHT__V1__EXPLANATION_METHOD__EXPLANATION_METHOD_SUMMARY == (int)EXPLAIN_SUMMARY,
                  "the same order");
    if (from->n_methods == 0) spec->methods = 1u << EXPLAIN_ATTENTION;
    for (size_t i = 0; i < from->n_methods; i++) {
        int method = (int)from->methods[i];
        if (method < 0 || method >= EXPLAIN_METHOD_COUNT) {
            return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, EXPLANATION("methods"),
                                   "unknown explanation method %d", method);
        }
        spec->methods |= 1u << method;
    }
    return STATUS_OK;
}

/* A value of an enum whose last one is `last`. */
static Status choice_read(int value, int last, const char *field, CodecFault *out_fault)
{
    if (value >= 0 && value <= last) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "unknown %s %d",
                           field + sizeof EXPLANATION("") - 1, value);
}

static Status choices_read(const Spec *from, ExplainSpec *spec, CodecFault *out_fault)
{
    static_assert((int)HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_LISTED == (int)EXPLAIN_ROWS_LISTED,
                  "the same order");
    static_assert((int)HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_SPARSE == (int)EXPLAIN_FORM_SPARSE,
                  "the same order");
    static_assert((int)HEADLIGHT__V1__HEAD_AGGREGATE__HEAD_AGGREGATE_MAX == (int)EXPLAIN_HEADS_MAX,
                  "the same order");
    static_assert((int)HEADLIGHT__V1__WEIGHT_FORMAT__WEIGHT_FORMAT_UINT8 == (int)EXPLAIN_UINT8, "the same order");
    static_assert((int)HEADLIGHT__V1__REMOVAL__REMOVAL_DELETE == (int)EXPLAIN_DELETE + 1,
                  "after its default the same order");
    Status status = choice_read((int)from->rows, EXPLAIN_ROWS_LISTED, EXPLANATION("rows"), out_fault);
    if (!status) status = choice_read((int)from->form, EXPLAIN_FORM_SPARSE, EXPLANATION("form"), out_fault);
    if (!status) {
        status = choice_read((int)from->aggregate, EXPLAIN_HEADS_MAX, EXPLANATION("aggregate"), out_fault);
    }
    if (!status) {
        status = choice_read((int)from->weight_format, EXPLAIN_UINT8, EXPLANATION("weight_format"), out_fault);
    }
    if (!status) {
        status = choice_read((int)from->removal, EXPLAIN_DELETE + 1, EXPLANATION("removal"), out_fault);
    }
    if (status) return status;
    spec->rows = (ExplainRows)from->rows;
    spec->form = (ExplainForm)from->form;
    spec->aggregate = (ExplainAggregate)from->aggregate;
    spec->format = (ExplainFormat)from->weight_format;
    spec->has_removal = from->removal > 0;
    if (spec->has_removal) spec->removal = (ExplainRemoval)(from->removal - 1);
    return STATUS_OK;
}

/* A list of at most `count_max`; of the model's layers, heads or tokens there cannot be more. */
static Status list_read(uint32_t *list, size_t count, uint32_t count_max, const char *field, uint32_t *out_count,
                        CodecFault *out_fault)
{
    if (count > count_max) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%zu %s, at most %u are taken", count,
                               field + sizeof EXPLANATION("") - 1, count_max);
    }
    *out_count = codec_field_sort(list, count);
    return STATUS_OK;
}

static Status lists_read(const Spec *from, ExplainSpec *spec, CodecFault *out_fault)
{
    Status status = list_read(from->layers, from->n_layers, MODEL_LAYER_COUNT_MAX, EXPLANATION("layers"),
                              &spec->layer_count, out_fault);
    if (!status) {
        status = list_read(from->heads, from->n_heads, MODEL_HEAD_COUNT_MAX, EXPLANATION("heads"),
                           &spec->head_count, out_fault);
    }
    if (!status) {
        status = list_read(from->row_indices, from->n_row_indices, MODEL_POSITION_COUNT_MAX,
                           EXPLANATION("row_indices"), &spec->row_count, out_fault);
    }
    spec->layers = from->layers;
    spec->heads = from->heads;
    spec->row_indices = from->row_indices;
    if (status || (spec->rows == EXPLAIN_ROWS_LISTED) == (spec->row_count > 0)) return status;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, EXPLANATION("row_indices"),
                           spec->row_count ? "row_indices are of rows LISTED: another was given"
                                           : "rows LISTED, but row_indices is empty");
}

static Status counts_read(const Spec *from, ExplainSpec *spec, CodecFault *out_fault)
{
    Status status = codec_field_count(from->top_k, EXPLAIN_TOP_K_DEFAULT, MODEL_POSITION_COUNT_MAX,
                                      EXPLANATION("top_k"), &spec->top_k, out_fault);
    if (!status) {
        status = codec_field_count(from->sample_count, 0, EXPLAIN_SAMPLE_COUNT_MAX, EXPLANATION("sample_count"),
                                   &spec->sample_count, out_fault);
    }
    if (!status) {
        status = codec_field_count(from->step_count, 0, EXPLAIN_STEP_COUNT_MAX, EXPLANATION("step_count"),
                                   &spec->step_count, out_fault);
    }
    if (status || from->top_k == 0 || spec->form == EXPLAIN_FORM_TOP_K) return status;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, EXPLANATION("top_k"),
                           "top_k is of form TOP_K: another was given");
}

/* It is echoed where the model has no such label. */
static Status target_read(const Spec *from, ExplainSpec *spec, CodecFault *out_fault)
{
    spec->has_target =
        from->maybe_target_label_case == HEADLIGHT__V1__EXPLANATION_SPEC__MAYBE_TARGET_LABEL_TARGET_LABEL;
    if (!spec->has_target) return STATUS_OK;
    size_t position;
    spec->target_label = (TextView){(const char *)from->target_label.data, from->target_label.len};
    if (spec->target_label.size <= LABEL_BYTES_MAX && utf8_valid(spec->target_label, &position)) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, EXPLANATION("target_label"),
                           "target_label is not UTF-8, or has more than %u bytes", LABEL_BYTES_MAX);
}

Status codec_field_explanation(const Spec *from, ExplainSpec *out_spec, CodecFault *out_fault)
{
    const Spec defaults = HEADLIGHT__V1__EXPLANATION_SPEC__INIT;
    if (!from) from = &defaults;
    *out_spec =
        (ExplainSpec){.bytes_max = from->max_bytes, .seed = from->seed, .faithfulness = from->faithfulness};
    Status status = methods_read(from, out_spec, out_fault);
    if (!status) status = choices_read(from, out_spec, out_fault);
    if (!status) status = lists_read(from, out_spec, out_fault);
    if (!status) status = counts_read(from, out_spec, out_fault);
    if (!status) status = target_read(from, out_spec, out_fault);
    return status;
}
