/* Probabilities of one row of logits, for the files of pipeline/ only. In double, so that the sum of a whole vocabulary
 * loses nothing. */
#pragma once

#include <math.h>
#include <stdint.h>

typedef struct Softmax {
    double maximum;
    double sum; /* of exp(logit - maximum); at least 1 */
} Softmax;

/* count >= 1; the logits are finite. */
static inline Softmax softmax_measure(const float *logits, uint32_t count)
{
    Softmax softmax = {.maximum = (double)logits[0]};
    for (uint32_t i = 1; i < count; i++) softmax.maximum = fmax(softmax.maximum, (double)logits[i]);
    for (uint32_t i = 0; i < count; i++) softmax.sum += exp((double)logits[i] - softmax.maximum);
    return softmax;
}

static inline float softmax_value(const Softmax *softmax, float logit)
{
    return (float)(exp((double)logit - softmax->maximum) / softmax->sum);
}
