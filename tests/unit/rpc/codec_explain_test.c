/* Explanations on the wire: what is packed is what was found, within the bounds that were known before; parts put
 * together are the whole. */
#include "rpc/codec_explain.h"

#include "rpc/codec_reply_parts.h"
#include "unit/pipeline/golden.h"

enum { WEIGHTS_COUNT = 6, ROW_COUNT = 5, SLACK_BYTES = 64 * 1024 };

/* An explanation with something of everything, of numbers that are where they stand. */
typedef struct Made {
    Pipeline *pipeline;
    Arena arena;
    Prepared prepared;
    ExplainSpec spec;
    ExplainResult result;
    ExplainCounts counts;
    CodecExplanation explanation;
} Made;

static const char text[] = "the cat sat on the mat 'and' was gone";

static void *made_allocate(Made *made, size_t size)
{
    void *bytes = arena_allocate(&made->arena, size);
    assert_non_null(bytes);
    return bytes;
}

/* Of each row every second key, or all of them. */
static ExplainWeights made_weights(Made *made, uint32_t index, bool dense, size_t format_bytes)
{
    uint32_t token_count = made->prepared.encoding.count;
    uint32_t entries = dense ? token_count : (token_count + 1) / 2;
    uint32_t *rows = made_allocate(made, ROW_COUNT * sizeof *rows);
    uint32_t *offsets = made_allocate(made, (ROW_COUNT + 1) * sizeof *offsets);
    uint32_t *columns = made_allocate(made, ROW_COUNT * (size_t)entries * sizeof *columns);
    uint8_t *weights = made_allocate(made, ROW_COUNT * (size_t)entries * format_bytes);
    float *dropped = made_allocate(made, ROW_COUNT * sizeof *dropped);
    for (uint32_t row = 0; row <= ROW_COUNT; row++) offsets[row] = row * entries;
    for (uint32_t row = 0; row < ROW_COUNT; row++) {
        rows[row] = row + index;
        dropped[row] = (float)row / 8;
        for (uint32_t i = 0; i < entries; i++) {
            size_t at = (size_t)row * entries + i;
            float value = (float)(at + 1000 * index);
            columns[at] = 2 * i;
            memset(weights + at * format_bytes, (int)(at % 251), format_bytes);
            if (format_bytes == sizeof value) memcpy(weights + at * sizeof value, &value, sizeof value);
        }
    }
    made->counts.row_count += ROW_COUNT;
    made->counts.entry_count += ROW_COUNT * (uint64_t)entries;
    return (ExplainWeights){
        .layer = index / 2,
        .head = index % 2,
        .row_count = ROW_COUNT,
        .rows = rows,
        .row_offsets = dense ? NULL : offsets,
        .columns = dense ? NULL : columns,
        .weights = weights,
        .dropped = dropped,
    };
}

static void made_add_scores(Made *made)
{
    uint32_t count = made->prepared.encoding.count;
    float *scores = made_allocate(made, count * sizeof *scores);
    for (uint32_t i = 0; i < count; i++) scores[i] = (float)i / 3;
    made->result.attributions[0] = (ExplainAttribution){.method = EXPLAIN_VALUE_NORM, .scores = scores};
    made->result.attributions[1] = (ExplainAttribution){
        .method = EXPLAIN_INTEGRATED_GRADIENTS,
        .scores = scores,
        .has_faithfulness = true,
        .faithfulness = {.comprehensiveness = 0.5F, .sufficiency = 0.25F, .removal = EXPLAIN_DELETE},
        .has_completeness = true,
        .completeness_error = 0.125F,
    };
    made->result.attribution_count = made->counts.attribution_count = 2;
}

static void made_add_surrogates(Made *made)
{
    static const ExplainWord words[] = {{{4, 7}, 0}, {{23, 28}, 0}, {{33, 37}, 0}};
    static const uint32_t features[] = {2, 0};
    static const float weights[] = {-0.5F, 0.25F};
    static const ExplainNode nodes[] = {{1, 1, 2, 0.5F, 9}, {-1, -1, -1, 0.75F, 4}, {-1, -1, -1, 0.125F, 5}};
    made->result.words = words;
    made->result.word_count = 3;
    made->result.surrogates[0] = (ExplainSurrogate){.method = EXPLAIN_SURROGATE_LINEAR,
                                                    .features = features,
                                                    .weights = weights,
                                                    .feature_count = 2,
                                                    .fidelity = 0.875F,
                                                    .sample_count = 100};
    made->result.surrogates[1] =
        (ExplainSurrogate){.method = EXPLAIN_SURROGATE_TREE, .nodes = nodes, .node_count = 3};
    made->result.surrogates[2] = (ExplainSurrogate){
        .method = EXPLAIN_ANCHOR_RULE, .features = features, .feature_count = 1, .coverage = 0.5F};
    made->result.surrogate_count = made->counts.surrogate_count = 3;
    made->counts.feature_count = 3;
    made->counts.node_count = 3;
    made->counts.feature_bytes = 2 * (4 + 3 + 4) + 5;
    made->result.target_label = text_view("pos");
    made->result.summary = text_view("It is the cat.");
    made->counts.summary_bytes = made->result.summary.size;
}

