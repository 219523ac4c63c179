/* The replies of Classify, Rerank, TagTokens, FillMask and Answer. */
#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_reply_parts.h"

/* ---- Classify ---- */

uint64_t codec_reply_classify_bytes(uint32_t count, uint64_t score_count)
{
    return codec_parts_bytes(count, sizeof(Headlight__V1__Classification), score_count,
                             sizeof(Headlight__V1__Label));
}

bool codec_classification_build(Arena *arena, const Pipeline *pipeline, TextView attention,
                                const CodecClassification *from, Headlight__V1__Classification *out)
{
    headlight__v1__classification__init(out);
    out->usage = codec_usage_build(arena, &from->usage, attention);
    out->sanitization = codec_report_build(arena, &from->report);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->score_count, sizeof(Headlight__V1__Label), &storage);
    if (!out->usage || !out->sanitization || !list) return false;
    if (!codec_explanations_build(arena, &from->explanations, &out->n_explanations, &out->explanations))
        return false;
    out->n_labels = from->score_count;
    out->labels = (Headlight__V1__Label **)list;
    for (uint32_t i = 0; i < from->score_count; i++) {
        headlight__v1__label__init(out->labels[i]);
        out->labels[i]->label = codec_data_of(pipeline_label(pipeline, from->scores[i].label));
        out->labels[i]->score = from->scores[i].score;
    }
    return true;
}

bool codec_reply_classify(Arena *arena, const CodecHead *head, const Pipeline *pipeline,
                          const CodecClassification *classifications, uint32_t count, CodecReply *out_reply)
{
    Headlight__V1__ClassifyResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Classification), &storage);
    if (!response || !list) return false;
    headlight__v1__classify_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->n_classifications = count;
    response->classifications = (Headlight__V1__Classification **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!codec_classification_build(arena, pipeline, head->attention, &classifications[i],
                                        response->classifications[i]))
            return false;
    }
    out_reply->message = response;
    return response->timing != NULL;
}

/* ---- Rerank ---- */

uint64_t codec_reply_rerank_bytes(uint32_t count)
{
    return codec_parts_bytes(count, sizeof(Headlight__V1__Rank) + sizeof(Headlight__V1__ChunkSpan), 0, 0);
}

static bool rank_build(Arena *arena, const CodecHead *head, const CodecRank *from, bool return_text,
                       Headlight__V1__Rank *out)
{
    headlight__v1__rank__init(out);
    out->index = from->index;
    out->score = from->score;
    out->usage = codec_usage_build(arena, &from->usage, head->attention);
    out->sanitization = codec_report_build(arena, &from->report);
    if (!out->usage || !out->sanitization) return false;
    if (!codec_explanations_build(arena, &from->explanations, &out->n_explanations, &out->explanations))
        return false;
    if (from->best) {
        out->best_chunk = arena_allocate(arena, sizeof *out->best_chunk);
        if (!out->best_chunk) return false;
        codec_span_init(from->best, from->text, out->best_chunk);
    }
    if (!return_text) return true;
    out->maybe_text_case = HEADLIGHT__V1__RANK__MAYBE_TEXT_TEXT;
    out->text = codec_data_of(from->text);
    return true;
}

bool codec_reply_rerank(Arena *arena, const CodecHead *head, const CodecRank *ranks, uint32_t count,
                        bool return_text, CodecReply *out_reply)
{
    Headlight__V1__RerankResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Rank), &storage);
    if (!response || !list) return false;
    headlight__v1__rerank_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->n_ranks = count;
    response->ranks = (Headlight__V1__Rank **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!rank_build(arena, head, &ranks[i], return_text, response->ranks[i])) return false;
    }
    out_reply->message = response;
    return response->timing != NULL;
}

/* ---- TagTokens ---- */

uint64_t codec_reply_tag_bytes(uint32_t count, uint64_t entity_count)
{
    return codec_parts_bytes(count, sizeof(Headlight__V1__Tagging), entity_count, sizeof(Headlight__V1__Entity));
}

static bool tagging_build(Arena *arena, const CodecHead *head, const CodecTagging *from,
                          Headlight__V1__Tagging *out)
{
    headlight__v1__tagging__init(out);
    out->usage = codec_usage_build(arena, &from->usage, head->attention);
    out->sanitization = codec_report_build(arena, &from->report);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->entity_count, sizeof(Headlight__V1__Entity), &storage);
    if (!out->usage || !out->sanitization || !list) return false;
    if (!codec_explanations_build(arena, &from->explanations, &out->n_explanations, &out->explanations))
        return false;
    out->n_entities = from->entity_count;
    out->entities = (Headlight__V1__Entity **)list;
    for (uint32_t i = 0; i < from->entity_count; i++) {
        ByteRange range = codec_range_widen(from->text, from->entities[i].range);
        headlight__v1__entity__init(out->entities[i]);
        out->entities[i]->label = codec_data_of(from->entities[i].label);
        out->entities[i]->score = from->entities[i].score;
        out->entities[i]->text = codec_data_slice(from->text, range);
        out->entities[i]->byte_begin = range.begin;
        out->entities[i]->byte_end = range.end;
    }
    return true;
}

