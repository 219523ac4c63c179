/* The explanation of one sequence's answer: planned before anything is computed, read in passing by the batch that
 * answers as far as attention goes, and then made step by step, each no longer than a batch. */
#pragma once

#include "explain/explain.h"
#include "pipeline/pipeline.h"

/* Opaque, in the arena of its call: the loop's, then of the worker that runs its sequence or its next step. */
typedef struct PipelineExplain PipelineExplain;

/* What an explanation will take, known before it is begun. */
typedef struct ExplainCost {
    uint64_t wire_bytes;   /* at most */
    uint64_t memory_bytes; /* of the arena, at most */
    uint64_t passing_work; /* floating-point operations on top of the sequence's own batch */
    uint64_t step_work;    /* and of all steps behind it */
} ExplainCost;

/* Fails with INVALID_ARGUMENT (a layer, head, row or label that there is none of; the error says which there are),
 * UNSUPPORTED (a method that the architecture or the task has not; the error says which have). */
CHECKED Status pipeline_check_explain(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                      Error *out_error);
/* Of a sequence that was prepared. */
ExplainCost pipeline_explain_cost(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                  const Prepared *prepared);
/* Room for it, within cost.memory_bytes of the arena; set PipelineItem.explain to it before the item is run. `text` and
 * `pair` are what the model reads. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_explain_open(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                     const Prepared *prepared, TextView text, TextView pair, Arena *arena,
                                     PipelineExplain **out_explain, Error *out_error);
/* Does one step, of at most a batch of copies; the item was run. *out_done: nothing is left to do, and the result may be
 * read. Fails with INTERNAL (values that are not finite). */
CHECKED Status pipeline_explain_step(PipelineExplain *explain, const PipelineItem *item,
                                     PipelineWorkspace *workspace, bool *out_done, Error *out_error);

/* What was found; lives in the arena. */
typedef struct ExplainResult {
    const ExplainWeights *weights; /* [weights_count], by layer and head */
    uint32_t weights_count;
    const ExplainAttribution *attributions; /* [attribution_count], in the order of the methods */
    uint32_t attribution_count;
    const ExplainSurrogate *surrogates; /* [surrogate_count] */
    uint32_t surrogate_count;
    const ByteRange *words; /* of the text, that surrogates name */
    uint32_t word_count;
    TextView target_label; /* empty: the vector's own direction */
    TextView summary;      /* empty: not asked for */
} ExplainResult;

const ExplainResult *pipeline_explain_result(const PipelineExplain *explain);
