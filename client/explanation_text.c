#include "explanation_text.h"

#include "output.h"
#include "picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* An attribution's, or for attention the mean of all weights that were sent. */
typedef struct ExplanationScores {
    const char *method;
    TextView target;
    const float *scores;                           /* one a token */
    const Headlight__V1__Attribution *attribution; /* NULL: attention */
} ExplanationScores;

static void explanation_add_piece(const Headlight__V1__HeadAttention *piece, float *sums, size_t token_count)
{
    for (size_t row = 0; row < explanation_row_count(piece); row++) {
        ByteRange range = explanation_row(piece, row, token_count);
        for (size_t index = range.begin; index < range.end; index++) {
            size_t column = piece->n_row_offsets ? piece->columns[index] : index - range.begin;
            sums[column] += explanation_weight(piece, token_count, index);
        }
    }
}

/* The mean row of all heads, layers and rows that are there; the caller frees it. *out_mean is NULL where there are
 * none. */
static Status explanation_average(const Explanation *explanation, float **out_mean, Error *out_error)
{
    *out_mean = NULL;
    float *sums = calloc(explanation->token_count + 1, sizeof *sums);
    if (!sums) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    size_t row_count = 0;
    for (size_t part = 0; part < explanation->part_count; part++) {
        const Headlight__V1__Explanation *message = explanation->parts[part].message;
        for (size_t index = 0; index < message->n_attention; index++) {
            explanation_add_piece(message->attention[index], sums, explanation->token_count);
            row_count += explanation_row_count(message->attention[index]);
        }
    }
    for (size_t token = 0; token < explanation->token_count && row_count; token++) sums[token] /= (float)row_count;
    if (!row_count) free(sums);
    *out_mean = row_count ? sums : NULL;
    return STATUS_OK;
}

/* ---- A picture ---- */

enum { HEAT_LEVELS = 5 };
/* Backgrounds of the 256-colour palette on which black letters are read, whatever the terminal's own colours. */
static const int heat_shades[2][HEAT_LEVELS] = {{230, 223, 216, 209, 202}, {189, 153, 117, 75, 39}};

typedef struct Heat {
    const Explanation *explanation;
    const float *scores;
    float top; /* the greatest score of a token of the text, whichever its sign */
    bool colours;
} Heat;

static float heat_top(const Explanation *explanation, const float *scores)
{
    float top = 0;
    for (size_t token = 0; token < explanation->token_count; token++)
        if (!explanation->tokens[token]->special && fabsf(scores[token]) > top) top = fabsf(scores[token]);
    return top;
}

/* 0: not marked. */
static int heat_level(float score, float top)
{
    if (!(top > 0) || !isfinite(score)) return 0;
    return (int)lrintf(HEAT_LEVELS * fminf(fabsf(score) / top, 1));
}

static void heat_print_token(const Heat *heat, TextView token, float score)
{
    int level = heat_level(score, heat->top);
    if (heat->colours && level > 0)
        printf("\x1B[48;5;%d;38;5;16m", heat_shades[score < 0][level - 1]);
    else if (level > 1)
        putchar('[');
    picture_print_text(stdout, token);
    if (heat->colours && level > 0)
        fputs("\x1B[0m", stdout);
    else if (level > 1)
        printf(" %+.2g]", (double)score);
}

static TextView heat_part(TextView text, size_t begin, size_t end)
{
    return (TextView){text.bytes + begin, end - begin};
}

/* One text, its tokens marked. Tokens that share their bytes, as those of a rare character may, are one mark. */
static void heat_print_segment(const Heat *heat, TextView text, uint32_t segment)
{
    size_t at = 0;
    fputs("    ", stdout);
    for (size_t index = 0; index < heat->explanation->token_count; index++) {
        const Headlight__V1__ExplainedToken *token = heat->explanation->tokens[index];
        size_t begin = token->byte_begin < at ? at : token->byte_begin;
        size_t end = token->byte_end < text.size ? token->byte_end : text.size;
        if (token->special || token->segment != segment || begin >= end) continue;
        picture_print_text(stdout, heat_part(text, at, begin));
        heat_print_token(heat, heat_part(text, begin, end), heat->scores[index]);
        at = end;
    }
    picture_print_text(stdout, heat_part(text, at, text.size));
    putchar('\n');
}