static void made_open(Made *made, ExplainFormat format, bool dense)
{
    static const size_t format_bytes[] = {4, 2, 1};
    Error error;
    *made = (Made){.pipeline = golden_pipeline("queries", 0), .spec = {.format = format}};
    arena_init(&made->arena, 1 * MIB);
    const PrepareOptions options = {.task = TASK_EMBED, .length_policy = LENGTH_AUTO};
    if (pipeline_prepare(made->pipeline, text_view(text), NULL, &options, &made->arena, &made->prepared, &error))
        fail_msg("%s", error.message);
    ExplainWeights *weights = made_allocate(made, WEIGHTS_COUNT * sizeof *weights);
    for (uint32_t i = 0; i < WEIGHTS_COUNT; i++) weights[i] = made_weights(made, i, dense, format_bytes[format]);
    made->counts.weights_count = made->result.weights_count = WEIGHTS_COUNT;
    made->counts.dense = dense;
    made->result.weights = weights;
    made_add_scores(made);
    made_add_surrogates(made);
    made->explanation = (CodecExplanation){
        .pipeline = made->pipeline,
        .spec = &made->spec,
        .whole = &made->prepared,
        .encoding = &made->prepared.encoding,
        .text = text_view(text),
        .read_text = text_view(text),
        .chunk = 3,
        .result = &made->result,
    };
}

static void made_close(Made *made)
{
    arena_free(&made->arena);
    pipeline_close(made->pipeline);
}

/* All of it as one message, and what it took. */
static Headlight__V1__Explanation *built(const Made *made, Arena *arena)
{
    size_t count = 0;
    Headlight__V1__Explanation **list = NULL;
    arena_init(arena, codec_explanation_bytes(&made->explanation, &made->counts) + SLACK_BYTES);
    assert_true(codec_explanations_build(arena, &(CodecExplanations){&made->explanation, 1}, &count, &list));
    assert_int_equal(count, 1);
    return list[0];
}

static void assert_text(ProtobufCBinaryData data, const char *expected)
{
    if (!text_equal((TextView){(const char *)data.data, data.len}, text_view(expected)))
        fail_msg("'%.*s' is not '%s'", (int)data.len, (const char *)data.data, expected);
}

static void codec_explain_packs_what_was_found(void **state)
{
    (void)state;
    Made made;
    Arena arena;
    made_open(&made, EXPLAIN_FLOAT32, false);
    const Headlight__V1__Explanation *all = built(&made, &arena);
    assert_int_equal(all->n_tokens, made.prepared.encoding.count);
    assert_true(all->tokens[0]->special && all->tokens[0]->byte_end == 0);
    assert_true(!all->tokens[1]->special && all->tokens[1]->byte_end == 3);
    assert_int_equal(all->chunk, 3);
    assert_int_equal(all->n_attention, WEIGHTS_COUNT);
    const Headlight__V1__HeadAttention *head = all->attention[3];
    assert_true(head->layer == 1 && head->head == 1 && head->n_rows == ROW_COUNT && head->rows[0] == 3);
    assert_int_equal(head->n_row_offsets, ROW_COUNT + 1);
    assert_int_equal(head->n_columns, head->row_offsets[ROW_COUNT]);
    assert_true(head->n_weights == head->n_columns && head->weights[1] == 3001 && head->packed.len == 0);
    assert_true(head->n_dropped_mass == ROW_COUNT && head->dropped_mass[4] == 0.5F);
    assert_int_equal(all->n_attributions, 2);
    assert_null(all->attributions[0]->faithfulness);
    assert_int_equal(all->attributions[0]->target_label.len, 0); /* value norms are for no label */
    assert_text(all->attributions[1]->target_label, "pos");
    assert_text(all->surrogates[2]->target_label, "pos");
    assert_true(all->attributions[1]->faithfulness->comprehensiveness == 0.5F);
    assert_text(all->attributions[1]->faithfulness->removal, "delete");
    assert_true(all->attributions[1]->completeness_error == 0.125F);
    assert_text(all->surrogates[0]->features[0], "gone");
    assert_true(all->surrogates[0]->n_weights == 2 && all->surrogates[0]->n_rule == 0);
    assert_int_equal(all->surrogates[0]->n_segments, 0);
    assert_text(all->surrogates[1]->nodes[0]->condition, "contains ''and''");
    assert_int_equal(all->surrogates[1]->nodes[1]->condition.len, 0);
    assert_text(all->surrogates[2]->rule[0], "contains 'gone'");
    assert_text(all->summary, "It is the cat.");
    arena_free(&arena);
    made_close(&made);
}

