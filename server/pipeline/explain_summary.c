/* SUMMARY: what the rows before it found, by words. */
#include "explain/summary.h"

#include "pipeline/explain_words.h"

typedef struct SummaryState {
    const ExplainSubject *subject;
    ExplainWords words;
    uint32_t pair_count;                       /* of the words, the last ones */
    TextView texts[EXPLAIN_FEATURE_COUNT_MAX]; /* of the words */
    float scores[EXPLAIN_FEATURE_COUNT_MAX];   /* likewise */
    char bytes[SUMMARY_BYTES_MAX];
} SummaryState;

static void summary_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    cost->memory_bytes += arena_bytes(sizeof(SummaryState)) + explain_words_bytes(subject);
    cost->counts.summary_bytes = SUMMARY_BYTES_MAX;
}

static CHECKED Status summary_open_state(const ExplainSubject *subject, ExplainMethod method, Arena *arena,
                                         void **out_state, Error *out_error)
{
    (void)method;
    SummaryState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state || !explain_words_find(subject, arena, &state->words)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold a summary");
    }
    state->subject = subject;
    for (uint32_t i = 0; i < state->words.count; i++) {
        const ExplainWord *word = &state->words.items[i];
        TextView text = word->segment == 0 ? subject->text : subject->pair;
        state->pair_count += word->segment;
        state->texts[i] = (TextView){text.bytes + word->range.begin, word->range.end - word->range.begin};
    }
    *out_state = state;
    return STATUS_OK;
}

/* A word's score is that of all its tokens, wherever it stands. */
static void summary_add_scores(SummaryState *state, const ExplainAttribution *attribution)
{
    for (uint32_t i = 0; i < state->subject->prepared->encoding.count; i++) {
        uint32_t word = state->words.token_words[i];
        if (word != EXPLAIN_NO_FEATURE) state->scores[word] += attribution->scores[i];
    }
}

static CHECKED Status summary_finish(void *state, ExplainResult *result, Error *out_error)
{
    SummaryState *own = state;
    (void)out_error;
    const SummaryNumbers numbers = {
        .label = result->target_label,
        .label_is_other = result->target_is_other,
        .has_score = result->target_label.size > 0,
        .score = result->target_score,
        .words = own->texts,
        .word_count = own->words.count,
        .pair_count = own->pair_count,
        .attribution = summary_choose(result->attributions, result->attribution_count),
        .word_scores = own->scores,
        .surrogates = result->surrogates,
        .surrogate_count = result->surrogate_count,
    };
    if (numbers.attribution) summary_add_scores(own, numbers.attribution);
    result->summary = (TextView){own->bytes, summary_write(&numbers, own->bytes)};
    return STATUS_OK;
}

const ExplainRow explain_summary_row = {
    .tasks = EXPLAIN_TASKS_ALL,
    .add_cost = summary_add_cost,
    .open = summary_open_state,
    .finish = summary_finish,
};
