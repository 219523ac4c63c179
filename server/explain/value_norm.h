/* How much each token adds to what the answer is read from, through attention: ||sum over heads of a W_o v||, a its
 * weight in the pooled row and v its value (Kobayashi et al. 2020, equation 6), the mean of the layers asked for. */
#pragma once

#include "explain/pooled_row.h"

typedef struct ExplainValueNorm ExplainValueNorm;

/* Bytes of an arena, at most, and floating-point operations, beside those of the pooled row. */
uint64_t explain_value_norm_bytes(const ExplainAsked *asked);
uint64_t explain_value_norm_work(const ExplainAsked *asked);
/* All that it will ever need, of the arena. `pooled`, of the same request, and what `asked` borrows outlive it. Fails
 * with RESOURCE_EXHAUSTED. */
CHECKED Status explain_value_norm_open(const ExplainAsked *asked, const PooledRow *pooled, Arena *arena,
                                       ExplainValueNorm **out_norm, Error *out_error);
EncoderProbe *explain_value_norm_probe(ExplainValueNorm *norm);
/* After the run: [token_count]. */
const float *explain_value_norm_scores(const ExplainValueNorm *norm);
