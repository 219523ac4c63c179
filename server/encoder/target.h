/* What a gradient is of: one number, read from the rows that the encoder leaves of a text. */
#pragma once

#include "encoder/encoder.h"

typedef struct EncoderTarget {
    uint32_t label; /* its logit, of the head that classifies; where `sentence` is set, instead: */
    /* The projection of the text's vector, as it is before it is normalized, on a direction. */
    const SentenceConfig *sentence;
    const float *direction; /* [dimensions], of the vector's first */
    uint32_t dimensions;
    uint32_t first_row; /* pooling leaves out those before it */
} EncoderTarget;

/* Fails with UNSUPPORTED: vectors over the vocabulary, and heads that read more than the first row. Both are for
 * architectures that have encoder_check_backward. */
CHECKED Status encoder_check_target(const Encoder *encoder, const SentenceConfig *sentence, Error *out_error);
/* Floats of scratch that encoder_target needs. A multiple of 16. */
size_t encoder_target_scratch_size(const Encoder *encoder);
/* Returns the number for rows[row_count][H] and sets out_gradients[row_count][H] to its gradient. `scratch` is aligned
 * to 64 bytes. Cannot fail. */
float encoder_target(const Encoder *encoder, const EncoderTarget *target, const float *rows, uint32_t row_count,
                     float *out_gradients, float *scratch);
