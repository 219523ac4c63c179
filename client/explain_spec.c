#include "explain_spec.h"

#include "output.h"

#include <stdlib.h>
#include <string.h>

const char *const explain_method_names[] = {
    "attention",
    "rollout",
    "value-norm",
    "occlusion",
    "gradient-input",
    "integrated-gradients",
    "surrogate-linear",
    "surrogate-tree",
    "anchor-rule",
    "summary",
    NULL,
};
const char *const explain_form_names[] = {"auto", "dense", "top-k", "sparse", NULL};
const char *const explain_weight_names[] = {"auto", "float32", "float16", "uint8", NULL};
const char *const explain_aggregate_names[] = {"none", "mean", "max", NULL};
const char *const explain_removal_names[] = {"auto", "mask", "delete", NULL};

/* The most numbers of one list: every token of a long text. */
enum { EXPLAIN_NUMBERS_MAX = 65536 };

bool explain_spec_has(const ExplainSpec *spec, Headlight__V1__ExplanationMethod method)
{
    for (size_t index = 0; index < spec->message.n_methods; index++)
        if (spec->methods[index] == method) return true;
    return false;
}

void explain_spec_add(ExplainSpec *spec, Headlight__V1__ExplanationMethod method)
{
    if (explain_spec_has(spec, method)) return;
    spec->methods[spec->message.n_methods++] = method;
    spec->message.methods = spec->methods;
}

static Status explain_spec_name(ExplainSpec *spec, const char *name, size_t size, Error *out_error)
{
    for (size_t index = 0; explain_method_names[index]; index++) {
        if (strlen(explain_method_names[index]) != size || memcmp(explain_method_names[index], name, size) != 0)
            continue;
        explain_spec_add(spec, (Headlight__V1__ExplanationMethod)index);
        return STATUS_OK;
    }
    char names[256] = "";
    for (size_t index = 0; explain_method_names[index]; index++)
        text_list_add(names, sizeof names, text_view(explain_method_names[index]));
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "--method: '%.*s' is none of: %s",
                     (int)(size < 64 ? size : 64), name, names);
}

static Status explain_spec_methods(const OptionList *list, ExplainSpec *spec, Error *out_error)
{
    for (size_t index = 0; index < list->count; index++) {
        for (const char *name = list->values[index];; name++) {
            size_t size = strcspn(name, ",");
            Status status = explain_spec_name(spec, name, size, out_error);
            if (status != STATUS_OK) return status;
            name += size;
            if (!*name) break;
        }
    }
    return STATUS_OK;
}

/* A number without sign, at *at; false when there is none. */
static bool explain_spec_number(const char **at, uint32_t *out_number)
{
    if (**at < '0' || **at > '9') return false;
    char *end;
    unsigned long long number = strtoull(*at, &end, 10);
    *at = end;
    *out_number = (uint32_t)number;
    return number <= UINT32_MAX;
}

/* "0,2,5-8" into `numbers`, of which EXPLAIN_NUMBERS_MAX fit; false when it is no such list. */
static bool explain_spec_split(const char *list, uint32_t *numbers, size_t *out_count)
{
    size_t count = 0;
    for (const char *at = list;; at++) {
        uint32_t first, last;
        if (!explain_spec_number(&at, &first)) return false;
        last = first;
        if (*at == '-' && (at++, !explain_spec_number(&at, &last))) return false;
        if (last < first || last - first >= EXPLAIN_NUMBERS_MAX - count) return false;
        for (uint32_t number = first; number < last; number++) numbers[count++] = number;
        numbers[count++] = last;
        if (!*at) break;
        if (*at != ',') return false;
    }
    *out_count = count;
    return true;
}

static Status explain_spec_list(const char *flag, const char *list, uint32_t **numbers, uint32_t **out_list,
                                size_t *out_count, Error *out_error)
{
    if (!*list) return STATUS_OK;
    if (!explain_spec_split(list, *numbers, out_count))
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "--%s: '%s' is no list such as 0,2,5-8", flag, list);
    *out_list = *numbers;
    *numbers += *out_count;
    return STATUS_OK;
}

static Status explain_spec_lists(const ExplainAsked *asked, ExplainSpec *spec, Error *out_error)
{
    Headlight__V1__ExplanationSpec *message = &spec->message;
    spec->numbers = malloc(3 * (size_t)EXPLAIN_NUMBERS_MAX * sizeof *spec->numbers);
    if (!spec->numbers) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    uint32_t *numbers = spec->numbers;
    bool all = strcmp(asked->rows, "all") == 0,
         listed = *asked->rows && !all && strcmp(asked->rows, "pooled") != 0;
    message->rows = listed ? HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_LISTED
                    : all  ? HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_ALL
                           : HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_POOLED;
    Status status =
        explain_spec_list("layers", asked->layers, &numbers, &message->layers, &message->n_layers, out_error);
    if (status == STATUS_OK)
        status = explain_spec_list("heads", asked->heads, &numbers, &message->heads, &message->n_heads, out_error);
    if (status == STATUS_OK && listed)
        status = explain_spec_list("rows", asked->rows, &numbers, &message->row_indices, &message->n_row_indices,
                                   out_error);
    return status;
}

Status explain_spec_make(const ExplainAsked *asked, ExplainSpec *out_spec, Error *out_error)
{
    Headlight__V1__ExplanationSpec *message = &out_spec->message;
    *out_spec = (ExplainSpec){.numbers = NULL};
    headlight__v1__explanation_spec__init(message);
    if (asked->form) message->form = (Headlight__V1__AttentionForm)(asked->form - 1);
    if (asked->weights) message->weight_format = (Headlight__V1__WeightFormat)(asked->weights - 1);
    message->top_k = (uint32_t)asked->top_k;
    message->aggregate = (Headlight__V1__HeadAggregate)asked->aggregate;
    if (*asked->target) {
        message->maybe_target_label_case = HEADLIGHT__V1__EXPLANATION_SPEC__MAYBE_TARGET_LABEL_TARGET_LABEL;
        message->target_label = codec_text(text_view(asked->target));
    }
    message->max_bytes = asked->bytes_max;
    message->sample_count = (uint32_t)asked->sample_count;
    message->step_count = (uint32_t)asked->step_count;
    message->seed = asked->seed;
    message->faithfulness = asked->faithfulness;
    message->removal = (Headlight__V1__Removal)asked->removal;
    Status status = explain_spec_methods(&asked->methods, out_spec, out_error);
    if (status == STATUS_OK) status = explain_spec_lists(asked, out_spec, out_error);
    return status;
}

void explain_spec_free(ExplainSpec *spec)
{
    free(spec->numbers);
    spec->numbers = NULL;
}
