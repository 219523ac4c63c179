/* Explanations become messages. What of one goes into a message is a range, from one place of a cursor to another:
 * all of it in the reply of a task, as much as fits a part in Explain's stream. */
#include "rpc/codec_explain.h"

#include "base/limits.h"
#include "rpc/codec_reply_parts.h"
#include "rpc/codec_surrogates.h"

#include <assert.h>

enum {
    FAITHFULNESS_BYTES = 24, /* two floats and a word, and its header */
    PART_HEADER_BYTES = 4 * CODEC_NUMBER_BYTES_MAX,
    WEIGHTS_BYTES =
        2 * CODEC_NUMBER_BYTES_MAX + 6 * CODEC_HEADER_BYTES_MAX, /* of HeadAttention, beside its lists' entries */
};

/* ---- Sizes ---- */

static uint32_t varint_bytes(uint64_t value)
{
    uint32_t bytes = 1;
    for (; value >= 0x80; value >>= 7) bytes++;
    return bytes;
}

/* A field of `bytes` that begins with their number; none where there are none. */
static uint64_t field_bytes(uint64_t bytes)
{
    return bytes ? 1 + varint_bytes(bytes) + bytes : 0;
}

static uint32_t format_bytes(ExplainFormat format)
{
    static const uint32_t bytes[] = {[EXPLAIN_FLOAT32] = 4, [EXPLAIN_FLOAT16] = 2, [EXPLAIN_UINT8] = 1};
    return bytes[format];
}

static ByteRange token_range(const CodecExplanation *from, uint32_t token)
{
    ByteRange range = pipeline_explain_token_range(from->whole, from->encoding, token);
    return codec_range_widen(from->encoding->segments[token] == 1 ? from->pair : from->text, range);
}

static uint64_t token_bytes(const CodecExplanation *from, uint32_t token)
{
    Headlight__V1__ExplainedToken message;
    codec_token_init(pipeline_tokenizer(from->pipeline), from->encoding, token, token_range(from, token),
                     &message);
    size_t size = headlight__v1__explained_token__get_packed_size(&message);
    return field_bytes(size);
}

/* All weights of an explanation have as many rows, and those as many entries. */
static uint64_t rows_bytes(const CodecExplanation *from, const ExplainCounts *counts)
{
    if (counts->weights_count == 0) return 0;
    uint32_t column_bytes = varint_bytes(from->encoding->count);
    uint64_t rows = (counts->row_count + counts->weights_count - 1) / counts->weights_count;
    uint64_t entries = (counts->entry_count + counts->weights_count - 1) / counts->weights_count;
    uint64_t bytes = 2 * (1 + varint_bytes(MODEL_LAYER_COUNT_MAX));
    bytes += field_bytes(rows * column_bytes) + field_bytes(rows * sizeof(float));
    bytes += field_bytes(entries * format_bytes(from->spec->format));
    if (!counts->dense)
        bytes += field_bytes(entries * column_bytes) + field_bytes((rows + 1) * varint_bytes(entries));
    return counts->weights_count * field_bytes(bytes);
}

static uint64_t label_bytes_max(const CodecExplanation *from)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pipeline_label_count(from->pipeline); i++) {
        uint64_t size = pipeline_label(from->pipeline, i).size;
        if (size > bytes) bytes = size;
    }
    return bytes;
}

static uint64_t attribution_bytes(const CodecExplanation *from, uint64_t label_bytes)
{
    return 3 * CODEC_HEADER_BYTES_MAX + CODEC_NUMBER_BYTES_MAX + label_bytes +
           from->encoding->count * sizeof(float) + FAITHFULNESS_BYTES + CODEC_FLOAT_BYTES;
}

uint64_t codec_explanation_wire_bytes(const CodecExplanation *explanation, const ExplainCounts *counts)
{
    uint64_t bytes = 2 * CODEC_HEADER_BYTES_MAX + CODEC_NUMBER_BYTES_MAX + counts->summary_bytes;
    for (uint32_t i = 0; i < explanation->encoding->count; i++) bytes += token_bytes(explanation, i);
    bytes += rows_bytes(explanation, counts);
    uint64_t label_bytes = counts->attribution_count + counts->surrogate_count ? label_bytes_max(explanation) : 0;
    bytes += counts->attribution_count * attribution_bytes(explanation, label_bytes);
    return bytes + codec_surrogates_wire_bytes(counts, label_bytes);
}

