/* The faithfulness of each attribution, by copies without the tokens of its highest scores and with them alone. */
#include "explain/faithfulness.h"
#include "pipeline/token_study.h"

typedef struct FaithfulnessState {
    TokenStudy tokens;   /* its scores are the attribution's, by the features */
    uint32_t done_count; /* attributions */
} FaithfulnessState;

static uint32_t attribution_count(const ExplainSpec *spec)
{
    uint32_t count = 0;
    for (uint32_t method = 0; method < EXPLAIN_METHOD_COUNT; method++)
        count += (spec->methods & EXPLAIN_ATTRIBUTIONS) >> method & 1;
    return count;
}

static void faithfulness_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    uint32_t feature_count = copies_number_tokens(subject->prepared, NULL);
    uint64_t copies = attribution_count(subject->spec) * (uint64_t)faithfulness_copies(feature_count);
    cost->memory_bytes +=
        arena_bytes(sizeof(FaithfulnessState)) + token_study_bytes(subject, faithfulness_bytes(feature_count));
    cost->step_work += copies * subject->prepared->work;
}

static CHECKED Status faithfulness_open_state(const ExplainSubject *subject, ExplainMethod method, Arena *arena,
                                              void **out_state, Error *out_error)
{
    (void)method;
    FaithfulnessState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state || !token_study_open(&state->tokens, subject, faithfulness_open, arena)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold what measures faithfulness");
    }
    *out_state = state;
    return STATUS_OK;
}

static void faithfulness_begin(TokenStudy *tokens, const ExplainAttribution *attribution)
{
    for (uint32_t i = 0; i < tokens->subject->prepared->encoding.count; i++) {
        uint32_t feature = tokens->token_features[i];
        if (feature != EXPLAIN_NO_FEATURE) tokens->scores[feature] = attribution->scores[i];
    }
    faithfulness_set_scores(tokens->run.study, tokens->scores);
    tokens->run.begun = false;
}

/* A batch of the attribution whose turn it is. */
static CHECKED Status faithfulness_step(void *state, const ExplainStep *step, bool *out_done, Error *out_error)
{
    FaithfulnessState *own = state;
    TokenStudy *tokens = &own->tokens;
    ExplainResult *result = step->result;
    bool over = true;
    if (own->done_count < result->attribution_count) {
        ExplainAttribution *attribution = &result->attributions[own->done_count];
        if (tokens->run.round.copy_count == 0) faithfulness_begin(tokens, attribution);
        Status status = study_run_step(&tokens->run, step, &over, out_error);
        if (status) return status;
        if (over) {
            attribution->has_faithfulness = true;
            attribution->faithfulness = faithfulness_result(tokens->run.study);
            attribution->faithfulness.removal = tokens->removal;
            own->done_count++;
        }
    }
    *out_done = over && own->done_count == result->attribution_count;
    return STATUS_OK;
}

const ExplainRow explain_faithfulness_row = {
    .tasks = EXPLAIN_TASKS_SCORED,
    .check = copies_check,
    .add_cost = faithfulness_add_cost,
    .open = faithfulness_open_state,
    .step = faithfulness_step,
};
