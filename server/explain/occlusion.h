/* Occlusion: what each feature is worth by itself, f(x) - f(x without it) (Zeiler and Fergus 2014; of words, Li et al.
 * 2016). Pure. */
#pragma once

#include "explain/study.h"

/* What occlusion_open takes of an arena, at most. */
uint64_t occlusion_bytes(uint32_t feature_count);
/* A study in `arena`; NULL: that is out. */
Study *occlusion_open(uint32_t feature_count, Arena *arena);
/* [feature_count], once the study is over. */
const float *occlusion_scores(const Study *study);
