/* OCCLUSION: each token of the text left out by itself. */
#include "explain/occlusion.h"
#include "pipeline/token_study.h"

static void occlusion_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    uint32_t feature_count = copies_number_tokens(subject->prepared, NULL);
    cost->memory_bytes +=
        arena_bytes(sizeof(TokenStudy)) + token_study_bytes(subject, occlusion_bytes(feature_count));
    cost->step_work += feature_count * subject->prepared->work;
    cost->counts.attribution_count++;
}

static CHECKED Status occlusion_open_state(const ExplainSubject *subject, ExplainMethod method, Arena *arena,
                                           void **out_state, Error *out_error)
{
    (void)method;
    TokenStudy *tokens = arena_allocate(arena, sizeof *tokens);
    if (!tokens || !token_study_open(tokens, subject, occlusion_open, arena)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold occluded copies");
    }
    *out_state = tokens;
    return STATUS_OK;
}

static CHECKED Status occlusion_step(void *state, const ExplainStep *step, bool *out_done, Error *out_error)
{
    return study_run_step(&((TokenStudy *)state)->run, step, out_done, out_error);
}

static CHECKED Status occlusion_finish(void *state, ExplainResult *result, Error *out_error)
{
    TokenStudy *tokens = state;
    const float *scores = occlusion_scores(tokens->run.study);
    (void)out_error;
    for (uint32_t i = 0; i < tokens->subject->prepared->encoding.count; i++) {
        uint32_t feature = tokens->token_features[i];
        if (feature != EXPLAIN_NO_FEATURE) tokens->scores[i] = scores[feature];
    }
    explain_add_attribution(result, EXPLAIN_OCCLUSION)->scores = tokens->scores;
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
