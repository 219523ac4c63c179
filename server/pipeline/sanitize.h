/* A text on its way to the model: what the sanitizer finds and repairs, and what only the model's tokens show. In this
 * order, each for a text or the other text of a pair: pipeline_sanitize; pipeline_prepare of the cleaned text;
 * pipeline_set_origin; pipeline_check_tokens; sanitizer_refuses. */
#pragma once

#include "pipeline/pipeline.h"
#include "sanitizer/sanitizer.h"

/* sanitizer_run, and with a model (`pipeline` NULL: without) TOK_SPECIAL before and after cleaning, and the repairs by
 * tokens that are asked for: TYPO_WORD, FLOOD_REPEAT. FILL's own mask is no finding. Any thread; linear in the text.
 * Fails as sanitizer_run, and with RESOURCE_EXHAUSTED (the arena). */
CHECKED Status pipeline_sanitize(const Pipeline *pipeline, Task task, TextView text,
                                 const SanitizeOptions *options, Arena *arena, Sanitized *out_sanitized,
                                 Error *out_error);

/* `prepared` is of these cleaned texts, `pair` NULL: of one. Ranges that leave the pipeline (entities, answers, chunks)
 * are of the original from here on. Both outlive `prepared`. */
void pipeline_set_origin(Prepared *prepared, const Sanitized *text, const Sanitized *pair);

/* Adds what the tokens of a text, or `of_pair` of its pair, show: TOK_GLITCH, TOK_UNK, TOK_FRAGMENT, FLOOD_REPEAT.
 * Once a text; `sanitized` is what `whole` was prepared of. Any thread; linear in the tokens. */
void pipeline_check_tokens(const Pipeline *pipeline, const Prepared *whole, bool of_pair,
                           const SanitizeOptions *options, Sanitized *sanitized);
