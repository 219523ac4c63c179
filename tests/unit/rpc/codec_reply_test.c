/* Replies: what is packed is what was given, and no builder takes more than its bound says. */
#include "rpc/codec_reply.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SLACK_BYTES = 64 * 1024, COUNT_MAX = 1000 }; /* the slack of inference_task_admit */

static const CodecHead HEAD = {
    .model = {"model", 5},
    .attention = {"dense", 5},
    .timing =
        {.queue_ns = 1, .tokenize_ns = 2, .compute_ns = 3, .total_ns = 6, .batch_sequences = 7, .batch_tokens = 8},
};
static const CodecUsage USAGE = {.token_count = 4, .text_token_count = 9, .chunk_count = 1, .truncated = true};

#define NO_REPORT ((CodecReport){.policy = SANITIZE_OFF})

static Tokenizer *tokenizer;

/* Room for a reply of `bytes` with `count` reports that are empty. */
static void reply_arena(Arena *arena, uint64_t bytes, uint32_t count)
{
    arena_init(arena, bytes + codec_report_bytes(count, 0) + SLACK_BYTES);
}

static int tokenizer_setup(void **state)
{
    (void)state;
    Error error;
    return tokenizer_open(TESTS_DATA "/golden/pipeline/queries", &tokenizer, &error) ? -1 : 0;
}

static int tokenizer_teardown(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    return 0;
}

/* The reply as a client unpacks it; the arena is gone by then. */
static void *sent(CodecReply reply, const ProtobufCMessageDescriptor *descriptor, Arena *arena)
{
    size_t size = codec_reply_size(reply);
    uint8_t *bytes = malloc(size + 1);
    codec_reply_pack(reply.message, bytes);
    arena_free(arena);
    void *message = protobuf_c_message_unpack(descriptor, NULL, size, bytes);
    assert_non_null(message);
    free(bytes);
    return message;
}

