#include "encoder/steps.h"

void encoder_normalize(const Encoder *encoder, const EncoderNorm *norm, const float *rows, float *out,
                       uint32_t row_count, uint32_t size)
{
    float epsilon = encoder->config.norm_epsilon;
    if (norm->kind == NORM_RMS)
        encoder->kernels->rms_norm(rows, out, row_count, size, norm->gain, epsilon);
    else
        encoder->kernels->layer_norm(rows, out, row_count, size, norm->gain, norm->shift, epsilon);
}

void encoder_multiply(const Encoder *encoder, const EncoderLinear *linear, const float *a, size_t a_stride,
                      uint32_t rows, float *c, const float *residual, GemmActivation activation)
{
    size_t columns = linear->weights.columns;
    gemm_multiply(
        encoder->kernels, &linear->weights, a, a_stride, rows, c, columns,
        &(GemmEpilogue){
            .bias = linear->bias, .residual = residual, .residual_stride = columns, .activation = activation});
}