uint64_t codec_explanation_bytes(const CodecExplanation *explanation, const ExplainCounts *counts)
{
    enum { ITEM_BYTES = sizeof(Headlight__V1__HeadAttention) + 2 * CODEC_ROUNDING_BYTES };
    static_assert(sizeof(Headlight__V1__HeadAttention) >= sizeof(Headlight__V1__Attribution), "the largest");
    uint64_t tokens = codec_parts_bytes(1, sizeof(Headlight__V1__Explanation), explanation->encoding->count,
                                        sizeof(Headlight__V1__ExplainedToken));
    uint64_t items = (uint64_t)counts->weights_count + counts->attribution_count;
    return tokens + codec_parts_bytes(1, 0, items, ITEM_BYTES) +
           CODEC_CHUNK_FACTOR * counts->attribution_count * sizeof(Headlight__V1__Faithfulness) +
           codec_surrogates_bytes(counts);
}

/* ---- A range of an explanation ---- */

static bool tokens_build(Arena *arena, const CodecExplanation *from, const CodecExplainCursor *begin,
                         const CodecExplainCursor *end, Headlight__V1__Explanation *out)
{
    char *storage = NULL;
    uint32_t count = end->token - begin->token;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__ExplainedToken), &storage);
    if (!list) return false;
    out->n_tokens = count;
    out->tokens = (Headlight__V1__ExplainedToken **)list;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t token = begin->token + i;
        codec_token_init(pipeline_tokenizer(from->pipeline), from->encoding, token, token_range(from, token),
                         out->tokens[i]);
    }
    return true;
}

/* Weights in front of a row. */
static size_t weights_before(const CodecExplanation *from, const ExplainWeights *weights, uint32_t row)
{
    if (weights->row_offsets) return weights->row_offsets[row];
    return (size_t)row * from->encoding->count;
}

static bool offsets_build(Arena *arena, const ExplainWeights *weights, uint32_t row_begin, uint32_t row_count,
                          Headlight__V1__HeadAttention *out)
{
    out->n_row_offsets = row_count + 1;
    out->row_offsets = (uint32_t *)weights->row_offsets;
    if (row_begin == 0) return true;
    out->row_offsets = arena_allocate(arena, out->n_row_offsets * sizeof *out->row_offsets);
    if (!out->row_offsets) return false;
    for (uint32_t i = 0; i <= row_count; i++)
        out->row_offsets[i] = weights->row_offsets[row_begin + i] - weights->row_offsets[row_begin];
    return true;
}

/* Views of the rows [row_begin, row_end). */
static bool weights_build(Arena *arena, const CodecExplanation *from, const ExplainWeights *weights,
                          uint32_t row_begin, uint32_t row_end, Headlight__V1__HeadAttention *out)
{
    headlight__v1__head_attention__init(out);
    size_t first = weights_before(from, weights, row_begin);
    size_t count = weights_before(from, weights, row_end) - first;
    uint8_t *values = (uint8_t *)weights->weights + first * format_bytes(from->spec->format);
    out->layer = weights->layer;
    out->head = weights->head;
    out->n_dropped_mass = row_end - row_begin;
    out->dropped_mass = (float *)weights->dropped + row_begin;
    if (weights->rows) {
        out->n_rows = row_end - row_begin;
        out->rows = (uint32_t *)weights->rows + row_begin;
    }
    if (from->spec->format == EXPLAIN_FLOAT32) {
        out->n_weights = count;
        out->weights = (float *)(void *)values;
    } else {
        out->packed = (ProtobufCBinaryData){count * format_bytes(from->spec->format), values};
    }
    if (!weights->row_offsets) return true;
    out->n_columns = count;
    out->columns = (uint32_t *)weights->columns + first;
    return offsets_build(arena, weights, row_begin, row_end - row_begin, out);
}

static bool attention_build(Arena *arena, const CodecExplanation *from, const CodecExplainCursor *begin,
                            const CodecExplainCursor *end, Headlight__V1__Explanation *out)
{
    char *storage = NULL;
    uint32_t count = end->weights - begin->weights + (end->row > 0);
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__HeadAttention), &storage);
    if (!list) return false;
    out->n_attention = count;
    out->attention = (Headlight__V1__HeadAttention **)list;
    for (uint32_t i = 0; i < count; i++) {
        const ExplainWeights *weights = &from->result->weights[begin->weights + i];
        uint32_t row_begin = i == 0 ? begin->row : 0;
        uint32_t row_end = begin->weights + i == end->weights ? end->row : weights->row_count;
        if (!weights_build(arena, from, weights, row_begin, row_end, out->attention[i])) return false;
    }
    return true;
}