static void sent_free(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

static void assert_data(ProtobufCBinaryData data, const char *text)
{
    assert_true(text_equal((TextView){(const char *)data.data, data.len}, text_view(text)));
}

static void assert_usage(const Headlight__V1__Usage *usage)
{
    assert_int_equal(usage->token_count, 4);
    assert_int_equal(usage->text_token_count, 9);
    assert_true(usage->truncated);
    assert_int_equal(usage->chunk_count, 1);
    assert_data(usage->attention, "dense");
}

static void assert_timing(const Headlight__V1__Timing *timing)
{
    assert_true(timing->queue_ns == 1 && timing->tokenize_ns == 2 && timing->compute_ns == 3);
    assert_true(timing->total_ns == 6 && timing->batch_sequences == 7 && timing->batch_tokens == 8);
}

static void codec_reply_embed_gives_what_is_not_zero_of_a_sparse_vector(void **state)
{
    (void)state;
    Arena arena;
    CodecReply reply;
    float values[6] = {0, 0.5F, -0.0F, 0, 2, 0};
    const CodecVectors vectors = {.size = 6, .row_size = 4, .sparse = true};
    const CodecEmbedding one = {.usage = USAGE, .values = values};
    reply_arena(&arena, codec_reply_embed_bytes(&vectors, 1, 0, 0), 1);
    assert_true(codec_reply_embed(&arena, &HEAD, &vectors, &one, 1, &reply));
    Headlight__V1__EmbedResponse *response = sent(reply, &headlight__v1__embed_response__descriptor, &arena);
    const Headlight__V1__Embedding *embedding = response->embeddings[0];
    assert_int_equal(embedding->n_values, 0);
    assert_int_equal(embedding->sparse->n_indices, 2);
    assert_int_equal(embedding->sparse->n_values, 2);
    assert_true(embedding->sparse->indices[0] == 1 && embedding->sparse->indices[1] == 4);
    assert_true(embedding->sparse->values[0] == 0.5F && embedding->sparse->values[1] == 2);
    assert_usage(embedding->usage);
    assert_timing(response->timing);
    sent_free(response);
}

/* "a", the three bytes of U+4E2D, "b", cut within the character. */
static void codec_reply_embed_gives_chunks_with_spans_of_whole_characters(void **state)
{
    (void)state;
    Arena arena;
    CodecReply reply;
    float values[4] = {0.5F, 1, 2, 3};
    float *rows[3] = {values, values + 2, values + 1};
    const CodecChunk chunks[] = {{{0, 2}, 2, 0.25F, values}, {{2, 5}, 3, 0.75F, values + 2}};
    const CodecEmbedding one = {
        .usage = {.token_count = 9, .text_token_count = 5, .chunk_count = 2, .chunked = true},
        .values = values,
        .rows = rows,
        .row_count = 3,
        .chunks = chunks,
        .chunk_count = 2,
        .text = text_view("a\xE4\xB8\xAD"
                          "b"),
    };
    const CodecVectors vectors = {.size = 2, .row_size = 2};
    reply_arena(&arena, codec_reply_embed_bytes(&vectors, 1, 3, 2), 1);
    assert_true(codec_reply_embed(&arena, &HEAD, &vectors, &one, 1, &reply));
    Headlight__V1__EmbedResponse *response = sent(reply, &headlight__v1__embed_response__descriptor, &arena);
    const Headlight__V1__Embedding *embedding = response->embeddings[0];
    assert_true(embedding->n_values == 2 && embedding->n_tokens == 3 && embedding->n_chunks == 2);
    assert_true(embedding->tokens[1]->values[0] == 2 && embedding->chunks[1]->values[1] == 3);
    assert_int_equal(embedding->n_chunk_spans, 2);
    assert_true(embedding->chunk_spans[0]->byte_begin == 0 && embedding->chunk_spans[0]->byte_end == 4);
    assert_true(embedding->chunk_spans[1]->byte_begin == 1 && embedding->chunk_spans[1]->byte_end == 5);
    assert_true(embedding->chunk_spans[1]->token_count == 3 && embedding->chunk_spans[1]->weight == 0.75F);
    assert_int_equal(embedding->usage->chunk_count, 2);
    assert_data(embedding->usage->attention, "chunked");
    sent_free(response);
}

static void codec_reply_rerank_gives_texts_only_when_asked(void **state)
{
    (void)state;
    const CodecRank ranks[] = {{USAGE, NO_REPORT, {0}, NULL, text_view("b"), 1, 0.75F},
                               {USAGE, NO_REPORT, {0}, NULL, text_view(""), 0, 0.25F}};
    for (int return_text = 0; return_text < 2; return_text++) {
        Arena arena;
        CodecReply reply;
        reply_arena(&arena, codec_reply_rerank_bytes(2), 2);
        assert_true(codec_reply_rerank(&arena, &HEAD, ranks, 2, return_text, &reply));
        Headlight__V1__RerankResponse *response = sent(reply, &headlight__v1__rerank_response__descriptor, &arena);
        assert_data(response->model, "model");
        assert_int_equal(response->n_ranks, 2);
        assert_true(response->ranks[0]->index == 1 && response->ranks[0]->score == 0.75F);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(response->ranks[i]->maybe_text_case == HEADLIGHT__V1__RANK__MAYBE_TEXT_TEXT,
                             return_text);
            assert_usage(response->ranks[i]->usage);
        }
        assert_timing(response->timing);
        sent_free(response);
    }
}

