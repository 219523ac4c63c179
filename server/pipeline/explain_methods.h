/* How a method of explanation plugs in: one row of functions, in a file of its own, and its name in the table of
 * pipeline/explain.c. For pipeline/explain*.c only. */
#pragma once

#include "explain/pooled_row.h"
#include "pipeline/explain.h"
#include "pipeline/pipeline_state.h"

#define EXPLAIN_NO_TARGET UINT32_MAX

/* What is explained, as a method sees it. */
typedef struct ExplainSubject {
    const Pipeline *pipeline;
    Task task;
    const ExplainSpec *spec;
    const Prepared *prepared;
    TextView text; /* what the model reads; empty while the cost is asked for */
    TextView pair;
    const PooledRow *pooled; /* NULL: no method reads it */
    uint32_t target;         /* the label; known from the first step on. EXPLAIN_NO_TARGET: the task has none */
} ExplainSubject;

/* What a step has at hand. */
typedef struct ExplainStep {
    const PipelineItem *item;     /* was run: its output is the answer */
    PipelineWorkspace *workspace; /* holds the sequence, and a batch */
    const Crew *crew;             /* shares the work on the sequence; NULL: nobody does */
    ExplainResult *result;        /* of the rows before this one */
} ExplainStep;

/* In the order in which they are called. A state is one thread's, but for its probe. Functions are NULL where there is
 * nothing to do, but for `add_cost` and `open`. */
typedef struct ExplainRow {
    uint32_t tasks;  /* EXPLAIN_TASK bits: those that have it */
    bool has_target; /* what it finds is for the target label */
    /* Fails with UNSUPPORTED where the model has it not; the error says which have. */
    Status (*check)(const Pipeline *pipeline, const ExplainSpec *spec, Error *out_error);
    /* Adds what it takes, and what its result holds at most. `method`, here and in `open`: of the several
     * that a row may serve. */
    void (*add_cost)(const ExplainSubject *subject, ExplainMethod method, ExplainCost *cost);
    /* All the memory that it will ever need, of `arena`. The subject outlives the state. Fails with
     * RESOURCE_EXHAUSTED. */
    Status (*open)(const ExplainSubject *subject, ExplainMethod method, Arena *arena, void **out_state,
                   Error *out_error);
    /* What looks on while the answer is computed. Its callbacks may run on several threads (encoder/probe.h). */
    EncoderProbe *(*probe)(void *state);
    /* One step behind the answer, of at most a batch or the sequence once. Fails with INTERNAL. */
    Status (*step)(void *state, const ExplainStep *step, bool *out_done, Error *out_error);
    /* Adds what was found to the result. Fails with INTERNAL (values that are not finite). */
    Status (*finish)(void *state, ExplainResult *result, Error *out_error);
} ExplainRow;

#define EXPLAIN_TASK(task) (1u << (task))
/* Tasks that have one number that depends on the text, f: a probability, a logit, a projection. */
#define EXPLAIN_TASKS_SCORED (EXPLAIN_TASK(TASK_EMBED) | EXPLAIN_TASK(TASK_CLASSIFY) | EXPLAIN_TASK(TASK_RERANK))
#define EXPLAIN_TASKS_ALL ((1u << TASK_COUNT) - 1)

/* Methods that give each token a score, by their bits in ExplainSpec.methods. */
#define EXPLAIN_ATTRIBUTIONS \
    (1u << EXPLAIN_ROLLOUT | 1u << EXPLAIN_VALUE_NORM | 1u << EXPLAIN_OCCLUSION | 1u << EXPLAIN_GRADIENT_INPUT | \
     1u << EXPLAIN_INTEGRATED_GRADIENTS)

extern const ExplainRow explain_pooled_row; /* the subject's, for those that read it */
extern const ExplainRow explain_occlusion_row;
extern const ExplainRow explain_faithfulness_row;
extern const ExplainRow explain_attention_row;
extern const ExplainRow explain_rollout_row;
extern const ExplainRow explain_value_norm_row;
extern const ExplainRow explain_gradient_row;  /* of both methods */
extern const ExplainRow explain_surrogate_row; /* of all three */
extern const ExplainRow explain_summary_row;

/* The subject's sequence, and which of its rows the answer is read from; borrows the subject. */
ExplainSequence explain_sequence(const ExplainSubject *subject);

/* A place for one more, of a method that may add one. */
ExplainAttribution *explain_add_attribution(ExplainResult *result, ExplainMethod method);
