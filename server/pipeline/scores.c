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
    ScoreFunction function = checkpoint_sentence_config(pipeline->checkpoint)->rank;
    if (function == SCORE_UNSET) function = checkpoint_head_config(pipeline->checkpoint)->rank;
    return raw || function == SCORE_IDENTITY ? logits[0] : score_sigmoid(logits[0]);
}