static void heat_print_quality(const Headlight__V1__Attribution *attribution)
{
    if (attribution->faithfulness) {
        printf("    comprehensiveness %.3f, sufficiency %.3f (",
               (double)attribution->faithfulness->comprehensiveness,
               (double)attribution->faithfulness->sufficiency);
        output_plain_text(stdout, codec_view(attribution->faithfulness->removal));
        puts(")");
    }
    if (attribution->maybe_completeness_error_case ==
        HEADLIGHT__V1__ATTRIBUTION__MAYBE_COMPLETENESS_ERROR_COMPLETENESS_ERROR)
        printf("    completeness error %.2f %%\n", 100 * (double)attribution->completeness_error);
}

static void heat_print_heading(const char *method, TextView target, bool colours)
{
    printf("%s  %s", colours ? "\x1B[1m" : "", method);
    if (target.size) fputs(" of ", stdout);
    output_plain_text(stdout, target);
    puts(colours ? "\x1B[0m" : "");
}

static void heat_print_scores(const Explanation *explanation, const ExplanationScores *found, TextView text,
                              TextView pair, bool colours)
{
    Heat heat = {explanation, found->scores, heat_top(explanation, found->scores), colours};
    heat_print_heading(found->method, found->target, colours);
    heat_print_segment(&heat, text, 0);
    if (pair.size) heat_print_segment(&heat, pair, 1);
    if (found->attribution) heat_print_quality(found->attribution);
}

/* ---- Surrogates ---- */

static void heat_print_node(const Headlight__V1__Surrogate *surrogate, size_t index, int depth)
{
    const Headlight__V1__RuleNode *node = surrogate->nodes[index];
    if (node->if_true < 0) {
        printf(" %.3f (%" PRIu32 " samples)\n", (double)node->value, node->sample_count);
        return;
    }
    putchar(' ');
    output_plain_text(stdout, codec_view(node->condition));
    printf("\n%*syes:", 6 + 2 * depth, "");
    heat_print_node(surrogate, (size_t)node->if_true, depth + 1);
    printf("%*sno:", 6 + 2 * depth, "");
    heat_print_node(surrogate, (size_t)node->if_false, depth + 1);
}

/* Of a pair, with the text that it is of. */
static void surrogate_print_feature(const Headlight__V1__Surrogate *surrogate, size_t index)
{
    output_plain_text(stdout, codec_view(surrogate->features[index]));
    if (surrogate->n_segments) fputs(surrogate->segments[index] ? " in the pair" : " in the text", stdout);
}

static void heat_print_surrogate(const Headlight__V1__Surrogate *surrogate, bool colours)
{
    heat_print_heading(explanation_method_name(surrogate->method), codec_view(surrogate->target_label), colours);
    for (size_t index = 0; index < surrogate->n_weights; index++) {
        printf("    %+.4f ", (double)surrogate->weights[index]);
        surrogate_print_feature(surrogate, index);
        putchar('\n');
    }
    if (surrogate->n_nodes) {
        fputs("   ", stdout);
        heat_print_node(surrogate, 0, 0);
    }
    for (size_t index = 0; index < surrogate->n_rule; index++) {
        fputs(index ? "    and " : "    if ", stdout);
        output_plain_text(stdout, codec_view(surrogate->rule[index]));
        putchar('\n');
    }
    printf("    fidelity %.3f", (double)surrogate->fidelity);
    if (surrogate->n_rule) printf(", coverage %.3f", (double)surrogate->coverage);
    printf(", %" PRIu32 " samples\n", surrogate->sample_count);
}

