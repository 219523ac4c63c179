/* The way back through the forward pass, for the architectures whose layers are BERT's: gradients of one number, read
 * from the rows that the encoder leaves, with respect to the word embeddings that it read. Weights have none.
 *
 * The caller keeps what each run of a layer read (a probe's `enter`), and walks from the last run to the first: what a
 * run needs of its inside is computed again. So a gradient costs three times its forward pass, in products. */
#pragma once

#include "encoder/encoder.h"

/* Fails with UNSUPPORTED; the message names the architecture and those that have it. */
CHECKED Status encoder_check_backward(const Encoder *encoder, Error *out_error);

/* Floats of scratch that the functions below need for batches of up to `row_count` rows, of sequences of up to
 * `token_count` tokens. A multiple of 16. */
size_t encoder_backward_scratch_size(const Encoder *encoder, uint32_t row_count, uint32_t token_count);
/* Replaces gradients[rows][H] of what the `run`th run of a layer leaves of `sequences` by those of input[rows][H],
 * which it read. `scratch` is aligned to 64 bytes. A sequence's bits do not depend on its neighbours. Cannot fail. */
void encoder_backward_run(const Encoder *encoder, uint32_t run, const EncoderSequence *sequences, uint32_t count,
                          const float *input, float *gradients, float *scratch);
/* out_words[rows][E] = the gradients of the word embeddings, from those of the first run's input, which are lost. */
void encoder_backward_words(const Encoder *encoder, const EncoderSequence *sequences, uint32_t count,
                            float *gradients, float *out_words, float *scratch);

/* Floating-point operations of all of it on one sequence, without the forward pass before it. */
uint64_t encoder_backward_work(const Encoder *encoder, uint32_t token_count);

/* out_words[count][E] = the rows of the table of word embeddings, as EncoderSequence.words would have them. */
void encoder_read_words(const Encoder *encoder, const uint32_t *ids, uint32_t count, float *out_words);
