/* Whether scores of features say what the answer depends on (DeYoung et al. 2020, ERASER): taking the features with the
 * highest scores out should change it, and leaving them alone should not. Pure. */
#pragma once

#include "explain/study.h"

/* What faithfulness_open takes of an arena, at most. */
uint64_t faithfulness_bytes(uint32_t feature_count);
/* Copies that it runs, at most. */
uint32_t faithfulness_copies(uint32_t feature_count);
/* A study in `arena`; NULL: that is out. */
Study *faithfulness_open(uint32_t feature_count, Arena *arena);
/* Before it begins, and again for each other set of scores[feature_count]. */
void faithfulness_set_scores(Study *study, const float *scores);
/* Once the study is over; `removal` is the caller's to fill in. Without features, 0. */
ExplainFaithfulness faithfulness_result(const Study *study);
