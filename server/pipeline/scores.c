/* What is made of a classifier's logits. */
#include "pipeline/pipeline_state.h"
#include "pipeline/softmax.h"

#include <math.h>
#include <stdlib.h>

static float score_sigmoid(float logit)
{
    return (float)(1.0 / (1.0 + exp(-(double)logit)));
}

/* Descending; equal ones by their labels, so that an answer never depends on the sort. */
static int score_compare(const void *a, const void *b)
{
    const LabelScore *left = a;
    const LabelScore *right = b;
    if (left->score != right->score) return left->score < right->score ? 1 : -1;
    return (left->label > right->label) - (left->label < right->label);
}

uint32_t pipeline_best_label(const Pipeline *pipeline, const float *logits)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < pipeline_label_count(pipeline); i++) {
        if (logits[i] > logits[best]) best = i;
    }
    return best;
}

ScoreFunction scores_function(const Pipeline *pipeline, Task task)
{
    const HeadConfig *head = checkpoint_head_config(pipeline->checkpoint);
    if (task != TASK_RERANK) return head->score;
    ScoreFunction function = checkpoint_sentence_config(pipeline->checkpoint)->rank;
    if (function == SCORE_UNSET) function = head->rank;
    return function == SCORE_IDENTITY ? SCORE_IDENTITY : SCORE_SIGMOID;
}

float scores_value(const Pipeline *pipeline, Task task, const float *logits, uint32_t label)
{
    ScoreFunction function = scores_function(pipeline, task);
    if (function == SCORE_SIGMOID) return score_sigmoid(logits[label]);
    if (function != SCORE_SOFTMAX) return logits[label];
    Softmax softmax = softmax_measure(logits, pipeline_label_count(pipeline));
    return softmax_value(&softmax, logits[label]);
}

void pipeline_classify(const Pipeline *pipeline, const float *logits, bool raw, LabelScore *out_scores)
{
    const HeadConfig *head = checkpoint_head_config(pipeline->checkpoint);
    ScoreFunction function = raw ? SCORE_IDENTITY : head->score;
    Softmax softmax = softmax_measure(logits, head->label_count);
    for (uint32_t i = 0; i < head->label_count; i++) {
        float score = logits[i];
        if (function == SCORE_SOFTMAX) score = softmax_value(&softmax, score);
        if (function == SCORE_SIGMOID) score = score_sigmoid(score);
        out_scores[i] = (LabelScore){.label = i, .score = score};
    }
    qsort(out_scores, head->label_count, sizeof *out_scores, score_compare);
}

float pipeline_rank(const Pipeline *pipeline, const float *logits, bool raw)
{
    return raw ? logits[0] : scores_value(pipeline, TASK_RERANK, logits, 0);
}