/* "a", the three bytes of U+4E2D, "b": a token may end within the character. */
static void codec_reply_tag_widens_ranges_to_characters(void **state)
{
    (void)state;
    TextView text = text_view("a\xE4\xB8\xAD"
                              "b");
    const Entity entities[] = {
        {text_view("PER"), 0.5F, {0, 2}},
        {text_view("LOC"), 0.25F, {3, 5}},
        {text_view("ORG"), 1, {2, 2}},
        {text_view("ALL"), 1, {0, 5}},
    };
    const CodecTagging tagging = {USAGE, NO_REPORT, {0}, text, entities, 4};
    const struct {
        uint32_t begin;
        uint32_t end;
        const char *text;
    } expected[] = {{0, 4, "a\xE4\xB8\xAD"},
                    {1, 5,
                     "\xE4\xB8\xAD"
                     "b"},
                    {2, 2, ""},
                    {0, 5, text.bytes}};
    Arena arena;
    CodecReply reply;
    reply_arena(&arena, codec_reply_tag_bytes(1, 4), 1);
    assert_true(codec_reply_tag(&arena, &HEAD, &tagging, 1, &reply));
    Headlight__V1__TagTokensResponse *response =
        sent(reply, &headlight__v1__tag_tokens_response__descriptor, &arena);
    assert_int_equal(response->taggings[0]->n_entities, 4);
    for (size_t i = 0; i < 4; i++) {
        const Headlight__V1__Entity *entity = response->taggings[0]->entities[i];
        assert_int_equal(entity->byte_begin, expected[i].begin);
        assert_int_equal(entity->byte_end, expected[i].end);
        assert_data(entity->text, expected[i].text);
    }
    assert_data(response->taggings[0]->entities[1]->label, "LOC");
    assert_usage(response->taggings[0]->usage);
    sent_free(response);
}

static void codec_reply_fill_decodes_tokens_and_leaves_ids_of_the_model_alone_empty(void **state)
{
    (void)state;
    uint32_t beyond = tokenizer_vocabulary_size(tokenizer);
    const FillScore fills[] = {{beyond - 1, 0.5F}, {beyond, 0.25F}, {UINT32_MAX, 0.125F}, {0, 0}};
    const FillScore *const each[] = {fills, fills + 2};
    const CodecFill result = {USAGE, NO_REPORT, {0}, each, 2, 2};
    Arena arena;
    CodecReply reply;
    uint64_t bytes = codec_reply_fill_bytes(1, 2, 2);
    for (size_t i = 0; i < 4; i++) bytes += codec_reply_fill_text_bytes(tokenizer, fills[i].token_id);
    reply_arena(&arena, bytes, 1);
    assert_true(codec_reply_fill(&arena, &HEAD, tokenizer, &result, 1, &reply));
    Headlight__V1__FillMaskResponse *response =
        sent(reply, &headlight__v1__fill_mask_response__descriptor, &arena);
    assert_int_equal(response->results[0]->n_masks, 2);
    Headlight__V1__FilledMask *const *masks = response->results[0]->masks;
    assert_int_equal(masks[0]->n_fills, 2);
    assert_true(masks[0]->fills[0]->token_id == beyond - 1 && masks[0]->fills[0]->score == 0.5F);
    assert_true(masks[0]->fills[0]->token.len > 0);
    assert_int_equal(masks[0]->fills[1]->token.len, 0);
    assert_int_equal(masks[1]->fills[0]->token_id, UINT32_MAX);
    assert_true(masks[1]->fills[1]->token.len > 0);
    assert_usage(response->results[0]->usage);
    sent_free(response);
}

static void codec_reply_answer_counts_windows_and_slices_the_context(void **state)
{
    (void)state;
    const AnswerScore scores[] = {{{3, 6}, 0.5F}, {{0, 0}, 0.25F}};
    const CodecAnswers answers = {
        .usage = {.token_count = 20, .text_token_count = 12, .chunk_count = 3, .chunked = true},
        .answers = scores,
        .answer_count = 2,
        .context = text_view("in Ulm."),
    };
    Arena arena;
    CodecReply reply;
    reply_arena(&arena, codec_reply_answer_bytes(2), 1);
    assert_true(codec_reply_answer(&arena, &HEAD, &answers, &reply));
    Headlight__V1__AnswerResponse *response = sent(reply, &headlight__v1__answer_response__descriptor, &arena);
    assert_int_equal(response->n_answers, 2);
    assert_data(response->answers[0]->text, "Ulm");
    assert_true(response->answers[0]->byte_begin == 3 && response->answers[0]->byte_end == 6);
    assert_int_equal(response->answers[1]->text.len, 0);
    assert_int_equal(response->usage->token_count, 20);
    assert_int_equal(response->usage->text_token_count, 12);
    assert_int_equal(response->usage->chunk_count, 3);
    assert_false(response->usage->truncated);
    assert_timing(response->timing);
    sent_free(response);
}

