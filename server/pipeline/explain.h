/* The explanation of one sequence's answer: planned before anything is computed, read in passing by the batch that
 * answers as far as attention goes, and then made step by step, each no longer than a batch. */
#pragma once

#include "explain/explain.h"
#include "pipeline/pipeline.h"

/* Opaque, in the arena of its call: the loop's, then of the worker that runs its sequence or its next step. */
typedef struct PipelineExplain PipelineExplain;

/* Tokens of a step that runs short copies of a text: as few as their weights are worth the trip for (see
 * scheduler/policy.h), since whoever comes meanwhile may wait for it. */
#define EXPLAIN_STEP_TOKENS 64u

/* What a result holds, at most. */
typedef struct ExplainCounts {
    uint32_t weights_count;
    uint64_t row_count;   /* of all weights together, as the next two */
    uint64_t entry_count; /* weights; with a column each unless `dense` */
    bool dense;
    uint32_t attribution_count;
    uint32_t surrogate_count;
    uint32_t feature_count; /* of all surrogates together, as the next two */
    uint32_t node_count;
    uint64_t feature_bytes; /* of the words that features and nodes name */
    uint64_t summary_bytes;
} ExplainCounts;

/* What an explanation will take, known before it is begun. */
typedef struct ExplainCost {
    ExplainCounts counts;
    uint64_t memory_bytes; /* of the arena, at most */
    uint64_t passing_work; /* floating-point operations on top of the sequence's own batch */
    uint64_t step_work;    /* and of all steps behind it */
} ExplainCost;

/* What does not depend on a text. *out_field, where it fails, is the field of the spec that is to blame ("layers"),
 * static. Fails with INVALID_ARGUMENT (a layer, head or label that there is none of; the error says which there are),
 * UNSUPPORTED (a method that the architecture or the task has not; the error says which have). */
CHECKED Status pipeline_check_explain(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                      const char **out_field, Error *out_error);
/* Of a sequence that was prepared. */
ExplainCost pipeline_explain_cost(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                  const Prepared *prepared);
/* Room for it, within cost.memory_bytes of the arena: nothing is taken from it afterwards. `text` and `pair` are
 * what the model reads; they, the spec and `prepared` outlive it. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_explain_open(const Pipeline *pipeline, Task task, const ExplainSpec *spec,
                                     const Prepared *prepared, TextView text, TextView pair, Arena *arena,
                                     PipelineExplain **out_explain, Error *out_error);
/* For PipelineItem.probe; NULL: nothing is read in passing. */
EncoderProbe *pipeline_explain_probe(PipelineExplain *explain);
/* Explains `label`, unless the spec names another: where a text is cut, the whole's label is that of none of its
 * chunks. After the item was run, before the first step. */
void pipeline_explain_set_target(PipelineExplain *explain, uint32_t label);
/* Whether steps are left that compute something. */
bool pipeline_explain_has_steps(const PipelineExplain *explain);
/* Does one step, of at most a batch of copies or the sequence once; the item was run. *out_done: nothing is left to
 * do, and the result may be read. `workspace` holds the sequence, and `crew` shares the work (NULL: nobody); both
 * NULL where there are no steps. Fails with INTERNAL (values that are not finite). */
CHECKED Status pipeline_explain_step(PipelineExplain *explain, const PipelineItem *item,
                                     PipelineWorkspace *workspace, const Crew *crew, bool *out_done,
                                     Error *out_error);

/* A word of the text, or of its pair: what surrogates take for a feature. */
typedef struct ExplainWord {
    ByteRange range; /* of what the model reads */
    uint8_t segment; /* 0: text, 1: pair */
} ExplainWord;

enum { EXPLAIN_SURROGATE_COUNT = EXPLAIN_ANCHOR_RULE - EXPLAIN_SURROGATE_LINEAR + 1 };

/* What was found; lives in the arena. */
typedef struct ExplainResult {
    const ExplainWeights *weights; /* [weights_count], by layer and head */
    uint32_t weights_count;
    ExplainAttribution attributions[EXPLAIN_METHOD_COUNT]; /* [attribution_count], in the order of the methods */
    uint32_t attribution_count;
    ExplainSurrogate surrogates[EXPLAIN_SURROGATE_COUNT]; /* [surrogate_count], likewise */
    uint32_t surrogate_count;
    const ExplainWord *words; /* [word_count], the features of the surrogates */
    uint32_t word_count;
    bool of_pair;          /* some words are the pair's, so that which are has to be said */
    TextView target_label; /* of methods that have a target; empty: the vector's own direction */
    float target_score;    /* of the sequence */
    bool target_is_other;  /* the request names it, and another label has a higher score */
    TextView summary;      /* empty: not asked for */
} ExplainResult;

/* Bytes of a token of `encoding`, which is of `whole` or of a chunk of it, in what was sent; empty where the
 * template or the prompt has it. May begin or end within a character. */
ByteRange pipeline_explain_token_range(const Prepared *whole, const Encoding *encoding, uint32_t token);
/* Once it is done. */
const ExplainResult *pipeline_explain_result(const PipelineExplain *explain);
/* Whether what `method` finds is for the target label. */
bool pipeline_explain_has_target(ExplainMethod method);
