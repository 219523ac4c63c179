/* A study of the tokens of a text. For pipeline/explain*.c only. */
#pragma once

#include "pipeline/study_run.h"

/* Each token of the text is a feature. */
typedef struct TokenStudy {
    StudyRun run;
    const ExplainSubject *subject;
    ExplainRemoval removal;
    uint32_t *token_features; /* [token count] */
    float *scores;            /* [token count], zeroed: whoever's the study is */
} TokenStudy;

/* What opening it takes of an arena, at most, where the study itself takes `study_bytes`. */
uint64_t token_study_bytes(const ExplainSubject *subject, uint64_t study_bytes);
/* The subject outlives it. False: the arena is out. */
CHECKED bool token_study_open(TokenStudy *tokens, const ExplainSubject *subject,
                              Study *(*open)(uint32_t feature_count, Arena *arena), Arena *arena);