bool codec_reply_tag(Arena *arena, const CodecHead *head, const CodecTagging *taggings, uint32_t count,
                     CodecReply *out_reply)
{
    Headlight__V1__TagTokensResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Tagging), &storage);
    if (!response || !list) return false;
    headlight__v1__tag_tokens_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->n_taggings = count;
    response->taggings = (Headlight__V1__Tagging **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!tagging_build(arena, head, &taggings[i], response->taggings[i])) return false;
    }
    out_reply->message = response;
    return response->timing != NULL;
}

/* ---- FillMask ---- */

uint64_t codec_reply_fill_bytes(uint32_t count, uint64_t mask_count, uint32_t fill_count)
{
    uint64_t results = codec_parts_bytes(count, sizeof(Headlight__V1__FillResult), 0, 0);
    return results + codec_parts_bytes(mask_count, sizeof(Headlight__V1__FilledMask), mask_count * fill_count,
                                       sizeof(Headlight__V1__Fill));
}

/* A decoder may write a replacement character of three bytes for each byte that is no text by itself. */
uint64_t codec_reply_fill_text_bytes(const Tokenizer *tokenizer, uint32_t id)
{
    return CODEC_CHUNK_FACTOR * (3 * tokenizer_token_text(tokenizer, id).size + 4 * CODEC_ROUNDING_BYTES);
}

static bool fill_build(Arena *arena, const Tokenizer *tokenizer, const FillScore *from, Headlight__V1__Fill *out)
{
    headlight__v1__fill__init(out);
    out->token_id = from->token_id;
    out->score = from->score;
    if (from->token_id >= tokenizer_vocabulary_size(tokenizer)) return true; /* the model's padding */
    TextView text;
    Error error;
    if (tokenizer_decode(tokenizer, &from->token_id, 1, false, arena, &text, &error)) return false;
    out->token = codec_data_of(text);
    return true;
}

static bool mask_build(Arena *arena, const Tokenizer *tokenizer, const FillScore *fills, uint32_t count,
                       Headlight__V1__FilledMask *out)
{
    headlight__v1__filled_mask__init(out);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Fill), &storage);
    if (!list) return false;
    out->n_fills = count;
    out->fills = (Headlight__V1__Fill **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!fill_build(arena, tokenizer, &fills[i], out->fills[i])) return false;
    }
    return true;
}

static bool fill_result_build(Arena *arena, const CodecHead *head, const Tokenizer *tokenizer,
                              const CodecFill *from, Headlight__V1__FillResult *out)
{
    headlight__v1__fill_result__init(out);
    out->usage = codec_usage_build(arena, &from->usage, head->attention);
    out->sanitization = codec_report_build(arena, &from->report);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, from->mask_count, sizeof(Headlight__V1__FilledMask), &storage);
    if (!out->usage || !out->sanitization || !list) return false;
    if (!codec_explanations_build(arena, &from->explanations, &out->n_explanations, &out->explanations))
        return false;
    out->n_masks = from->mask_count;
    out->masks = (Headlight__V1__FilledMask **)list;
    for (uint32_t i = 0; i < from->mask_count; i++) {
        if (!mask_build(arena, tokenizer, from->masks[i], from->fill_count, out->masks[i])) return false;
    }
    return true;
}

bool codec_reply_fill(Arena *arena, const CodecHead *head, const Tokenizer *tokenizer, const CodecFill *results,
                      uint32_t count, CodecReply *out_reply)
{
    Headlight__V1__FillMaskResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__FillResult), &storage);
    if (!response || !list) return false;
    headlight__v1__fill_mask_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->n_results = count;
    response->results = (Headlight__V1__FillResult **)list;
    for (uint32_t i = 0; i < count; i++) {
        if (!fill_result_build(arena, head, tokenizer, &results[i], response->results[i])) return false;
    }
    out_reply->message = response;
    return response->timing != NULL;
}

/* ---- Answer ---- */

uint64_t codec_reply_answer_bytes(uint32_t answer_count)
{
    return codec_parts_bytes(1, 0, answer_count, sizeof(Headlight__V1__AnswerSpan));
}

bool codec_reply_answer(Arena *arena, const CodecHead *head, const CodecAnswers *answers, CodecReply *out_reply)
{
    Headlight__V1__AnswerResponse *response = arena_allocate(arena, sizeof *response);
    char *storage = NULL;
    void **list = codec_list_allocate(arena, answers->answer_count, sizeof(Headlight__V1__AnswerSpan), &storage);
    if (!response || !list) return false;
    headlight__v1__answer_response__init(response);
    response->model = codec_data_of(head->model);
    response->timing = codec_timing_build(arena, &head->timing);
    response->usage = codec_usage_build(arena, &answers->usage, head->attention);
    response->sanitization = codec_report_build(arena, &answers->report);
    if (!response->timing || !response->usage || !response->sanitization) return false;
    if (!codec_explanations_build(arena, &answers->explanations, &response->n_explanations,
                                  &response->explanations))
        return false;
    response->n_answers = answers->answer_count;
    response->answers = (Headlight__V1__AnswerSpan **)list;
    for (uint32_t i = 0; i < answers->answer_count; i++) {
        ByteRange range = codec_range_widen(answers->context, answers->answers[i].range);
        headlight__v1__answer_span__init(response->answers[i]);
        response->answers[i]->text = codec_data_slice(answers->context, range);
        response->answers[i]->score = answers->answers[i].score;
        response->answers[i]->byte_begin = range.begin;
        response->answers[i]->byte_end = range.end;
    }
    out_reply->message = response;
    return true;
}
