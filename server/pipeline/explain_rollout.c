/* ROLLOUT: explain/rollout.h from the rows that the answer is read from. */
#include "explain/rollout.h"
#include "pipeline/explain_methods.h"

typedef struct RolloutState {
    uint32_t token_count;
    ExplainRollout *rollout;
} RolloutState;

static void rollout_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    (void)method;
    const ExplainSequence sequence = explain_sequence(subject);
    cost->counts.attribution_count++;
    cost->memory_bytes += arena_bytes(sizeof(RolloutState)) + explain_rollout_bytes(&sequence);
    cost->step_work += explain_rollout_work(&sequence);
}

static Status rollout_open(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                           Error *out_error)
{
    (void)method;
    const Encoding *encoding = &subject->prepared->encoding;
    const ExplainSequence sequence = explain_sequence(subject);
    const EncoderSequence tokens = {
        .ids = encoding->ids,
        .type_ids = encoding->type_ids,
        .token_count = encoding->count,
        .global_positions = subject->prepared->global_positions,
        .global_count = subject->prepared->global_count,
    };
    RolloutState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    if (!state) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold the rollout");
    }
    state->token_count = encoding->count;
    *out_state = state;
    return explain_rollout_open(&sequence, &tokens, arena, &state->rollout, out_error);
}

static EncoderProbe *rollout_probe(void *context)
{
    const RolloutState *state = context;
    return explain_rollout_probe(state->rollout);
}

static Status rollout_step(void *context, const ExplainStep *step, bool *out_done, Error *out_error)
{
    (void)out_error;
    const RolloutState *state = context;
    *out_done = explain_rollout_step(state->rollout, run_encoder_workspace(step->workspace));
    return STATUS_OK;
}

static Status rollout_finish(void *context, ExplainResult *result, Error *out_error)
{
    const RolloutState *state = context;
    const float *scores = explain_rollout_scores(state->rollout);
    if (!run_values_finite(scores, state->token_count))
        return error_set(out_error, STATUS_INTERNAL, "the model's attention is not finite");
    explain_add_attribution(result, EXPLAIN_ROLLOUT)->scores = scores;
    return STATUS_OK;
}

const ExplainRow explain_rollout_row = {
    .tasks = EXPLAIN_TASKS_ALL,
    .add_cost = rollout_add_cost,
    .open = rollout_open,
    .probe = rollout_probe,
    .step = rollout_step,
    .finish = rollout_finish,
};
