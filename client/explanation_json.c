#include "explanation_json.h"

#include "output.h"

#include <inttypes.h>
#include <stdlib.h>

static void explanation_print_text(FILE *stream, const char *name, TextView text)
{
    fprintf(stream, ",\"%s\":", name);
    output_json_text(stream, text);
}

static void explanation_print_float(FILE *stream, const char *name, float value)
{
    fprintf(stream, ",\"%s\":", name);
    output_float(stream, value);
}

static void explanation_print_numbers(FILE *stream, const char *name, const uint32_t *numbers, size_t count)
{
    fprintf(stream, ",\"%s\":[", name);
    for (size_t index = 0; index < count; index++)
        fprintf(stream, index ? ",%" PRIu32 : "%" PRIu32, numbers[index]);
    putc(']', stream);
}

static void explanation_print_floats(FILE *stream, const char *name, const float *values, size_t count)
{
    fprintf(stream, ",\"%s\":[", name);
    output_floats(stream, values, count, ",");
    putc(']', stream);
}

static void explanation_print_texts(FILE *stream, const char *name, const ProtobufCBinaryData *texts, size_t count)
{
    fprintf(stream, ",\"%s\":[", name);
    for (size_t index = 0; index < count; index++) {
        if (index) putc(',', stream);
        output_json_text(stream, codec_view(texts[index]));
    }
    putc(']', stream);
}

static void explanation_print_tokens(FILE *stream, const Explanation *explanation)
{
    fputs(",\"tokens\":[", stream);
    for (size_t index = 0; index < explanation->token_count; index++) {
        const Headlight__V1__ExplainedToken *token = explanation->tokens[index];
        fprintf(stream,
                "%s{\"id\":%" PRIu32 ",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32
                ",\"special\":%s,\"segment\":%" PRIu32,
                index ? "," : "", token->id, token->byte_begin, token->byte_end, token->special ? "true" : "false",
                token->segment);
        explanation_print_text(stream, "text", codec_view(token->text));
        putc('}', stream);
    }
    putc(']', stream);
}

static void explanation_print_piece(FILE *stream, const Headlight__V1__HeadAttention *piece, size_t token_count)
{
    size_t row_count = explanation_row_count(piece);
    size_t count = explanation_row(piece, row_count - 1, token_count).end;
    fprintf(stream, "{\"layer\":%" PRIu32 ",\"head\":%" PRIu32, piece->layer, piece->head);
    explanation_print_numbers(stream, "rows", piece->rows, piece->n_rows);
    if (piece->n_row_offsets) {
        explanation_print_numbers(stream, "row_offsets", piece->row_offsets, piece->n_row_offsets);
        explanation_print_numbers(stream, "columns", piece->columns, piece->n_columns);
    }
    fputs(",\"weights\":[", stream);
    for (size_t index = 0; index < count; index++) {
        if (index) putc(',', stream);
        output_float(stream, explanation_weight(piece, token_count, index));
    }
    putc(']', stream);
    explanation_print_floats(stream, "dropped_mass", piece->dropped_mass, piece->n_dropped_mass);
    putc('}', stream);
}

static void explanation_print_attribution(FILE *stream, const Headlight__V1__Attribution *attribution)
{
    fprintf(stream, "{\"method\":\"%s\"", explanation_method_name(attribution->method));
    explanation_print_text(stream, "target_label", codec_view(attribution->target_label));
    explanation_print_floats(stream, "scores", attribution->scores, attribution->n_scores);
    if (attribution->faithfulness) {
        fputs(",\"faithfulness\":{\"comprehensiveness\":", stream);
        output_float(stream, attribution->faithfulness->comprehensiveness);
        explanation_print_float(stream, "sufficiency", attribution->faithfulness->sufficiency);
        explanation_print_text(stream, "removal", codec_view(attribution->faithfulness->removal));
        putc('}', stream);
    }
    if (attribution->maybe_completeness_error_case ==
        HEADLIGHT__V1__ATTRIBUTION__MAYBE_COMPLETENESS_ERROR_COMPLETENESS_ERROR)
        explanation_print_float(stream, "completeness_error", attribution->completeness_error);
    putc('}', stream);
}

