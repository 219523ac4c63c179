/* The spans of a context that answer its question, as transformers' QuestionAnsweringPipeline finds them with
 * align_to_words: in each window the likeliest pairs of a start and an end, widened to whole words; over all windows,
 * spans of the same text count together; and, with handle_impossible_answer, the empty answer.
 *
 * A span's score is a product of two probabilities, each over the tokens that may be one: those of the context, and the
 * first of the sequence, which says that there is no answer. A pair whose product is 0 is no answer here. */
#include "pipeline/pipeline_state.h"
#include "pipeline/softmax.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ANSWER_TOKENS_MAX = 15,     /* max_answer_len */
    SPARE_CANDIDATE_COUNT = 10, /* beyond twice top_k: words may make one answer of several spans */
};

typedef struct Span {
    uint32_t begin; /* tokens, both inclusive */
    uint32_t end;
    float score;
} Span;

typedef struct Answers {
    TextView context;
    TextView lowered;   /* the context in lower case, */
    uint32_t *places;   /* and where its bytes are there: see encode_lowercase */
    AnswerScore *items; /* [capacity] */
    uint64_t *hashes;   /* [capacity], of each item's text */
    uint32_t count;
    uint32_t *slots; /* [slot_count]: an item's index and 1; 0: free. Open addressing by hash */
    uint32_t slot_count;
    double no_answer; /* the least of the windows' */
} Answers;

/* What the windows share, one after the other. */
typedef struct WindowScratch {
    float *start; /* [tokens of the longest window] */
    float *end;
    Span *spans; /* [ANSWER_TOKENS_MAX times as many] */
    uint32_t candidate_count;
} WindowScratch;

static bool span_before(const Span *a, const Span *b)
{
    if (a->score != b->score) return a->score > b->score;
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
}

static int span_compare(const void *a, const void *b)
{
    return span_before(a, b) ? -1 : span_before(b, a);
}

/* The first token of the sequence that the template puts there, and all of its kind. */
static bool token_may_answer(const Encoding *encoding, uint32_t token)
{
    if (encoding->segments[token] == 1) return true;
    return encoding->segments[token] == ENCODING_SEGMENT_NONE && encoding->segments[0] == ENCODING_SEGMENT_NONE &&
           encoding->ids[token] == encoding->ids[0];
}

/* Probabilities over the tokens that may answer; 0 elsewhere. */
static void window_probabilities(const Encoding *encoding, const float *logits, float *out_probabilities)
{
    double maximum = -INFINITY;
    double sum = 0;
    for (uint32_t i = 0; i < encoding->count; i++) {
        if (token_may_answer(encoding, i)) maximum = fmax(maximum, (double)logits[i]);
    }
    for (uint32_t i = 0; i < encoding->count; i++) {
        double value = token_may_answer(encoding, i) ? exp((double)logits[i] - maximum) : 0.0;
        out_probabilities[i] = (float)value;
        sum += value;
    }
    for (uint32_t i = 0; sum > 0 && i < encoding->count; i++) {
        out_probabilities[i] = (float)((double)out_probabilities[i] / sum);
    }
}

/* Writes the spans that may be an answer, the likeliest first; returns their count. */
static uint32_t window_spans(uint32_t token_count, const float *start, const float *end, Span *out_spans)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < token_count; i++) {
        for (uint32_t j = i; start[i] > 0 && j < token_count && j < i + ANSWER_TOKENS_MAX; j++) {
            float score = start[i] * end[j];
            if (score > 0) out_spans[count++] = (Span){i, j, score};
        }
    }
    qsort(out_spans, count, sizeof *out_spans, span_compare);
    return count;
}

/* The bytes from the word of the first token to the word of the last, as far as they lie in the window. */
static ByteRange span_range(const Encoding *encoding, Span span)
{
    const uint32_t *words = encoding->words;
    while (span.begin > 0 && encoding->segments[span.begin - 1] == 1 &&
           words[span.begin - 1] == words[span.begin]) {
        span.begin--;
    }
    while (span.end + 1 < encoding->count && encoding->segments[span.end + 1] == 1 &&
           words[span.end + 1] == words[span.end]) {
        span.end++;
    }
    return (ByteRange){encoding->offsets[span.begin].begin, encoding->offsets[span.end].end};
}

/* A range of the context in lower case, from the character of its first byte to that of its last. */
static TextView answer_text(const Answers *answers, ByteRange range)
{
    if (range.end <= range.begin) return text_view("");
    uint32_t end = range.end;
    while (end < answers->context.size && ((unsigned char)answers->context.bytes[end] & 0xC0) == 0x80) end++;
    uint32_t begin = answers->places[range.begin];
    return (TextView){answers->lowered.bytes + begin, answers->places[end] - begin};
}