static void codec_explain_says_which_text_of_a_pair_a_word_is_of(void **state)
{
    (void)state;
    static const ExplainWord words[] = {{{4, 7}, 0}, {{23, 28}, 0}, {{4, 7}, 1}};
    Made made;
    Arena arena;
    made_open(&made, EXPLAIN_FLOAT32, false);
    made.result.words = words;
    made.result.of_pair = true;
    made.explanation.read_pair = text_view("the cat");
    uint64_t bound = codec_explanation_wire_bytes(&made.explanation, &made.counts);
    Headlight__V1__Explanation *all = built(&made, &arena);
    assert_text(all->surrogates[0]->features[0], "cat");
    assert_text(all->surrogates[0]->features[1], "cat");
    assert_int_equal(all->surrogates[0]->n_segments, 2);
    assert_true(all->surrogates[0]->segments[0] == 1 && all->surrogates[0]->segments[1] == 0);
    assert_int_equal(all->surrogates[1]->n_segments, 0);
    assert_text(all->surrogates[1]->nodes[0]->condition, "text contains ''and''");
    assert_text(all->surrogates[2]->rule[0], "pair contains 'cat'");
    assert_in_range(headlight__v1__explanation__get_packed_size(all), 1, bound - 2);
    arena_free(&arena);
    made_close(&made);
}

/* What was said beforehand is enough, and hardly more. */
static void codec_explain_sizes_bound_what_is_packed(void **state)
{
    (void)state;
    for (int format = EXPLAIN_FLOAT32; format <= EXPLAIN_UINT8; format++) {
        for (int dense = 0; dense < 2; dense++) {
            Made made;
            Arena arena;
            made_open(&made, (ExplainFormat)format, dense);
            uint64_t bound = codec_explanation_wire_bytes(&made.explanation, &made.counts);
            Headlight__V1__Explanation *all = built(&made, &arena);
            size_t size = headlight__v1__explanation__get_packed_size(all);
            assert_in_range(size, bound * 3 / 4, bound - 2);
            assert_int_equal(all->attention[0]->packed.len > 0, format != EXPLAIN_FLOAT32);
            arena_free(&arena);
            made_close(&made);
        }
    }
}

/* The parts as a client puts them together, but for HeadAttention's rows, which are counted. */
typedef struct Joined {
    uint32_t part_count;
    uint32_t token_count;
    uint64_t row_count;
    uint64_t entry_count;
    uint32_t attribution_count;
    uint32_t surrogate_count;
    uint32_t summary_count;
    uint64_t largest_bytes;
} Joined;

static void join_attention(const Made *made, const Headlight__V1__HeadAttention *head, Joined *joined)
{
    const ExplainWeights *whole = &made->result.weights[2 * head->layer + head->head];
    uint32_t row = head->rows[0] - whole->rows[0];
    size_t first = whole->row_offsets ? whole->row_offsets[row] : (size_t)row * made->prepared.encoding.count;
    assert_int_equal(head->n_rows, head->n_dropped_mass);
    assert_memory_equal(head->weights, (const float *)whole->weights + first, head->n_weights * sizeof(float));
    if (whole->row_offsets) {
        assert_int_equal(head->row_offsets[0], 0);
        assert_int_equal(head->n_row_offsets, head->n_rows + 1);
        assert_int_equal(head->row_offsets[head->n_rows], head->n_weights);
        assert_memory_equal(head->columns, whole->columns + first, head->n_columns * sizeof(uint32_t));
    }
    joined->row_count += head->n_rows;
    joined->entry_count += head->n_weights;
}

