/* Plans of chunks: what they cover, share and own, where they end, and what is refused. */
#include "base/limits.h"
#include "pipeline/pipeline_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { WORDS_MAX = 3000, TEXT_SIZE_MAX = 8 * WORDS_MAX, ARENA_BYTES = 1 << 20, TEMPLATE_COUNT = 2 };

/* [CLS] words [SEP], and for a pair words [SEP]. */
typedef struct Words {
    char bytes[2][TEXT_SIZE_MAX];
    TextView texts[2];
    uint32_t ids[2 * WORDS_MAX + 3];
    uint8_t type_ids[2 * WORDS_MAX + 3];
    uint8_t segments[2 * WORDS_MAX + 3];
    ByteRange offsets[2 * WORDS_MAX + 3];
    Encoding encoding;
} Words;

static void words_put(Words *words, uint8_t segment, ByteRange range)
{
    uint32_t at = words->encoding.count++;
    words->ids[at] = at;
    words->type_ids[at] = segment == 1;
    words->segments[at] = segment;
    words->offsets[at] = range;
}

/* `separators[i % n]` stands behind word i. */
static void words_add(Words *words, uint8_t segment, uint32_t count, const char *const *separators, uint32_t n)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        words_put(words, segment, (ByteRange){size, size + 1});
        size += (uint32_t)snprintf(words->bytes[segment] + size, TEXT_SIZE_MAX - size, "x%s", separators[i % n]);
        assert_true(size < TEXT_SIZE_MAX);
    }
    words->texts[segment] = (TextView){words->bytes[segment], size};
    words_put(words, ENCODING_SEGMENT_NONE, (ByteRange){0, 0});
}

static void words_init(Words *words)
{
    words->encoding = (Encoding){
        .ids = words->ids,
        .type_ids = words->type_ids,
        .segments = words->segments,
        .offsets = words->offsets,
    };
    words_put(words, ENCODING_SEGMENT_NONE, (ByteRange){0, 0});
}

static uint32_t token_distance(const ChunkPlan *plan, uint32_t index, uint32_t token)
{
    TokenRange tokens = plan->items[index].tokens;
    if (token < tokens.begin || token >= tokens.end) return 0;
    uint32_t left = index == 0 ? UINT32_MAX : token - tokens.begin + 1;
    uint32_t right = index + 1 == plan->count ? UINT32_MAX : tokens.end - token;
    return left < right ? left : right;
}

/* All of the text, in order, no chunk beyond its room, and what is shared within what was allowed. */
static void assert_covers(const ChunkPlan *plan, uint32_t room, uint32_t overlap)
{
    assert_true(plan->count >= 1);
    assert_int_equal(plan->items[0].tokens.begin, plan->cut.begin);
    assert_int_equal(plan->items[plan->count - 1].tokens.end, plan->cut.end);
    for (uint32_t i = 0; i < plan->count; i++) {
        TokenRange tokens = plan->items[i].tokens;
        assert_true(tokens.begin < tokens.end && tokens.end - tokens.begin <= room);
        if (i + 1 == plan->count) continue;
        TokenRange next = plan->items[i + 1].tokens;
        assert_true(next.begin > tokens.begin && next.end > tokens.end && next.begin <= tokens.end);
        assert_in_range(tokens.end - next.begin, overlap / 2, overlap);
        assert_true(tokens.end - tokens.begin >= room - room / 4);
    }
}

/* Each token belongs to the chunk in which it is farthest from a border, the first of equal ones. */
static void assert_owns(const ChunkPlan *plan)
{
    uint32_t owner = 0;
    for (uint32_t token = plan->cut.begin; token < plan->cut.end; token++) {
        if (token == plan->items[owner].own.end) owner++;
        assert_true(token >= plan->items[owner].own.begin && token < plan->items[owner].own.end);
        uint32_t distance = token_distance(plan, owner, token);
        assert_true(distance > 0);
        for (uint32_t i = owner < 3 ? 0 : owner - 3; i < plan->count && i <= owner + 3; i++) {
            assert_true(token_distance(plan, i, token) <= distance);
            if (i < owner) assert_true(token_distance(plan, i, token) < distance);
        }
    }
}

static void assert_places(const Prepared *whole)
{
    const ChunkPlan *plan = &whole->chunks;
    ChunkPlace place = {0, 0};
    for (uint32_t token = 0; token < whole->encoding.count; token++) {
        place = pipeline_chunk_place(whole, token, place.chunk);
        Encoding chunk;
        Arena arena;
        arena_init(&arena, ARENA_BYTES);
        TokenRange tokens = plan->items[place.chunk].tokens;
        assert_true(chunks_encoding(&whole->encoding, plan->cut, tokens, &arena, &chunk));
        assert_true(place.row < chunk.count);
        assert_int_equal(chunk.ids[place.row], whole->encoding.ids[token]);
        arena_free(&arena);
    }
}

