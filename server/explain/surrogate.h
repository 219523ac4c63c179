/* Simple models of the model around one text, made of what it says of copies without some of the text's words. Each
 * is a study; the same seed gives the same surrogate. SURROGATE_LINEAR is PyPI lime's: words are left out as there,
 * copies are weighted by its kernel, and ten words get weights by ridge regression (Ribeiro et al. 2016).
 * SURROGATE_TREE is of depth 3 at most, by variance, on copies of the same kind. ANCHOR_RULE is words that hold the
 * label by themselves, whichever others are left out with a probability of 1/2 each (Ribeiro et al. 2018). What is
 * known of their fidelity was measured on copies of their own that they were not made of. */
#pragma once

#include "explain/study.h"

/* Copies that are run, at most: `sample_count` (1 .. EXPLAIN_SAMPLE_COUNT_MAX), and a quarter as many to measure
 * with. */
uint32_t surrogate_copies_max(uint32_t feature_count, uint32_t sample_count);
/* What surrogate_open takes of an arena, at most. */
uint64_t surrogate_bytes(ExplainMethod method, uint32_t feature_count, uint32_t sample_count);
/* A study of `text`, which has at most EXPLAIN_FEATURE_COUNT_MAX features. It lives in the arena; NULL: that is out.
 * Nothing is allocated later on. */
Study *surrogate_open(ExplainMethod method, const StudyText *text, uint32_t sample_count, uint64_t seed,
                      Arena *arena);
/* Once the study is over; lives as long as it. */
const ExplainSurrogate *surrogate_result(const Study *study);
