/* Whether a label hangs on a few tokens: copies of the text, each with others of its tokens masked, are classified as
 * well (Zeng et al. 2023, Certified Robustness to Text Adversarial Attacks by Randomized [MASK]). */
#pragma once

#include "pipeline/pipeline.h"
#include "sanitizer/sanitizer.h"

/* Fails with INVALID_ARGUMENT where `pipeline` has no one label a text, with UNSUPPORTED where its tokenizer has
 * neither a mask nor an unknown token. */
CHECKED Status pipeline_check_vote(const Pipeline *pipeline, Error *out_error);
/* Copy `index` of a sequence that was prepared, or of a chunk of one, for a batch. The same input gives
 * the same copies; what is not masked shares `prepared`'s arrays. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_vote_copy(const Pipeline *pipeline, const Prepared *prepared, uint32_t index, Arena *arena,
                                  Prepared *out_copy, Error *out_error);
/* What a copy takes of the arena, at most. */
uint64_t pipeline_vote_bytes(const Prepared *prepared);

/* copies[i] are the logits of copy i of a whole text, merged where it is cut. Adds VOTE_UNSTABLE to `sanitized` when
 * more than a quarter of the copies has another label than `logits`, with the majority's label as its detail, and
 * of all of the text_size bytes of the original. With `repairs`, logits then become the mean of the copies of the
 * majority. */
void pipeline_vote(const Pipeline *pipeline, const float *const *copies, uint32_t copy_count, uint32_t text_size,
                   bool repairs, float *logits, Sanitized *sanitized);