static void join_part(const Made *made, const Headlight__V1__ExplainChunk *chunk, Joined *joined)
{
    const Headlight__V1__Explanation *part = chunk->part;
    assert_int_equal(chunk->index, joined->part_count++);
    assert_int_equal(part->chunk, 3);
    for (size_t i = 0; i < part->n_tokens; i++)
        assert_int_equal(part->tokens[i]->id,
                         made->prepared.encoding.ids[joined->token_count++ % made->prepared.encoding.count]);
    for (size_t i = 0; i < part->n_attention; i++) join_attention(made, part->attention[i], joined);
    joined->attribution_count += (uint32_t)part->n_attributions;
    joined->surrogate_count += (uint32_t)part->n_surrogates;
    joined->summary_count += part->summary.len > 0;
}

static Joined join(const Made *made, uint32_t count, uint64_t bytes)
{
    CodecExplanation twice[] = {made->explanation, made->explanation};
    const CodecExplainStream stream = {.explanations = {twice, count}, .part_bytes = bytes};
    CodecExplainCursor cursor = {0};
    Joined joined = {0};
    bool last = false;
    while (!last) {
        Arena arena;
        CodecReply reply;
        arena_init(&arena, CODEC_EXPLAIN_PART_ARENA_BYTES);
        assert_true(codec_explain_part(&arena, &stream, &cursor, &reply, &last));
        const Headlight__V1__ExplainChunk *chunk = reply.message;
        assert_int_equal(chunk->last, last);
        if (codec_reply_size(reply) > joined.largest_bytes) joined.largest_bytes = codec_reply_size(reply);
        join_part(made, chunk, &joined);
        arena_free(&arena);
    }
    return joined;
}

static void codec_explain_parts_are_the_whole(void **state)
{
    (void)state;
    const uint64_t sizes[] = {1, 100, 300, 1000, 4000, CODEC_EXPLAIN_PART_BYTES};
    for (int dense = 0; dense < 2; dense++) {
        Made made;
        made_open(&made, EXPLAIN_FLOAT32, dense);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (uint32_t count = 1; count <= 2; count++) {
                const Joined joined = join(&made, count, sizes[i]);
                assert_int_equal(joined.token_count, count * made.prepared.encoding.count);
                assert_int_equal(joined.row_count, count * made.counts.row_count);
                assert_int_equal(joined.entry_count, count * made.counts.entry_count);
                assert_int_equal(joined.attribution_count, count * 2);
                assert_int_equal(joined.surrogate_count, count * 3);
                assert_int_equal(joined.summary_count, count);
                if (sizes[i] >= 300) assert_in_range(joined.largest_bytes, 1, sizes[i]);
            }
        }
        made_close(&made);
    }
}

static void codec_explain_answers_with_the_first_part(void **state)
{
    (void)state;
    Made made;
    Arena answer_arena;
    made_open(&made, EXPLAIN_FLOAT32, true);
    arena_init(&answer_arena, codec_reply_classify_bytes(1, 0) + codec_report_bytes(1, 0));
    const CodecClassification answer = {.usage = {.token_count = 12345, .chunk_count = 1}};
    const CodecExplainStream stream = {
        .explanations = {&made.explanation, 1},
        .model = text_view("queries"),
        .answer = codec_explain_answer(&answer_arena, made.pipeline, text_view("dense"), &answer),
        .part_bytes = 300,
    };
    CodecExplainCursor cursor = {0};
    assert_non_null(stream.answer);
    for (bool last = false; !last;) {
        Arena arena;
        CodecReply reply;
        arena_init(&arena, CODEC_EXPLAIN_PART_ARENA_BYTES);
        assert_true(codec_explain_part(&arena, &stream, &cursor, &reply, &last));
        const Headlight__V1__ExplainChunk *part = reply.message;
        assert_int_equal(part->usage ? part->usage->token_count : 0, part->index == 0 ? 12345 : 0);
        assert_int_equal(part->sanitization != NULL, part->index == 0);
        assert_text(part->model, part->index == 0 ? "queries" : "");
        assert_in_range(codec_reply_size(reply), 1, 300);
        arena_free(&arena);
    }
    arena_free(&answer_arena);
    made_close(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_explain_packs_what_was_found),
        cmocka_unit_test(codec_explain_says_which_text_of_a_pair_a_word_is_of),
        cmocka_unit_test(codec_explain_sizes_bound_what_is_packed),
        cmocka_unit_test(codec_explain_parts_are_the_whole),
        cmocka_unit_test(codec_explain_answers_with_the_first_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