static void chunks_plan_covers_every_token_within_its_limits(void **state)
{
    (void)state;
    static Words words;
    static const char *const separators[] = {" ", "", ". ", ", ", "\n\n", " ", "", " ", "? ", " "};
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (unsigned round = 0; round < 500; round++) {
        Arena arena;
        Error error;
        words_init(&words);
        uint32_t count = 1 + (uint32_t)rand_r(&seed) % (round % 50 ? 200 : WORDS_MAX);
        uint32_t room = 1 + (uint32_t)rand_r(&seed) % (round % 3 ? 20 : 100);
        uint32_t overlap = (uint32_t)rand_r(&seed) % (room / 2 + 1);
        bool by_default = rand_r(&seed) % 4 == 0;
        words_add(&words, 0, count, separators, 1 + (uint32_t)rand_r(&seed) % 10);
        const Pipeline pipeline = {.token_count_max = room + TEMPLATE_COUNT};
        const PrepareOptions options = {
            .length_policy = rand_r(&seed) % 2 ? LENGTH_AUTO : LENGTH_CHUNK,
            .chunking.overlap = by_default ? CHUNK_OVERLAP_DEFAULT : overlap,
        };
        if (by_default) overlap = room / 8;
        Prepared whole = {.encoding = words.encoding};
        arena_init(&arena, ARENA_BYTES);
        Status status = chunks_plan(&pipeline, &options, &words.encoding, words.texts[0], NULL, 0, &arena,
                                    &whole.chunks, &error);
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(pipeline_is_cut(&whole), count > room);
        if (count > room) {
            assert_covers(&whole.chunks, room, overlap);
            assert_owns(&whole.chunks);
            if (count < 60) assert_places(&whole);
        }
        arena_free(&arena);
    }
}

/* What plans the first end of `count` words in chunks of `room`. */
static uint32_t first_end(const char *const *separators, uint32_t n, uint32_t room)
{
    static Words words;
    Arena arena;
    Error error;
    ChunkPlan plan = {0};
    words_init(&words);
    words_add(&words, 0, 100, separators, n);
    const Pipeline pipeline = {.token_count_max = room + TEMPLATE_COUNT};
    const PrepareOptions options = {.length_policy = LENGTH_AUTO};
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(
        chunks_plan(&pipeline, &options, &words.encoding, words.texts[0], NULL, 0, &arena, &plan, &error),
        STATUS_OK);
    uint32_t end = plan.items[0].tokens.end - plan.cut.begin;
    arena_free(&arena);
    return end;
}

static void chunks_plan_ends_where_a_sentence_or_a_word_does(void **state)
{
    (void)state;
    const char *const sentences[] = {" ", " ", " ", " ", " ", " ", " ", ". ", " ", " ", " ", " ", " "};
    assert_int_equal(first_end(sentences, 13, 40), 34); /* sentences end behind words 8, 21 and 34 */
    assert_int_equal(first_end(sentences, 13, 33), 33); /* 21 is too early: the last word's end */
    const char *const parts[] = {"", "", " "};
    assert_int_equal(first_end(parts, 3, 40), 39);
    const char *const none[] = {""};
    assert_int_equal(first_end(none, 1, 40), 40);
}

static void assert_plan_refused(const Words *words, const PrepareOptions *options, uint32_t limit, bool has_pair,
                                const char *reason)
{
    Arena arena;
    Error error;
    ChunkPlan plan = {0};
    const Pipeline pipeline = {.token_count_max = limit};
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(chunks_plan(&pipeline, options, &words->encoding, words->texts[0],
                                 has_pair ? &words->texts[1] : NULL, 0, &arena, &plan, &error),
                     STATUS_INVALID_ARGUMENT);
    if (!strstr(error.message, reason)) fail_msg("%s", error.message);
    arena_free(&arena);
}

static void chunks_plan_refuses_what_has_no_room_or_no_end(void **state)
{
    (void)state;
    static Words words;
    const char *const blank[] = {" "};
    PrepareOptions options = {.task = TASK_RERANK, .length_policy = LENGTH_AUTO};
    words_init(&words);
    words_add(&words, 0, 30, blank, 1);
    words_add(&words, 1, 10, blank, 1);
    assert_plan_refused(&words, &options, 33, true, "takes 33"); /* the query fills it with the template */
    options.chunking.overlap = 3;
    assert_plan_refused(&words, &options, 38, true, "at most half of the 5 tokens");
    static uint8_t segments[CHUNK_COUNT_MAX + 2];
    static ByteRange offsets[CHUNK_COUNT_MAX + 2];
    words.encoding = (Encoding){.count = CHUNK_COUNT_MAX + 2, .segments = segments, .offsets = offsets};
    options = (PrepareOptions){.task = TASK_EMBED, .length_policy = LENGTH_AUTO};
    assert_plan_refused(&words, &options, 1, false, "more than 16384 chunks");
}