static void explanation_print_surrogate(FILE *stream, const Headlight__V1__Surrogate *surrogate)
{
    fprintf(stream, "{\"method\":\"%s\"", explanation_method_name(surrogate->method));
    explanation_print_text(stream, "target_label", codec_view(surrogate->target_label));
    explanation_print_texts(stream, "features", surrogate->features, surrogate->n_features);
    if (surrogate->n_segments)
        explanation_print_numbers(stream, "segments", surrogate->segments, surrogate->n_segments);
    explanation_print_floats(stream, "weights", surrogate->weights, surrogate->n_weights);
    fputs(",\"nodes\":[", stream);
    for (size_t index = 0; index < surrogate->n_nodes; index++) {
        const Headlight__V1__RuleNode *node = surrogate->nodes[index];
        fprintf(stream, "%s{\"if_true\":%" PRId32 ",\"if_false\":%" PRId32 ",\"sample_count\":%" PRIu32,
                index ? "," : "", node->if_true, node->if_false, node->sample_count);
        explanation_print_text(stream, "condition", codec_view(node->condition));
        explanation_print_float(stream, "value", node->value);
        putc('}', stream);
    }
    putc(']', stream);
    explanation_print_texts(stream, "rule", surrogate->rule, surrogate->n_rule);
    explanation_print_float(stream, "fidelity", surrogate->fidelity);
    explanation_print_float(stream, "coverage", surrogate->coverage);
    fprintf(stream, ",\"sample_count\":%" PRIu32 "}", surrogate->sample_count);
}

/* One of the lists, which may go on from part to part. */
typedef enum ExplanationList {
    EXPLANATION_ATTENTION,
    EXPLANATION_ATTRIBUTIONS,
    EXPLANATION_SURROGATES
} ExplanationList;

static void explanation_print_list(FILE *stream, const Explanation *explanation, const char *name,
                                   ExplanationList list)
{
    size_t printed = 0;
    fprintf(stream, ",\"%s\":[", name);
    for (size_t part = 0; part < explanation->part_count; part++) {
        const Headlight__V1__Explanation *message = explanation->parts[part].message;
        size_t count = list == EXPLANATION_ATTENTION      ? message->n_attention
                       : list == EXPLANATION_ATTRIBUTIONS ? message->n_attributions
                                                          : message->n_surrogates;
        for (size_t index = 0; index < count; index++) {
            if (printed++) putc(',', stream);
            if (list == EXPLANATION_ATTENTION)
                explanation_print_piece(stream, message->attention[index], explanation->token_count);
            else if (list == EXPLANATION_ATTRIBUTIONS)
                explanation_print_attribution(stream, message->attributions[index]);
            else
                explanation_print_surrogate(stream, message->surrogates[index]);
        }
    }
    putc(']', stream);
}

void explanation_print_json(FILE *stream, const Explanation *explanation)
{
    fprintf(stream, "{\"chunk\":%" PRIu32, explanation->chunk);
    explanation_print_list(stream, explanation, "attention", EXPLANATION_ATTENTION);
    explanation_print_members(stream, explanation);
    putc('}', stream);
}

void explanation_print_members(FILE *stream, const Explanation *explanation)
{
    explanation_print_tokens(stream, explanation);
    explanation_print_list(stream, explanation, "attributions", EXPLANATION_ATTRIBUTIONS);
    explanation_print_list(stream, explanation, "surrogates", EXPLANATION_SURROGATES);
    explanation_print_text(stream, "summary", explanation_summary(explanation));
}

/* ---- BertViz ---- */

