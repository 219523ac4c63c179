/* OCCLUSION: each token of the text left out by itself. */
#include "explain/occlusion.h"
#include "pipeline/study_run.h"

typedef struct OcclusionState {
    StudyRun run;
    const ExplainSubject *subject;
    uint32_t *token_features; /* [token count], as the next */
    float *scores;
} OcclusionState;

static void occlusion_add_cost(const ExplainSubject *subject, ExplainCost *cost)
{
    enum { ROUNDING_BYTES = 48 }; /* of three allocations */
    uint32_t feature_count = copies_number_tokens(subject->prepared, NULL);
    uint64_t tokens = subject->prepared->encoding.count * (uint64_t)(sizeof(uint32_t) + sizeof(float));
    cost->memory_bytes += sizeof(OcclusionState) + tokens + ROUNDING_BYTES + copies_bytes(subject);
    cost->memory_bytes += occlusion_bytes(feature_count);
    cost->step_work += feature_count * subject->prepared->work;
    cost->counts.attribution_count++;
}

static CHECKED Status occlusion_open_state(const ExplainSubject *subject, Arena *arena, void **out_state,
                                           Error *out_error)
{
    uint32_t count = subject->prepared->encoding.count;
    OcclusionState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state) goto fail;
    state->subject = subject;
    state->token_features = arena_allocate(arena, count * sizeof *state->token_features);
    state->scores = arena_allocate_zeroed(arena, count, sizeof *state->scores);
    if (!state->token_features || !state->scores) goto fail;
    uint32_t feature_count = copies_number_tokens(subject->prepared, state->token_features);
    ExplainRemoval removal = copies_removal(subject->pipeline, subject->spec, EXPLAIN_MASK);
    state->run.study = occlusion_open(feature_count, arena);
    state->run.copies = copies_open(subject, state->token_features, feature_count, removal, arena);
    if (!state->run.study || !state->run.copies) goto fail;
    *out_state = state;
    return STATUS_OK;
fail:
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold occluded copies");
}

static CHECKED Status occlusion_step(void *state, const ExplainStep *step, bool *out_done, Error *out_error)
{
    OcclusionState *own = state;
    return study_run_step(&own->run, step, out_done, out_error);
}

static CHECKED Status occlusion_finish(void *state, ExplainResult *result, Error *out_error)
{
    OcclusionState *own = state;
    const float *scores = occlusion_scores(own->run.study);
    (void)out_error;
    for (uint32_t i = 0; i < own->subject->prepared->encoding.count; i++) {
        if (own->token_features[i] != EXPLAIN_NO_FEATURE) own->scores[i] = scores[own->token_features[i]];
    }
    explain_add_attribution(result, EXPLAIN_OCCLUSION)->scores = own->scores;
    return STATUS_OK;
}

const ExplainRow explain_occlusion_row = {
    .tasks = EXPLAIN_TASKS_SCORED,
    .has_target = true,
    .check = copies_check,
    .add_cost = occlusion_add_cost,
    .open = occlusion_open_state,
    .step = occlusion_step,
    .finish = occlusion_finish,
};