static void chunks_plan_cuts_the_longer_text_of_a_pair_but_never_a_query(void **state)
{
    (void)state;
    static Words words;
    const char *const blank[] = {" "};
    for (int task = TASK_EMBED; task <= TASK_RERANK; task++) {
        Arena arena;
        Error error;
        ChunkPlan plan = {0};
        words_init(&words);
        words_add(&words, 0, 30, blank, 1);
        words_add(&words, 1, 20, blank, 1);
        const Pipeline pipeline = {.token_count_max = 43};
        const PrepareOptions options = {.task = (Task)task, .length_policy = LENGTH_AUTO};
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(chunks_plan(&pipeline, &options, &words.encoding, words.texts[0], &words.texts[1], 0,
                                     &arena, &plan, &error),
                         STATUS_OK);
        assert_int_equal(plan.of_pair, task == TASK_RERANK);
        assert_covers(&plan, task == TASK_RERANK ? 10 : 20, 0);
        arena_free(&arena);
    }
}

/* What is said of the arena before is enough, whatever size chunks have. */
static void chunks_take_no_more_memory_than_is_said(void **state)
{
    (void)state;
    enum { TOKEN_COUNT = 200000, SLACK_BYTES = 64 * 1024 };
    Encoding encoding = {.count = TOKEN_COUNT, .ids = calloc(TOKEN_COUNT, sizeof(uint32_t))};
    encoding.type_ids = calloc(TOKEN_COUNT, 1);
    encoding.segments = calloc(TOKEN_COUNT, 1);
    encoding.offsets = calloc(TOKEN_COUNT, sizeof(ByteRange));
    for (uint32_t room = 24; room <= 8192; room = room * 3 / 2 + 1) {
        Arena arena;
        Error error;
        Prepared whole = {.encoding = encoding};
        const Pipeline pipeline = {.token_count_max = room};
        const PrepareOptions options = {.length_policy = LENGTH_AUTO};
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(
            chunks_plan(&pipeline, &options, &encoding, text_view(""), NULL, 0, &arena, &whole.chunks, &error),
            STATUS_OK);
        Arena chunks;
        arena_init(&chunks, pipeline_chunk_bytes(&whole) + SLACK_BYTES);
        for (uint32_t i = 0; i < whole.chunks.count; i++) {
            Encoding chunk;
            assert_true(
                chunks_encoding(&encoding, whole.chunks.cut, whole.chunks.items[i].tokens, &chunks, &chunk));
        }
        arena_free(&chunks);
        arena_free(&arena);
    }
    free(encoding.ids);
    free(encoding.type_ids);
    free(encoding.segments);
    free(encoding.offsets);
}

static void borders_rank_orders_paragraphs_sentences_and_words(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *after;
        unsigned rank;
    } cases[] = {
        {"a", "b", 0},           {"don", "'t", 1},
        {"a,", "b", 1},          {"a", " b", 2},
        {"a ", "b", 2},          {"3.", "14", 1},
        {"a. ", "B", 3},         {"a?\xE2\x80\x9D ", "B", 3},         /* a closing quote */
        {"(a.)", "\nB", 3},      {"\xE3\x80\x82", "\xE4\xB8\xAD", 3}, /* an ideographic full stop */
        {"a\n", "\nb", 4},       {"a\r\n \n", "b", 4},
        {"\xE4\xB8", "\xAD", 0}, /* within a character */
        {"a.", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        int size = snprintf(text, sizeof text, "%s%s", cases[i].before, cases[i].after);
        unsigned rank = borders_rank((TextView){text, (size_t)size}, (uint32_t)strlen(cases[i].before));
        if (rank != cases[i].rank) fail_msg("case %zu: rank %u, expected %u", i, rank, cases[i].rank);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_plan_covers_every_token_within_its_limits),
        cmocka_unit_test(chunks_plan_ends_where_a_sentence_or_a_word_does),
        cmocka_unit_test(chunks_plan_refuses_what_has_no_room_or_no_end),
        cmocka_unit_test(chunks_plan_cuts_the_longer_text_of_a_pair_but_never_a_query),
        cmocka_unit_test(chunks_take_no_more_memory_than_is_said),
        cmocka_unit_test(borders_rank_orders_paragraphs_sentences_and_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
