/* A head's logit, or a vector's projection, and back. What goes into each step is kept on the way there. */
#include "encoder/target.h"

#include "encoder/back_steps.h"
#include "encoder/pooling.h"
#include "encoder/steps.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* What goes into each step, and the gradient on its way back; W the widest of all of them. */
typedef struct TargetScratch {
    float *inputs[VECTOR_STEP_COUNT_MAX + 1]; /* [W] each; a vector between the steps, the last behind them all */
    float *wide;                              /* [W]: before an activation */
    float *gradient;                          /* [W] */
    float *next;                              /* [W] */
    float *turned;                            /* gemm_back_scratch_size */
} TargetScratch;

static size_t target_width(const Encoder *encoder)
{
    size_t sizes[] = {encoder->config.hidden_size, encoder->steps.width, encoder->head.dense.weights.columns,
                      encoder->head.output.weights.columns};
    size_t width = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > width) width = sizes[i];
    return part_round_up(width);
}

size_t encoder_target_scratch_size(const Encoder *encoder)
{
    return (VECTOR_STEP_COUNT_MAX + 4) * target_width(encoder) + gemm_back_scratch_size(encoder->kernels);
}

static TargetScratch target_scratch(const Encoder *encoder, float *floats)
{
    size_t width = target_width(encoder);
    TargetScratch scratch = {0};
    for (int i = 0; i <= VECTOR_STEP_COUNT_MAX; i++, floats += width) scratch.inputs[i] = floats;
    scratch.wide = floats;
    scratch.gradient = floats + width;
    scratch.next = floats + 2 * width;
    scratch.turned = floats + 3 * width;
    return scratch;
}

Status encoder_check_target(const Encoder *encoder, const SentenceConfig *sentence, Error *out_error)
{
    const EncoderHead *head = &encoder->head;
    if (sentence && sentence->sparse) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "gradients of sparse vectors, over the vocabulary, are not supported");
    }
    bool first = head->kind == HEAD_CLASSIFY && head->pooling == HEAD_POOLING_FIRST && !head->norm.gain;
    if (sentence || first) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "gradients are of heads that classify a text by its first row; the model's is not");
}

/* out[columns] = activation(input * dense + bias), and what it was activated from. */
static void target_dense(const Encoder *encoder, const EncoderLinear *dense, GemmActivation activation,
                         const float *input, float *wide, float *out)
{
    uint32_t columns = dense->weights.columns;
    encoder_multiply(encoder, dense, input, dense->weights.depth, 1, wide, NULL, GEMM_NONE);
    memcpy(out, wide, columns * sizeof *out);
    encoder->kernels->activate(activation, out, 0, 1, columns);
}

/* scratch->gradient of what a dense layer makes of `input` becomes that of `input`. */
static void target_dense_back(const Encoder *encoder, TargetScratch *scratch, const EncoderLinear *dense,
                              GemmActivation activation, const float *input)
{
    float *gradient = scratch->gradient;
    encoder_multiply(encoder, dense, input, dense->weights.depth, 1, scratch->wide, NULL, GEMM_NONE);
    encoder->kernels->activate_back(activation, scratch->wide, gradient, dense->weights.columns);
    encoder_multiply_back(encoder, dense, gradient, 1, scratch->next, NULL, scratch->turned);
    scratch->gradient = scratch->next;
    scratch->next = gradient;
}

static float target_logit(const Encoder *encoder, TargetScratch *scratch, uint32_t label, const float *rows,
                          uint32_t row_count, float *out_gradients)
{
    const EncoderHead *head = &encoder->head;
    uint32_t size = encoder->config.hidden_size;
    bool dense = head->dense.weights.columns > 0;
    const float *features = dense ? scratch->inputs[0] : rows;
    assert(label < head->output.weights.columns);
    if (dense) target_dense(encoder, &head->dense, head->activation, rows, scratch->wide, scratch->inputs[0]);
    encoder_multiply(encoder, &head->output, features, head->output.weights.depth, 1, scratch->wide, NULL,
                     GEMM_NONE);
    float logit = scratch->wide[label];
    memset(scratch->gradient, 0, head->output.weights.columns * sizeof *scratch->gradient);
    scratch->gradient[label] = 1.0f;
    target_dense_back(encoder, scratch, &head->output, GEMM_NONE, features);
    if (dense) target_dense_back(encoder, scratch, &head->dense, head->activation, rows);
    memset(out_gradients, 0, (size_t)row_count * size * sizeof *out_gradients);
    memcpy(out_gradients, scratch->gradient, size * sizeof *out_gradients);
    return logit;
}

static void target_step(const Encoder *encoder, TargetScratch *scratch, uint32_t index, uint32_t size)
{
    const EncoderStep *step = &encoder->steps.steps[index];
    const float *input = scratch->inputs[index];
    float *out = scratch->inputs[index + 1];
    if (step->kind == VECTOR_DENSE) {
        target_dense(encoder, &step->dense, step->activation, input, scratch->wide, out);
        return;
    }
    memcpy(out, input, size * sizeof *out);
    if (step->kind == VECTOR_NORMALIZE) pooling_normalize(out, size);
    if (step->kind == VECTOR_LAYER_NORM)
        encoder->kernels->layer_norm(out, out, 1, size, step->norm.gain, step->norm.shift,
                                     VECTOR_LAYER_NORM_EPSILON);
}

