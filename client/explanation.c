#include "explanation.h"

#include "explain_spec.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void explanation_clear(Explanations *explanations)
{
    for (size_t index = 0; index < explanations->count; index++) arena_free(&explanations->parts[index].arena);
    free(explanations->parts);
    free(explanations->tokens);
    *explanations = (Explanations){0};
}

const char *explanation_method_name(Headlight__V1__ExplanationMethod method)
{
    return (size_t)method < EXPLAIN_METHODS_MAX ? explain_method_names[method] : "unknown";
}

/* ---- What a part must be ---- */

size_t explanation_row_count(const Headlight__V1__HeadAttention *piece)
{
    return piece->n_rows ? piece->n_rows : 1;
}

/* How many weights a piece has, or SIZE_MAX where its lists contradict each other. */
static size_t explanation_count_weights(const Headlight__V1__HeadAttention *piece, size_t token_count)
{
    size_t row_count = explanation_row_count(piece);
    if (piece->n_row_offsets == 0) {
        if (piece->n_columns > 0) return SIZE_MAX;
        return row_count > UINT32_MAX / (token_count + 1) ? SIZE_MAX : row_count * token_count;
    }
    if (piece->n_row_offsets != row_count + 1 || piece->row_offsets[0] != 0) return SIZE_MAX;
    for (size_t row = 0; row < row_count; row++)
        if (piece->row_offsets[row] > piece->row_offsets[row + 1]) return SIZE_MAX;
    if (piece->row_offsets[row_count] != piece->n_columns) return SIZE_MAX;
    for (size_t index = 0; index < piece->n_columns; index++)
        if (piece->columns[index] >= token_count) return SIZE_MAX;
    return piece->n_columns;
}

static bool explanation_proves_piece(const Headlight__V1__HeadAttention *piece, size_t token_count)
{
    size_t count = explanation_count_weights(piece, token_count);
    if (count == SIZE_MAX) return false;
    for (size_t row = 0; row < piece->n_rows; row++)
        if (piece->rows[row] >= token_count) return false;
    bool dropped = piece->n_dropped_mass == 0 || piece->n_dropped_mass == explanation_row_count(piece);
    bool floats = piece->n_weights == count && piece->packed.len == 0;
    bool packed = piece->n_weights == 0 && (piece->packed.len == count || piece->packed.len == 2 * count);
    return dropped && (floats || packed);
}

/* Children stand behind their parents and have no other, so that whoever walks a tree meets each node once. */
static bool explanation_proves_tree(const Headlight__V1__Surrogate *surrogate)
{
    bool met[EXPLANATION_NODES_MAX] = {false};
    int32_t count = (int32_t)surrogate->n_nodes;
    for (int32_t index = 0; index < count; index++) {
        const Headlight__V1__RuleNode *node = surrogate->nodes[index];
        if (node->if_true == -1 && node->if_false == -1) continue;
        bool behind = node->if_true > index && node->if_true < count && node->if_false > index &&
                      node->if_false < count && node->if_true != node->if_false;
        if (!behind || met[node->if_true] || met[node->if_false]) return false;
        met[node->if_true] = met[node->if_false] = true;
    }
    return true;
}

static bool explanation_proves_surrogate(const Headlight__V1__Surrogate *surrogate)
{
    if (surrogate->n_nodes > EXPLANATION_NODES_MAX || !explanation_proves_tree(surrogate)) return false;
    bool segments = surrogate->n_segments == 0 || surrogate->n_segments == surrogate->n_features;
    return segments && (surrogate->n_weights == 0 || surrogate->n_weights == surrogate->n_features);
}

static const char *explanation_find_flaw(const Headlight__V1__Explanation *message, size_t token_count)
{
    for (size_t index = 0; index < message->n_tokens; index++)
        if (message->tokens[index]->byte_begin > message->tokens[index]->byte_end)
            return "a token ends before it begins";
    for (size_t index = 0; index < message->n_attention; index++)
        if (!explanation_proves_piece(message->attention[index], token_count))
            return "attention weights do not fit their rows";
    for (size_t index = 0; index < message->n_attributions; index++)
        if (message->attributions[index]->n_scores != token_count) return "there is not a score for each token";
    for (size_t index = 0; index < message->n_surrogates; index++)
        if (!explanation_proves_surrogate(message->surrogates[index])) return "a surrogate is no tree or no list";
    return NULL;
}

