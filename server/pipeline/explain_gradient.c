/* GRADIENT_INPUT and INTEGRATED_GRADIENTS: explain/path.h on the target that the task has. The baseline of integrated
 * gradients has the mask's embedding for each token of the text, and what stands around the text as it is. */
#include "encoder/head_run.h"
#include "encoder/pooling.h"
#include "explain/path.h"
#include "pipeline/explain_methods.h"

#include <math.h>
#include <string.h>

typedef struct GradientState {
    const ExplainSubject *subject;
    ExplainMethod method;
    Path *path;
    uint32_t *baseline; /* [tokens]; NULL: none */
    float *direction;   /* EMBED: [vector size] */
} GradientState;

static Status gradient_check(const Pipeline *pipeline, const ExplainSpec *spec, Error *out_error)
{
    (void)spec;
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    bool classifies = encoder_head(pipeline->encoder) == HEAD_CLASSIFY;
    Status status = encoder_check_backward(pipeline->encoder, out_error);
    return status ? status : encoder_check_target(pipeline->encoder, classifies ? NULL : sentence, out_error);
}

/* Without the baseline's ids, for the cost alone. */
static PathSpec gradient_path_spec(const ExplainSubject *subject)
{
    const Encoding *encoding = &subject->prepared->encoding;
    uint32_t asked = subject->spec->step_count;
    return (PathSpec){
        .encoder = subject->pipeline->encoder,
        .sequence = {.ids = encoding->ids, .type_ids = encoding->type_ids, .token_count = encoding->count},
        .point_count = asked ? asked : PATH_POINTS_DEFAULT,
    };
}

static void gradient_add_cost(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost)
{
    bool integrated = method == EXPLAIN_INTEGRATED_GRADIENTS;
    PathSpec spec = gradient_path_spec(subject);
    if (integrated) spec.baseline = subject->prepared->encoding.ids;
    uint64_t baseline = integrated ? spec.sequence.token_count * (uint64_t)sizeof(uint32_t) : 0;
    uint64_t direction =
        subject->task == TASK_EMBED ? pipeline_vector_size(subject->pipeline) * (uint64_t)sizeof(float) : 0;
    cost->counts.attribution_count++;
    cost->step_work += path_work(&spec);
    cost->memory_bytes +=
        arena_bytes(sizeof(GradientState)) + arena_bytes(baseline) + arena_bytes(direction) + path_bytes(&spec);
}

/* What stands for a token that is not there. */
static uint32_t gradient_absent_id(const Pipeline *pipeline)
{
    uint32_t id = tokenizer_mask_id(pipeline->tokenizer);
    if (id == TOKENIZER_NO_ID) id = tokenizer_pad_id(pipeline->tokenizer);
    if (id == TOKENIZER_NO_ID && !tokenizer_unknown_id(pipeline->tokenizer, &id)) id = 0;
    return id;
}

static uint32_t *gradient_baseline(const ExplainSubject *subject, Arena *arena)
{
    const Prepared *prepared = subject->prepared;
    const Encoding *encoding = &prepared->encoding;
    uint32_t absent = gradient_absent_id(subject->pipeline);
    uint32_t *ids = arena_allocate(arena, encoding->count * sizeof *ids);
    for (uint32_t i = 0; ids && i < encoding->count; i++) {
        bool text = encoding->segments[i] != ENCODING_SEGMENT_NONE && i >= prepared->prompt_token_count;
        ids[i] = text ? absent : encoding->ids[i];
    }
    return ids;
}

static Status gradient_open(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                            Error *out_error)
{
    GradientState *state = arena_allocate_zeroed(arena, 1, sizeof *state);
    PathSpec spec = gradient_path_spec(subject);
    if (!state) goto fail;
    *state = (GradientState){.subject = subject, .method = method};
    if (method == EXPLAIN_INTEGRATED_GRADIENTS) {
        spec.baseline = state->baseline = gradient_baseline(subject, arena);
        if (!state->baseline) goto fail;
    }
    if (subject->task == TASK_EMBED) {
        state->direction =
            arena_allocate(arena, pipeline_vector_size(subject->pipeline) * sizeof *state->direction);
        if (!state->direction) goto fail;
    }
    *out_state = state;
    return path_open(&spec, arena, &state->path, out_error);
fail:
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold the gradients");
}

/* The target label's logit, or the vector's projection on the answer's own direction. */
static EncoderTarget gradient_target(GradientState *state, const PipelineItem *item)
{
    const ExplainSubject *subject = state->subject;
    if (subject->task != TASK_EMBED) return (EncoderTarget){.label = subject->target};
    uint32_t size = pipeline_vector_size(subject->pipeline);
    if (item->embed->dimensions) size = item->embed->dimensions;
    memcpy(state->direction, item->output, size * sizeof *state->direction);
    pooling_normalize(state->direction, size);
    return (EncoderTarget){
        .sentence = checkpoint_sentence_config(subject->pipeline->checkpoint),
        .direction = state->direction,
        .dimensions = size,
        .first_row = subject->prepared->prompt_token_count,
    };
}

static Status gradient_step(void *context, const ExplainStep *step, bool *out_done, Error *out_error)
{
    (void)out_error;
    GradientState *state = context;
    EncoderTarget target = gradient_target(state, step->item);
    *out_done = path_step(state->path, run_encoder_workspace(step->workspace), step->crew, &target);
    return STATUS_OK;
}

static Status gradient_finish(void *context, ExplainResult *result, Error *out_error)
{
    const GradientState *state = context;
    ExplainAttribution *attribution = explain_add_attribution(result, state->method);
    attribution->scores = path_scores(state->path);
    if (!run_values_finite(attribution->scores, state->subject->prepared->encoding.count))
        return error_set(out_error, STATUS_INTERNAL, "a gradient of the model is not finite");
    if (state->method != EXPLAIN_INTEGRATED_GRADIENTS) return STATUS_OK;
    attribution->has_completeness = true;
    attribution->completeness_error = path_completeness_error(state->path);
    return STATUS_OK;
}

const ExplainRow explain_gradient_row = {
    .tasks = EXPLAIN_TASKS_SCORED,
    .has_target = true,
    .check = gradient_check,
    .add_cost = gradient_add_cost,
    .open = gradient_open,
    .step = gradient_step,
    .finish = gradient_finish,
};
