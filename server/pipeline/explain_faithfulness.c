/* The faithfulness of each attribution, by copies without the tokens of its highest scores and with them alone. */
#include "explain/faithfulness.h"
#include "pipeline/study_run.h"

typedef struct FaithfulnessState {
    StudyRun run;
    const ExplainSubject *subject;
    ExplainRemoval removal;
    uint32_t *token_features; /* [token count] */
    float *scores;            /* [feature count], of the attribution */
    uint32_t done_count;      /* attributions */
} FaithfulnessState;

static uint32_t attribution_count(const ExplainSpec *spec)
{
    uint32_t count = 0;
    for (uint32_t method = 0; method < EXPLAIN_METHOD_COUNT; method++)
        count += (spec->methods & EXPLAIN_ATTRIBUTIONS) >> method & 1;
    return count;
}

static void faithfulness_add_cost(const ExplainSubject *subject, ExplainCost *cost)
{
    enum { ROUNDING_BYTES = 48 }; /* of three allocations */
    uint32_t feature_count = copies_number_tokens(subject->prepared, NULL);
    uint64_t copies = attribution_count(subject->spec) * (uint64_t)faithfulness_copies(feature_count);
    uint64_t tokens = subject->prepared->encoding.count * (uint64_t)(sizeof(uint32_t) + sizeof(float));
    cost->memory_bytes += sizeof(FaithfulnessState) + tokens + ROUNDING_BYTES + copies_bytes(subject);
    cost->memory_bytes += faithfulness_bytes(feature_count);
    cost->step_work += copies * subject->prepared->work;
}

static CHECKED Status faithfulness_open_state(const ExplainSubject *subject, Arena *arena, void **out_state,
                                              Error *out_error)
{
    uint32_t count = subject->prepared->encoding.count;
    FaithfulnessState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state) goto fail;
    state->subject = subject;
    state->removal = copies_removal(subject->pipeline, subject->spec, EXPLAIN_MASK);
    state->token_features = arena_allocate(arena, count * sizeof *state->token_features);
    state->scores = arena_allocate(arena, count * sizeof *state->scores);
    if (!state->token_features || !state->scores) goto fail;
    uint32_t feature_count = copies_number_tokens(subject->prepared, state->token_features);
    state->run.study = faithfulness_open(feature_count, arena);
    state->run.copies = copies_open(subject, state->token_features, feature_count, state->removal, arena);
    if (!state->run.study || !state->run.copies) goto fail;
    *out_state = state;
    return STATUS_OK;
fail:
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the request's memory does not hold what measures faithfulness");
}

static void faithfulness_begin(FaithfulnessState *state, const ExplainAttribution *attribution)
{
    for (uint32_t i = 0; i < state->subject->prepared->encoding.count; i++) {
        uint32_t feature = state->token_features[i];
        if (feature != EXPLAIN_NO_FEATURE) state->scores[feature] = attribution->scores[i];
    }
    faithfulness_set_scores(state->run.study, state->scores);
    state->run.begun = false;
}

/* A batch of the attribution whose turn it is. */
static CHECKED Status faithfulness_step(void *state, const ExplainStep *step, bool *out_done, Error *out_error)
{
    FaithfulnessState *own = state;
    ExplainResult *result = step->result;
    bool over = true;
    if (own->done_count < result->attribution_count) {
        ExplainAttribution *attribution = &result->attributions[own->done_count];
        if (own->run.round.copy_count == 0) faithfulness_begin(own, attribution);
        Status status = study_run_step(&own->run, step, &over, out_error);
        if (status) return status;
        if (over) {
            attribution->has_faithfulness = true;
            attribution->faithfulness = faithfulness_result(own->run.study);
            attribution->faithfulness.removal = own->removal;
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