static bool faithfulness_build(Arena *arena, const ExplainFaithfulness *from, Headlight__V1__Attribution *out)
{
    out->faithfulness = arena_allocate(arena, sizeof *out->faithfulness);
    if (!out->faithfulness) return false;
    headlight__v1__faithfulness__init(out->faithfulness);
    out->faithfulness->comprehensiveness = from->comprehensiveness;
    out->faithfulness->sufficiency = from->sufficiency;
    out->faithfulness->removal = codec_data_of(text_view(from->removal == EXPLAIN_MASK ? "mask" : "delete"));
    return true;
}

static bool attribution_build(Arena *arena, const CodecExplanation *from, const ExplainAttribution *attribution,
                              Headlight__V1__Attribution *out)
{
    headlight__v1__attribution__init(out);
    out->method = (Headlight__V1__ExplanationMethod)attribution->method;
    if (pipeline_explain_has_target(attribution->method) || attribution->has_faithfulness)
        out->target_label = codec_data_of(from->result->target_label);
    out->n_scores = from->encoding->count;
    out->scores = (float *)attribution->scores;
    if (attribution->has_completeness) {
        out->maybe_completeness_error_case =
            HEADLIGHT__V1__ATTRIBUTION__MAYBE_COMPLETENESS_ERROR_COMPLETENESS_ERROR;
        out->completeness_error = attribution->completeness_error;
    }
    return !attribution->has_faithfulness || faithfulness_build(arena, &attribution->faithfulness, out);
}

static bool attributions_build(Arena *arena, const CodecExplanation *from, const CodecExplainCursor *begin,
                               const CodecExplainCursor *end, Headlight__V1__Explanation *out)
{
    char *storage = NULL;
    uint32_t count = end->attribution - begin->attribution;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Attribution), &storage);
    if (!list) return false;
    out->n_attributions = count;
    out->attributions = (Headlight__V1__Attribution **)list;
    for (uint32_t i = 0; i < count; i++) {
        const ExplainAttribution *attribution = &from->result->attributions[begin->attribution + i];
        if (!attribution_build(arena, from, attribution, out->attributions[i])) return false;
    }
    return true;
}

/* ---- Messages ---- */

static bool range_build(Arena *arena, const CodecExplanation *from, const CodecExplainCursor *begin,
                        const CodecExplainCursor *end, Headlight__V1__Explanation *out)
{
    headlight__v1__explanation__init(out);
    out->chunk = from->chunk;
    if (end->summary > begin->summary) out->summary = codec_data_of(from->result->summary);
    return tokens_build(arena, from, begin, end, out) && attention_build(arena, from, begin, end, out) &&
           attributions_build(arena, from, begin, end, out) &&
           codec_surrogates_build(arena, from, begin->surrogate, end->surrogate, out);
}

static CodecExplainCursor cursor_end(const CodecExplanation *from)
{
    return (CodecExplainCursor){
        .token = from->encoding->count,
        .weights = from->result->weights_count,
        .attribution = from->result->attribution_count,
        .surrogate = from->result->surrogate_count,
        .summary = 1,
    };
}

bool codec_explanations_build(Arena *arena, const CodecExplanations *from, size_t *out_count,
                              Headlight__V1__Explanation ***out_list)
{
    static const CodecExplainCursor begin = {0};
    if (from->count == 0) return true;
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->count, sizeof(Headlight__V1__Explanation), &storage);
    if (!list) return false;
    *out_count = from->count;
    *out_list = (Headlight__V1__Explanation **)list;
    for (uint32_t i = 0; i < from->count; i++) {
        const CodecExplainCursor end = cursor_end(&from->items[i]);
        if (!range_build(arena, &from->items[i], &begin, &end, (*out_list)[i])) return false;
    }
    return true;
}

/* ---- Parts ---- */

typedef struct CodecPart {
    uint64_t left;
    bool empty;
} CodecPart;

/* Takes `bytes` of what is left of a part. The first thing of a part always fits. */
static bool part_take(CodecPart *part, uint64_t bytes)
{
    if (bytes > part->left && !part->empty) return false;
    part->left = bytes < part->left ? part->left - bytes : 0;
    part->empty = false;
    return true;
}

