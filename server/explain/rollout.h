/* Attention rollout (Abnar and Zuidema 2020, equation 1): how much of each token reaches the rows that the answer is
 * read from, if a layer hands on half of a row and half of what its heads see, on average:
 *
 *     r_L = the mean of the pooled rows' unit vectors,   r_l = 1/2 r_(l+1) + 1/2 r_(l+1) * mean over heads of A_l
 *
 * A row vector goes down through the layers, so no matrix of two layers exists. What each run of a layer reads is kept
 * in passing; behind the answer, each is run once more for its weights, the last one first. */
#pragma once

#include "explain/memory.h"
#include "explain/sequence.h"

typedef struct ExplainRollout ExplainRollout;

/* Bytes of an arena, at most, and floating-point operations of all steps. */
uint64_t explain_rollout_bytes(const ExplainSequence *sequence);
uint64_t explain_rollout_work(const ExplainSequence *sequence);
/* All that it will ever need, of the arena. What `sequence` borrows outlives it, and so do its tokens. Fails with
 * RESOURCE_EXHAUSTED. */
CHECKED Status explain_rollout_open(const ExplainSequence *sequence, const EncoderSequence *tokens, Arena *arena,
                                    ExplainRollout **out_rollout, Error *out_error);
/* Keeps what the runs read. */
EncoderProbe *explain_rollout_probe(ExplainRollout *rollout);
/* One run of a layer, back; true: it was the first. After the sequence was run with the probe. */
bool explain_rollout_step(ExplainRollout *rollout, EncoderWorkspace *workspace);
/* Once it is done. [token_count] */
const float *explain_rollout_scores(const ExplainRollout *rollout);
