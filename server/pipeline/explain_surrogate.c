/* SURROGATE_LINEAR, SURROGATE_TREE, ANCHOR_RULE: studies of copies without some of the text's words. */
#include "explain/surrogate.h"

#include "pipeline/explain_words.h"
#include "pipeline/study_run.h"

enum {
    NAMED_WORDS_MAX = 10, /* of a linear model, or of a rule */
    NODES_MAX = 15,
    CONDITIONS_MAX = NODES_MAX / 2,
};

typedef struct SurrogateState {
    StudyRun run;
    ExplainWords words;
} SurrogateState;

static uint32_t sample_count_of(const ExplainSpec *spec)
{
    return spec->sample_count ? spec->sample_count : EXPLAIN_SAMPLE_COUNT_DEFAULT;
}

static void surrogate_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    uint32_t words = explain_words_max(subject->prepared), samples = sample_count_of(subject->spec);
    bool is_tree = method == EXPLAIN_SURROGATE_TREE;
    uint32_t named = is_tree ? CONDITIONS_MAX : NAMED_WORDS_MAX;
    cost->memory_bytes += arena_bytes(sizeof(SurrogateState)) + explain_words_bytes(subject) +
                          copies_bytes(subject) + surrogate_bytes(method, words, samples);
    cost->step_work += surrogate_copies_max(words, samples) * subject->prepared->work;
    cost->counts.surrogate_count++;
    cost->counts.feature_count += is_tree ? 0 : named;
    cost->counts.node_count += is_tree ? NODES_MAX : 0;
    /* A linear model names a word once, a rule as a feature too, a tree has up to four nodes of a depth. */
    uint64_t names = is_tree ? 4 : method == EXPLAIN_ANCHOR_RULE ? 2 : 1;
    cost->counts.feature_bytes += names * explain_words_text_bytes(subject->prepared);
}

static CHECKED Status surrogate_open_state(const ExplainSubject *subject, ExplainMethod method, Arena *arena,
                                           void **out_state, Error *out_error)
{
    const ExplainSpec *spec = subject->spec;
    SurrogateState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state || !explain_words_find(subject, arena, &state->words)) goto fail;
    const StudyText text = {.feature_count = state->words.count};
    ExplainRemoval removal = copies_removal(subject->pipeline, spec, EXPLAIN_DELETE);
    state->run.study = surrogate_open(method, &text, sample_count_of(spec), spec->seed, arena);
    state->run.copies = copies_open(subject, state->words.token_words, text.feature_count, removal, arena);
    if (!state->run.study || !state->run.copies) goto fail;
    *out_state = state;
    return STATUS_OK;
fail:
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold a surrogate");
}

static CHECKED Status surrogate_step(void *state, const ExplainStep *step, bool *out_done, Error *out_error)
{
    return study_run_step(&((SurrogateState *)state)->run, step, out_done, out_error);
}

static CHECKED Status surrogate_finish(void *state, ExplainResult *result, Error *out_error)
{
    const SurrogateState *own = state;
    (void)out_error;
    result->surrogates[result->surrogate_count++] = *surrogate_result(own->run.study);
    result->words = own->words.items;
    result->word_count = own->words.count;
    result->of_pair = own->words.of_pair;
    return STATUS_OK;
}

const ExplainRow explain_surrogate_row = {
    .tasks = EXPLAIN_TASKS_SCORED,
    .has_target = true,
    .check = copies_check,
    .add_cost = surrogate_add_cost,
    .open = surrogate_open_state,
    .step = surrogate_step,
    .finish = surrogate_finish,
};
