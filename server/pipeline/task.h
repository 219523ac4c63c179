/* The tasks a checkpoint is asked for, and what becomes of the numbers that a batch leaves: labels, ranks, entities,
 * fills, answers. Everything here is as transformers' pipelines do it. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "pipeline/chunks.h"

/* A row of ListModels' `tasks`. */
typedef enum Task { TASK_EMBED, TASK_CLASSIFY, TASK_RERANK, TASK_TAG, TASK_FILL, TASK_ANSWER, TASK_COUNT } Task;

/* "embed", "classify", "rerank", "tag", "fill_mask", "answer". Static. */
const char *task_name(Task task);
/* Whether the checkpoint has the head (config.json's "architectures") that `task` reads. */
bool pipeline_has_task(const Pipeline *pipeline, Task task);
/* Fails with FAILED_PRECONDITION, naming the tasks that the checkpoint does serve. */
CHECKED Status pipeline_check_task(const Pipeline *pipeline, Task task, Error *out_error);
/* id2label in the order of the ids; 0 where the checkpoint's head has no labels. */
uint32_t pipeline_label_count(const Pipeline *pipeline);
TextView pipeline_label(const Pipeline *pipeline, uint32_t label);
/* The label with the greatest of logits[label count], the first of several. */
uint32_t pipeline_best_label(const Pipeline *pipeline, const float *logits);

/* Floats of an item's `output` (see pipeline.h), for an input prepared for the task:
 *   EMBED     dimensions, or the vector's size     CLASSIFY, RERANK  the head's logits [label count]
 *   TAG       logits [token count][label count]    ANSWER            start then end logits, 2 x [token count]
 *   FILL      0: its results are in `fills` */
uint64_t pipeline_output_size(const Pipeline *pipeline, Task task, const Prepared *prepared, uint32_t dimensions);

typedef struct LabelScore {
    uint32_t label;
    float score;
} LabelScore;

/* CLASSIFY: fills out_scores[label count], by descending score. As problem_type says: softmax; sigmoid for multi-label
 * and for one label; regression as it is. `raw`: the logits. */
void pipeline_classify(const Pipeline *pipeline, const float *logits, bool raw, LabelScore *out_scores);
/* RERANK: a cross-encoder's score: sigmoid of its one logit unless the checkpoint says otherwise, or `raw`. */
float pipeline_rank(const Pipeline *pipeline, const float *logits, bool raw);

/* transformers' aggregation_strategy. */
typedef enum Aggregation {
    AGGREGATION_NONE,
    AGGREGATION_SIMPLE,
    AGGREGATION_FIRST,
    AGGREGATION_AVERAGE,
    AGGREGATION_MAX,
} Aggregation;

typedef struct Entity {
    TextView label; /* the pipeline's: with B- and I- for NONE, else without */
    float score;
    ByteRange range; /* of the text as it was sent */
} Entity;

/* TAG: the entities of a text in its order, in `arena`; `text` is what was prepared, logits[i] the output of its chunk
 * i, or of the whole where it is not cut. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_tag(const Pipeline *pipeline, const Prepared *prepared, TextView text,
                            const float *const *logits, Aggregation aggregation, Arena *arena,
                            Entity **out_entities, uint32_t *out_count, Error *out_error);

/* FILL: one candidate of one mask. */
typedef struct FillScore {
    uint32_t token_id;
    float score; /* probability */
} FillScore;

/* ANSWER: question and context, of any length, as overlapping windows (of transformers' length and stride, unless
 * options->chunking says otherwise), in `arena`; *out_whole is not for a batch, but has the tokens of both. Fails as
 * pipeline_prepare. */
CHECKED Status pipeline_prepare_answer(const Pipeline *pipeline, TextView question, TextView context,
                                       const PrepareOptions *options, Arena *arena, Prepared *out_whole,
                                       Prepared **out_windows, uint32_t *out_count, Error *out_error);

typedef struct AnswerOptions {
    uint32_t top_k;       /* at least 1 */
    bool allow_no_answer; /* the empty answer competes with the others */
} AnswerOptions;

typedef struct AnswerScore {
    ByteRange range; /* of the context as it was sent; empty: there is no answer */
    float score;     /* probability of start times that of end */
} AnswerScore;

/* ANSWER: the best spans over all windows, by descending score; logits[i] is the output of windows[i]. Fails with
 * RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_answer(const Prepared *windows, const float *const *logits, uint32_t window_count,
                               TextView context, const AnswerOptions *options, Arena *arena,
                               AnswerScore **out_answers, uint32_t *out_count, Error *out_error);
