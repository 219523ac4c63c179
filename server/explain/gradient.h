/* Gradients of one number with respect to the word embeddings of copies of one text, which may have others than its
 * tokens': a batch at a time, in steps that each take about as long as the batch's forward pass. */
#pragma once

#include "encoder/backward.h"
#include "encoder/target.h"
#include "explain/memory.h"

enum { GRADIENT_COPIES_MAX = 32 };

/* Of one thread at a time. */
typedef struct GradientBatch GradientBatch;

/* How many copies of a text a batch takes, of the `wanted` ones: 1 .. GRADIENT_COPIES_MAX. */
uint32_t gradient_batch_copies(uint32_t token_count, uint32_t wanted);
/* A batch of up to `copy_count` copies of `sequence`, taken of `memory`; NULL where that only counts, and the token
 * count alone is read. */
GradientBatch *gradient_batch_take(const Encoder *encoder, const EncoderSequence *sequence, uint32_t copy_count,
                                   ExplainMemory *memory);
/* [copies][tokens][E], to be filled before the forward pass; the gradients take their place. */
float *gradient_batch_words(GradientBatch *batch);
/* The forward pass of the first `count` copies; out_values[count] are the target's. */
void gradient_batch_forward(GradientBatch *batch, uint32_t count, EncoderWorkspace *workspace, const Crew *crew,
                            const EncoderTarget *target, float *out_values);
/* A part of the way back; true: the gradients are there. */
bool gradient_batch_back(GradientBatch *batch);