/* ---- Gathering ---- */

static Status explanation_corrupt(const char *flaw, Error *out_error)
{
    return error_set(out_error, STATUS_CORRUPT, "the server's explanation is malformed: %s", flaw);
}

/* Whether the message is a part of the explanation that came last. */
static bool explanation_goes_on(const Explanations *explanations, const Headlight__V1__Explanation *message)
{
    return explanations->count && explanations->parts[explanations->last].message->chunk == message->chunk;
}

/* Appends the part, whose arena is the explanations' from now on. */
static Status explanation_keep(Explanations *explanations, ExplanationPart part, Error *out_error)
{
    size_t capacity = explanations->capacity ? 2 * explanations->capacity : 8;
    size_t token_count = explanations->token_count + part.message->n_tokens;
    if (explanations->count == explanations->capacity) {
        ExplanationPart *grown = realloc(explanations->parts, capacity * sizeof *grown);
        if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
        explanations->parts = grown;
        explanations->capacity = capacity;
    }
    if (part.message->n_tokens) {
        Headlight__V1__ExplainedToken **grown = realloc(explanations->tokens, token_count * sizeof *grown);
        if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
        memcpy(grown + explanations->token_count, part.message->tokens, part.message->n_tokens * sizeof *grown);
        explanations->tokens = grown;
        explanations->token_count = token_count;
    }
    if (!explanation_goes_on(explanations, part.message)) {
        explanations->last = explanations->count;
        explanations->told = false;
    }
    explanations->told = explanations->told || part.message->n_attention || part.message->n_attributions;
    explanations->parts[explanations->count++] = part;
    return STATUS_OK;
}

/* The tokens of an explanation come before all that is said of them; how many there are with this part's. */
static Status explanation_check(const Explanations *explanations, const Headlight__V1__ExplainChunk *chunk,
                                Error *out_error)
{
    const Headlight__V1__Explanation *message = chunk->part;
    if (!message || chunk->index != explanations->count)
        return explanation_corrupt("a part is missing", out_error);
    bool same = explanation_goes_on(explanations, message);
    if (same && explanations->told && message->n_tokens) return explanation_corrupt("tokens come late", out_error);
    size_t token_begin = same ? explanations->parts[explanations->last].token_begin : explanations->token_count;
    const char *flaw = explanation_find_flaw(message, explanations->token_count - token_begin + message->n_tokens);
    return flaw ? explanation_corrupt(flaw, out_error) : STATUS_OK;
}

Status explanation_add(Explanations *explanations, const uint8_t *bytes, size_t size, Error *out_error)
{
    if (size > EXPLANATION_BYTES_MAX - explanations->bytes)
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the explanation is larger than %" PRIu64 " bytes; ask for fewer layers, heads or rows",
                         EXPLANATION_BYTES_MAX);
    ExplanationPart part = {.token_begin = explanations->token_count};
    ProtobufCMessage *message;
    Status status =
        codec_unpack(&part.arena, &headlight__v1__explain_chunk__descriptor, bytes, size, &message, out_error);
    if (status == STATUS_OK) {
        const Headlight__V1__ExplainChunk *chunk = (const Headlight__V1__ExplainChunk *)message;
        part.message = chunk->part;
        status = explanation_check(explanations, chunk, out_error);
    }
    if (status == STATUS_OK) status = explanation_keep(explanations, part, out_error);
    if (status != STATUS_OK) {
        arena_free(&part.arena);
        return status;
    }
    if (explanations->count == 1) explanations->answer = (const Headlight__V1__ExplainChunk *)message;
    explanations->bytes += size;
    return STATUS_OK;
}