/* What a row adds to a part. Its offset counts the entries of all rows before it. */
static uint64_t row_bytes(const CodecExplanation *from, const ExplainWeights *weights, uint32_t row)
{
    uint64_t entry_count = weights_before(from, weights, row + 1) - weights_before(from, weights, row);
    uint32_t column_bytes = varint_bytes(from->encoding->count);
    uint64_t bytes = entry_count * format_bytes(from->spec->format) + column_bytes + sizeof(float);
    if (!weights->row_offsets) return bytes;
    return bytes + entry_count * column_bytes + varint_bytes(weights->row_offsets[weights->row_count]);
}

/* Takes rows; false when a row does not fit any more. */
static bool part_take_weights(const CodecExplanation *from, CodecExplainCursor *at, CodecPart *part)
{
    for (; at->weights < from->result->weights_count; at->weights++, at->row = 0) {
        const ExplainWeights *weights = &from->result->weights[at->weights];
        uint64_t header = WEIGHTS_BYTES;
        for (; at->row < weights->row_count; at->row++, header = 0) {
            if (!part_take(part, header + row_bytes(from, weights, at->row))) return false;
        }
    }
    return true;
}

/* As far as a part of `bytes` goes. */
static CodecExplainCursor part_measure(const CodecExplanation *from, CodecExplainCursor at, uint64_t bytes)
{
    CodecPart part = {.left = bytes > PART_HEADER_BYTES ? bytes - PART_HEADER_BYTES : 0, .empty = true};
    const ExplainResult *result = from->result;
    for (; at.token < from->encoding->count; at.token++) {
        if (!part_take(&part, token_bytes(from, at.token))) return at;
    }
    if (!part_take_weights(from, &at, &part)) return at;
    for (; at.attribution < result->attribution_count; at.attribution++) {
        if (!part_take(&part, attribution_bytes(from, result->target_label.size))) return at;
    }
    for (; at.surrogate < result->surrogate_count; at.surrogate++) {
        if (!part_take(&part, codec_surrogate_wire_bytes(from, &result->surrogates[at.surrogate]))) return at;
    }
    if (part_take(&part, result->summary.size)) at.summary = 1;
    return at;
}

const void *codec_explain_answer(Arena *arena, const Pipeline *pipeline, TextView attention,
                                 const CodecClassification *from)
{
    Headlight__V1__Classification *answer = arena_allocate(arena, sizeof *answer);
    CodecClassification own = *from;
    own.explanations = (CodecExplanations){0};
    return answer && codec_classification_build(arena, pipeline, attention, &own, answer) ? answer : NULL;
}

/* Returns what it takes of the part: the answer's fields take as much in it, but for their tags. */
static uint64_t part_add_answer(const CodecExplainStream *stream, Headlight__V1__ExplainChunk *part)
{
    enum { LONGER_TAGS = 2 }; /* from field 16 on a tag takes two bytes */
    const Headlight__V1__Classification *answer = stream->answer;
    if (!answer) return 0;
    part->model = codec_data_of(stream->model);
    part->n_labels = answer->n_labels;
    part->labels = answer->labels;
    part->usage = answer->usage;
    part->sanitization = answer->sanitization;
    return CODEC_HEADER_BYTES_MAX + stream->model.size + headlight__v1__classification__get_packed_size(answer) +
           answer->n_labels + LONGER_TAGS;
}

bool codec_explain_part(Arena *arena, const CodecExplainStream *stream, CodecExplainCursor *cursor,
                        CodecReply *out_reply, bool *out_last)
{
    const CodecExplanation *from = &stream->explanations.items[cursor->explanation];
    Headlight__V1__ExplainChunk *message = arena_allocate(arena, sizeof *message);
    Headlight__V1__Explanation *part = arena_allocate(arena, sizeof *part);
    if (!message || !part) return false;
    headlight__v1__explain_chunk__init(message);
    uint64_t taken = cursor->index == 0 ? part_add_answer(stream, message) : 0;
    CodecExplainCursor end =
        part_measure(from, *cursor, stream->part_bytes > taken ? stream->part_bytes - taken : 0);
    if (!range_build(arena, from, cursor, &end, part)) return false;
    bool complete = end.summary == 1;
    *out_last = complete && cursor->explanation + 1 == stream->explanations.count;
    message->part = part;
    message->index = cursor->index;
    message->last = *out_last;
    if (complete) end = (CodecExplainCursor){.explanation = cursor->explanation + 1};
    end.index = cursor->index + 1;
    *cursor = end;
    out_reply->message = message;
    return true;
}