/* Eight bytes at a time: spans overlap, and a token may have any number of bytes. */
static uint64_t text_hash(TextView text)
{
    uint64_t hash = text.size;
    for (size_t at = 0; at < text.size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = text.size - at;
        memcpy(&word, text.bytes + at, left < sizeof word ? left : sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return hash;
}

/* A text that is there already, but for case, gains the score. */
static void answers_add(Answers *answers, ByteRange range, float score)
{
    TextView text = answer_text(answers, range);
    uint64_t hash = text_hash(text);
    uint32_t slot = (uint32_t)(hash % answers->slot_count);
    for (; answers->slots[slot]; slot = (slot + 1) % answers->slot_count) {
        uint32_t item = answers->slots[slot] - 1;
        if (answers->hashes[item] != hash) continue;
        if (!text_equal(answer_text(answers, answers->items[item].range), text)) continue;
        answers->items[item].score += score;
        return;
    }
    answers->slots[slot] = answers->count + 1;
    answers->hashes[answers->count] = hash;
    answers->items[answers->count++] = (AnswerScore){.range = range, .score = score};
}

static void answers_add_window(Answers *answers, const Encoding *encoding, const float *logits,
                               const WindowScratch *scratch)
{
    float *start = scratch->start;
    float *end = scratch->end;
    window_probabilities(encoding, logits, start);
    window_probabilities(encoding, logits + encoding->count, end);
    answers->no_answer = fmin(answers->no_answer, (double)start[0] * (double)end[0]);
    start[0] = 0;
    end[0] = 0;
    uint32_t count = window_spans(encoding->count, start, end, scratch->spans);
    for (uint32_t i = 0; i < count && i < scratch->candidate_count; i++) {
        answers_add(answers, span_range(encoding, scratch->spans[i]), scratch->spans[i].score);
    }
}

/* By score; among equal ones, by their place. */
static int answer_compare(const void *a, const void *b)
{
    const AnswerScore *left = a;
    const AnswerScore *right = b;
    if (left->score != right->score) return left->score < right->score ? 1 : -1;
    if (left->range.begin != right->range.begin) return left->range.begin < right->range.begin ? -1 : 1;
    return (left->range.end > right->range.end) - (left->range.end < right->range.end);
}

/* Everything in `arena`; false when it is out. */
static bool answers_allocate(uint32_t token_count_max, uint64_t capacity, Arena *arena, WindowScratch *scratch,
                             Answers *answers)
{
    if (capacity > UINT32_MAX / 2) return false;
    if (!encode_lowercase(answers->context, arena, &answers->lowered, &answers->places)) return false;
    answers->slot_count = (uint32_t)(2 * capacity);
    scratch->start = arena_allocate(arena, token_count_max * sizeof *scratch->start);
    scratch->end = arena_allocate(arena, token_count_max * sizeof *scratch->end);
    scratch->spans = arena_allocate(arena, (size_t)token_count_max * ANSWER_TOKENS_MAX * sizeof *scratch->spans);
    answers->items = arena_allocate(arena, capacity * sizeof *answers->items);
    answers->hashes = arena_allocate(arena, capacity * sizeof *answers->hashes);
    answers->slots = arena_allocate_zeroed(arena, answers->slot_count, sizeof *answers->slots);
    return scratch->start && scratch->end && scratch->spans && answers->items && answers->hashes && answers->slots;
}

Status pipeline_answer(const Prepared *windows, const float *const *logits, uint32_t window_count,
                       TextView context, const AnswerOptions *options, Arena *arena, AnswerScore **out_answers,
                       uint32_t *out_count, Error *out_error)
{
    assert(window_count >= 1);
    uint32_t token_count_max = 0;
    for (uint32_t i = 0; i < window_count; i++) {
        if (windows[i].encoding.count > token_count_max) token_count_max = windows[i].encoding.count;
    }
    uint64_t wanted = 2 * (uint64_t)options->top_k + SPARE_CANDIDATE_COUNT;
    uint64_t possible = (uint64_t)token_count_max * ANSWER_TOKENS_MAX;
    WindowScratch scratch = {.candidate_count = (uint32_t)(wanted < possible ? wanted : possible)};
    Answers answers = {.context = context, .no_answer = 1.0};
    if (!answers_allocate(token_count_max, (uint64_t)window_count * scratch.candidate_count + 1, arena, &scratch,
                          &answers)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold the answers");
    }
    for (uint32_t i = 0; i < window_count; i++) {
        answers_add_window(&answers, &windows[i].encoding, logits[i], &scratch);
    }
    if (options->allow_no_answer) {
        answers.items[answers.count++] = (AnswerScore){.range = {0, 0}, .score = (float)answers.no_answer};
    }
    qsort(answers.items, answers.count, sizeof *answers.items, answer_compare);
    *out_answers = answers.items;
    *out_count = answers.count < options->top_k ? answers.count : options->top_k;
    for (uint32_t i = 0; i < *out_count; i++) {
        ByteRange *range = &answers.items[i].range;
        if (range->begin < range->end) *range = sanitizer_original_range(windows->pair_origin, *range);
    }
    return STATUS_OK;
}