bool explanation_next(const Explanations *explanations, size_t *position, Explanation *out_explanation)
{
    size_t begin = *position, end = begin;
    if (begin == explanations->count) return false;
    const ExplanationPart *first = &explanations->parts[begin];
    while (end < explanations->count && explanations->parts[end].message->chunk == first->message->chunk) end++;
    size_t token_end =
        end < explanations->count ? explanations->parts[end].token_begin : explanations->token_count;
    *out_explanation = (Explanation){.parts = first,
                                     .part_count = end - begin,
                                     .chunk = first->message->chunk,
                                     .tokens = explanations->tokens + first->token_begin,
                                     .token_count = token_end - first->token_begin};
    *position = end;
    return true;
}

TextView explanation_summary(const Explanation *explanation)
{
    TextView summary = {"", 0};
    for (size_t part = 0; part < explanation->part_count; part++)
        if (explanation->parts[part].message->summary.len)
            summary = codec_view(explanation->parts[part].message->summary);
    return summary;
}

/* ---- Attention ---- */

static int explanation_compare(const void *left, const void *right)
{
    const Headlight__V1__HeadAttention *a = *(const Headlight__V1__HeadAttention *const *)left;
    const Headlight__V1__HeadAttention *b = *(const Headlight__V1__HeadAttention *const *)right;
    if (a->layer != b->layer) return a->layer < b->layer ? -1 : 1;
    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    uint32_t row_a = a->n_rows ? a->rows[0] : 0, row_b = b->n_rows ? b->rows[0] : 0;
    return row_a < row_b ? -1 : row_a > row_b;
}

Status explanation_sort(const Explanation *explanation, const Headlight__V1__HeadAttention ***out_pieces,
                        size_t *out_count, Error *out_error)
{
    size_t count = 0;
    for (size_t part = 0; part < explanation->part_count; part++)
        count += explanation->parts[part].message->n_attention;
    const Headlight__V1__HeadAttention **pieces = calloc(count + 1, sizeof *pieces);
    if (!pieces) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    count = 0;
    for (size_t part = 0; part < explanation->part_count; part++) {
        const Headlight__V1__Explanation *message = explanation->parts[part].message;
        for (size_t index = 0; index < message->n_attention; index++) pieces[count++] = message->attention[index];
    }
    qsort(pieces, count, sizeof *pieces, explanation_compare);
    *out_pieces = pieces;
    *out_count = count;
    return STATUS_OK;
}

bool explanation_next_head(const Headlight__V1__HeadAttention *const *pieces, size_t count, size_t *position,
                           ExplanationHead *out_head)
{
    size_t begin = *position, end = begin;
    if (begin == count) return false;
    while (end < count && pieces[end]->layer == pieces[begin]->layer && pieces[end]->head == pieces[begin]->head)
        end++;
    *out_head = (ExplanationHead){pieces + begin, end - begin, pieces[begin]->layer, pieces[begin]->head};
    *position = end;
    return true;
}

ByteRange explanation_row(const Headlight__V1__HeadAttention *piece, size_t row, size_t token_count)
{
    if (piece->n_row_offsets) return (ByteRange){piece->row_offsets[row], piece->row_offsets[row + 1]};
    return (ByteRange){(uint32_t)(row * token_count), (uint32_t)((row + 1) * token_count)};
}

/* IEEE 754 half precision. */
static float explanation_read_half(const uint8_t *bytes)
{
    unsigned half = bytes[0] | (unsigned)bytes[1] << 8;
    int exponent = half >> 10 & 31;
    float mantissa = (float)(half & 1023);
    float value = exponent == 31  ? (half & 1023 ? NAN : INFINITY)
                  : exponent == 0 ? ldexpf(mantissa, -24)
                                  : ldexpf(mantissa + 1024, exponent - 25);
    return half >> 15 ? -value : value;
}

float explanation_weight(const Headlight__V1__HeadAttention *piece, size_t token_count, size_t index)
{
    if (piece->n_weights) return piece->weights[index];
    size_t count = piece->n_row_offsets ? piece->n_columns : explanation_row_count(piece) * token_count;
    if (piece->packed.len == count) return (float)piece->packed.data[index] / 255;
    return explanation_read_half(piece->packed.data + 2 * index);
}