static bool build(int which, Arena *arena, uint32_t count, CodecReply *out_reply)
{
    static CodecRank ranks[COUNT_MAX];
    static CodecTagging taggings[COUNT_MAX];
    static Entity entities[3];
    static CodecFill fills[COUNT_MAX];
    static FillScore scores[6];
    static const FillScore *const masks[] = {scores, scores + 3};
    static float values[4];
    static float *const rows[] = {values, values, values};
    static const CodecChunk chunks[3] = {{.values = values}};
    static CodecEmbedding embeddings[COUNT_MAX];
    const CodecVectors vectors = {.size = 4, .row_size = 4};
    static AnswerScore answers[COUNT_MAX];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        ranks[i] = (CodecRank){.usage = USAGE, .best = &chunks[0], .text = text_view("text")};
        taggings[i] = (CodecTagging){USAGE, NO_REPORT, {0}, text_view("text"), entities, i % 4};
        fills[i] = (CodecFill){USAGE, NO_REPORT, {0}, masks, 2, 3};
        embeddings[i] =
            (CodecEmbedding){USAGE, NO_REPORT, {0}, values, rows, i % 4, chunks, i % 4, text_view("text")};
    }
    switch (which) {
    case 0:
        reply_arena(arena, codec_reply_rerank_bytes(count), count);
        return codec_reply_rerank(arena, &HEAD, ranks, count, true, out_reply);
    case 1:
        reply_arena(arena, codec_reply_tag_bytes(count, 3 * count), count);
        return codec_reply_tag(arena, &HEAD, taggings, count, out_reply);
    case 2:
        bytes = codec_reply_fill_bytes(count, 2 * count, 3);
        bytes += 6 * count * codec_reply_fill_text_bytes(tokenizer, 0);
        reply_arena(arena, bytes, count);
        return codec_reply_fill(arena, &HEAD, tokenizer, fills, count, out_reply);
    case 3:
        reply_arena(arena, codec_reply_embed_bytes(&vectors, count, 3 * count, 3 * count), count);
        return codec_reply_embed(arena, &HEAD, &vectors, embeddings, count, out_reply);
    default: {
        const CodecAnswers all = {.answers = answers, .answer_count = count};
        reply_arena(arena, codec_reply_answer_bytes(count), 1);
        return codec_reply_answer(arena, &HEAD, &all, out_reply);
    }
    }
}

static void codec_reply_bounds_hold_for_every_count(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        for (uint32_t count = 0; count <= COUNT_MAX; count = count < 20 ? count + 1 : count * 2 + 1) {
            Arena arena;
            CodecReply reply;
            assert_true(build(which, &arena, count, &reply));
            assert_true(codec_reply_size(reply) > 0);
            arena_free(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_reply_embed_gives_what_is_not_zero_of_a_sparse_vector),
        cmocka_unit_test(codec_reply_embed_gives_chunks_with_spans_of_whole_characters),
        cmocka_unit_test(codec_reply_rerank_gives_texts_only_when_asked),
        cmocka_unit_test(codec_reply_tag_widens_ranges_to_characters),
        cmocka_unit_test(codec_reply_fill_decodes_tokens_and_leaves_ids_of_the_model_alone_empty),
        cmocka_unit_test(codec_reply_answer_counts_windows_and_slices_the_context),
        cmocka_unit_test(codec_reply_bounds_hold_for_every_count),
    };
    return cmocka_run_group_tests(tests, tokenizer_setup, tokenizer_teardown);
}
