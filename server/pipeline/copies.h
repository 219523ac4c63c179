/* Copies of a sequence that lack some of its tokens, as a study asks for them, and what the model says of each. For
 * pipeline/explain*.c only. */
#pragma once

#include "explain/study.h"
#include "pipeline/explain_methods.h"

/* Of a token that is in every copy. */
#define EXPLAIN_NO_FEATURE UINT32_MAX

/* Fails with UNSUPPORTED where the spec would mask tokens and the model has no token to do it with. */
CHECKED Status copies_check(const Pipeline *pipeline, const ExplainSpec *spec, Error *out_error);
/* The spec's, else `own`; without a mask token, DELETE. */
ExplainRemoval copies_removal(const Pipeline *pipeline, const ExplainSpec *spec, ExplainRemoval own);

/* Each token of the text, and of its pair, is a feature: fills in token_features[token count], and returns how many.
 * NULL: only counts them. */
uint32_t copies_number_tokens(const Prepared *prepared, uint32_t *token_features);

/* Room for a batch of copies; one thread's. */
typedef struct Copies Copies;

/* Of the arena, at most. */
uint64_t copies_bytes(const ExplainSubject *subject);
/* token_features[token count] says which feature a token belongs to, < feature_count; it and the subject outlive the
 * copies. NULL: the arena is out. */
Copies *copies_open(const ExplainSubject *subject, const uint32_t *token_features, uint32_t feature_count,
                    ExplainRemoval removal, Arena *arena);
/* The item was run: its answer is what the copies' are compared with. */
void copies_set_whole(Copies *copies, const PipelineItem *item);
/* Of the item. */
StudyAnswer copies_whole(const Copies *copies);
/* How many are run at once, at most. */
uint32_t copies_batch_max(const Copies *copies);
/* Runs `count` of them; copy i has feature k where kept[i][k], of kept[count][feature_count]. Fails with INTERNAL (an
 * answer that is not finite). */
CHECKED Status copies_run(Copies *copies, PipelineWorkspace *workspace, const Crew *crew, const uint8_t *kept,
                          uint32_t count, StudyAnswer *out_answers, Error *out_error);