/* v = x / |x|: dx = (g - v (g v)) / |x| */
static void target_normalize_back(const float *input, const float *output, uint32_t size, float *gradient)
{
    double square = 0.0;
    double product = 0.0;
    for (uint32_t i = 0; i < size; i++) {
        square += (double)input[i] * (double)input[i];
        product += (double)gradient[i] * (double)output[i];
    }
    double norm = sqrt(square) > 1e-12 ? sqrt(square) : 1e-12;
    for (uint32_t i = 0; i < size; i++)
        gradient[i] = (float)(((double)gradient[i] - (double)output[i] * product) / norm);
}

static void target_step_back(const Encoder *encoder, TargetScratch *scratch, uint32_t index, uint32_t size)
{
    const EncoderStep *step = &encoder->steps.steps[index];
    const float *input = scratch->inputs[index];
    switch (step->kind) {
    case VECTOR_DENSE:
        target_dense_back(encoder, scratch, &step->dense, step->activation, input);
        return;
    case VECTOR_LAYER_NORM:
        encoder_normalize_row_back(input, step->norm.gain, VECTOR_LAYER_NORM_EPSILON, size, scratch->gradient);
        return;
    case VECTOR_NORMALIZE:
        target_normalize_back(input, scratch->inputs[index + 1], size, scratch->gradient);
        return;
    }
}

/* A vector is pooled out of rows in which place `column` of this row counts as often as this says. */
static float target_pooling_share(Pooling pooling, const float *rows, uint32_t row_count, uint32_t first_row,
                                  uint32_t size, uint32_t row, uint32_t column)
{
    float count = (float)(row_count - first_row);
    switch (pooling) {
    case POOLING_MEAN:
        return 1.0f / count;
    case POOLING_CLS:
        return row == first_row ? 1.0f : 0.0f;
    case POOLING_LAST:
        return row + 1 == row_count ? 1.0f : 0.0f;
    case POOLING_MEAN_SQRT:
        return 1.0f / sqrtf(count);
    case POOLING_WEIGHTED_MEAN: /* the sum of the places, counted from 1 */
        return (float)(row + 1) / (0.5f * count * (float)(first_row + 1 + row_count));
    case POOLING_MAX: /* the first of the greatest */
        for (uint32_t other = first_row; other < row_count; other++) {
            float value = rows[(size_t)other * size + column];
            float own = rows[(size_t)row * size + column];
            if (value > own || (value == own && other < row)) return 0.0f;
        }
        return 1.0f;
    case POOLING_COUNT:
        break;
    }
    return 0.0f;
}

/* out_gradients[rows][H] += what gradient[H] of a pooled vector is to the rows. */
static void target_pool_back(Pooling pooling, const float *rows, uint32_t row_count, uint32_t first_row,
                             uint32_t size, const float *gradient, float *out_gradients)
{
    for (uint32_t row = first_row; row < row_count; row++) {
        float share = target_pooling_share(pooling, rows, row_count, first_row, size, row, 0);
        for (uint32_t i = 0; i < size; i++) {
            if (pooling == POOLING_MAX)
                share = target_pooling_share(pooling, rows, row_count, first_row, size, row, i);
            out_gradients[(size_t)row * size + i] += share * gradient[i];
        }
    }
}

static float target_projection(const Encoder *encoder, TargetScratch *scratch, const EncoderTarget *target,
                               const float *rows, uint32_t row_count, float *out_gradients)
{
    const SentenceConfig *sentence = target->sentence;
    const EncoderSteps *steps = &encoder->steps;
    uint32_t hidden = encoder->config.hidden_size;
    uint32_t sizes[VECTOR_STEP_COUNT_MAX + 1] = {steps->pooled_size};
    for (uint32_t i = 0; i < sentence->pooling_count; i++)
        pooling_apply(sentence->poolings[i], rows, row_count, target->first_row, hidden,
                      scratch->inputs[0] + (size_t)i * hidden);
    for (uint32_t i = 0; i < steps->count; i++) {
        target_step(encoder, scratch, i, sizes[i]);
        sizes[i + 1] = steps->steps[i].output_size;
    }
    double projection = 0.0;
    memset(scratch->gradient, 0, sizes[steps->count] * sizeof *scratch->gradient);
    for (uint32_t i = 0; i < target->dimensions; i++) {
        projection += (double)scratch->inputs[steps->count][i] * (double)target->direction[i];
        scratch->gradient[i] = target->direction[i];
    }
    for (uint32_t i = steps->count; i-- > 0;) target_step_back(encoder, scratch, i, sizes[i]);
    memset(out_gradients, 0, (size_t)row_count * hidden * sizeof *out_gradients);
    for (uint32_t i = 0; i < sentence->pooling_count; i++)
        target_pool_back(sentence->poolings[i], rows, row_count, target->first_row, hidden,
                         scratch->gradient + (size_t)i * hidden, out_gradients);
    return (float)projection;
}

float encoder_target(const Encoder *encoder, const EncoderTarget *target, const float *rows, uint32_t row_count,
                     float *out_gradients, float *floats)
{
    TargetScratch scratch = target_scratch(encoder, floats);
    if (target->sentence) return target_projection(encoder, &scratch, target, rows, row_count, out_gradients);
    return target_logit(encoder, &scratch, target->label, rows, row_count, out_gradients);
}