/* Rows are complete and in order: bertviz knows matrices only. */
static bool explanation_is_square(const ExplanationHead *head, size_t token_count)
{
    size_t next = 0;
    for (size_t piece = 0; piece < head->piece_count; piece++) {
        if (head->pieces[piece]->n_row_offsets) return false;
        for (size_t row = 0; row < head->pieces[piece]->n_rows; row++)
            if (head->pieces[piece]->rows[row] != next++) return false;
    }
    return next == token_count;
}

static void explanation_print_matrix(const ExplanationHead *head, size_t token_count)
{
    putchar('[');
    for (size_t piece = 0; piece < head->piece_count; piece++) {
        const Headlight__V1__HeadAttention *some = head->pieces[piece];
        for (size_t row = 0; row < some->n_rows; row++) {
            fputs(piece || row ? ",\n[" : "[", stdout);
            for (size_t column = 0; column < token_count; column++) {
                if (column) putchar(',');
                output_float(stdout, explanation_weight(some, token_count, row * token_count + column));
            }
            putchar(']');
        }
    }
    putchar(']');
}

/* The heads of all layers must be the same, or there is no tensor; how many there are of the first layer. */
static Status explanation_print_layers(const Headlight__V1__HeadAttention *const *pieces, size_t count,
                                       size_t token_count, Error *out_error)
{
    ExplanationHead head;
    size_t position = 0, first_count = 0, head_count = 0;
    for (uint32_t layer = UINT32_MAX; explanation_next_head(pieces, count, &position, &head); layer = head.layer) {
        bool begins = layer != head.layer;
        if (begins && layer != UINT32_MAX && first_count == 0) first_count = head_count;
        if (begins && first_count && head_count != first_count)
            return error_set(out_error, STATUS_CORRUPT, "bertviz wants the same heads of each layer");
        if (!explanation_is_square(&head, token_count))
            return error_set(out_error, STATUS_CORRUPT, "bertviz wants every row of a head, and each one dense");
        fputs(begins && layer != UINT32_MAX ? "]],\n[[" : begins ? "[[" : ",\n", stdout);
        explanation_print_matrix(&head, token_count);
        head_count = begins ? 1 : head_count + 1;
    }
    fputs(count ? "]]" : "", stdout);
    return STATUS_OK;
}

static void explanation_print_places(const Headlight__V1__HeadAttention *const *pieces, size_t count)
{
    ExplanationHead head;
    size_t position = 0;
    fputs("],\n\"layers\":[", stdout);
    for (uint32_t layer = UINT32_MAX; explanation_next_head(pieces, count, &position, &head); layer = head.layer)
        if (layer != head.layer) printf(layer == UINT32_MAX ? "%" PRIu32 : ",%" PRIu32, head.layer);
    fputs("],\"heads\":[", stdout);
    position = 0;
    for (bool first = true; explanation_next_head(pieces, count, &position, &head); first = false) {
        if (head.layer != pieces[0]->layer) break;
        printf(first ? "%" PRIu32 : ",%" PRIu32, head.head);
    }
    putchar(']');
}

Status explanation_print_bertviz(const Explanation *explanation, Error *out_error)
{
    const Headlight__V1__HeadAttention **pieces = NULL;
    size_t count, second = 0;
    Status status = explanation_sort(explanation, &pieces, &count, out_error);
    if (status != STATUS_OK) return status;
    fputs("{\"attention\":[", stdout);
    status = explanation_print_layers(pieces, count, explanation->token_count, out_error);
    explanation_print_places(pieces, count);
    fputs(",\n\"tokens\":[", stdout);
    for (size_t index = 0; index < explanation->token_count; index++) {
        if (index) putchar(',');
        output_json_text(stdout, codec_view(explanation->tokens[index]->text));
        if (!second && explanation->tokens[index]->segment) second = index;
    }
    putchar(']');
    if (second) printf(",\"sentence_b_start\":%zu", second);
    puts("}");
    free(pieces);
    return status;
}