Status explanation_print_heat(const Explanation *explanation, TextView text, TextView pair, bool colours,
                              Error *out_error)
{
    float *mean;
    Status status = explanation_average(explanation, &mean, out_error);
    if (status != STATUS_OK) return status;
    if (mean) {
        const ExplanationScores attention = {"attention, the mean", {"", 0}, mean, NULL};
        heat_print_scores(explanation, &attention, text, pair, colours);
    }
    for (size_t part = 0; part < explanation->part_count; part++) {
        const Headlight__V1__Explanation *message = explanation->parts[part].message;
        for (size_t index = 0; index < message->n_attributions; index++) {
            const Headlight__V1__Attribution *one = message->attributions[index];
            const ExplanationScores found = {explanation_method_name(one->method), codec_view(one->target_label),
                                             one->scores, one};
            heat_print_scores(explanation, &found, text, pair, colours);
        }
        for (size_t index = 0; index < message->n_surrogates; index++)
            heat_print_surrogate(message->surrogates[index], colours);
    }
    TextView summary = explanation_summary(explanation);
    if (summary.size) {
        fputs("  ", stdout);
        picture_print_text(stdout, summary);
        putchar('\n');
    }
    free(mean);
    return STATUS_OK;
}

/* ---- Lines ---- */

static void lines_print_scores(const Explanation *explanation, uint64_t index, const char *method,
                               const float *scores)
{
    for (size_t number = 0; number < explanation->token_count; number++) {
        const Headlight__V1__ExplainedToken *token = explanation->tokens[number];
        printf("%" PRIu64 "\t%s\t%zu\t%" PRIu32 "\t%" PRIu32 "\t", index, method, number, token->byte_begin,
               token->byte_end);
        output_plain_text(stdout, codec_view(token->text));
        putchar('\t');
        output_float(stdout, scores[number]);
        putchar('\n');
    }
}

static void lines_begin(uint64_t index, const char *method)
{
    printf("%" PRIu64 "\t%s\t", index, method);
}

static void lines_print_surrogate(uint64_t index, const Headlight__V1__Surrogate *surrogate)
{
    const char *method = explanation_method_name(surrogate->method);
    for (size_t number = 0; number < surrogate->n_weights; number++) {
        lines_begin(index, method);
        surrogate_print_feature(surrogate, number);
        putchar('\t');
        output_float(stdout, surrogate->weights[number]);
        putchar('\n');
    }
    for (size_t number = 0; number < surrogate->n_nodes; number++) {
        const Headlight__V1__RuleNode *node = surrogate->nodes[number];
        lines_begin(index, method);
        printf("%zu\t", number);
        output_plain_text(stdout, codec_view(node->condition));
        printf("\t%" PRId32 "\t%" PRId32 "\t", node->if_true, node->if_false);
        output_float(stdout, node->value);
        printf("\t%" PRIu32 "\n", node->sample_count);
    }
    for (size_t number = 0; number < surrogate->n_rule; number++) {
        lines_begin(index, method);
        output_plain_text(stdout, codec_view(surrogate->rule[number]));
        putchar('\n');
    }
}

Status explanation_print_lines(const Explanation *explanation, uint64_t index, Error *out_error)
{
    float *mean;
    Status status = explanation_average(explanation, &mean, out_error);
    if (status != STATUS_OK) return status;
    if (mean) lines_print_scores(explanation, index, "attention", mean);
    for (size_t part = 0; part < explanation->part_count; part++) {
        const Headlight__V1__Explanation *message = explanation->parts[part].message;
        for (size_t number = 0; number < message->n_attributions; number++)
            lines_print_scores(explanation, index, explanation_method_name(message->attributions[number]->method),
                               message->attributions[number]->scores);
        for (size_t number = 0; number < message->n_surrogates; number++)
            lines_print_surrogate(index, message->surrogates[number]);
    }
    TextView summary = explanation_summary(explanation);
    if (summary.size) {
        lines_begin(index, "summary");
        output_plain_text(stdout, summary);
        putchar('\n');
    }
    free(mean);
    return STATUS_OK;
}
