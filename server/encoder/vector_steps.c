#include "encoder/vector_steps.h"

#include "encoder/pooling.h"
#include "encoder/weights.h"

#include <assert.h>
#include <string.h>

static CHECKED Status step_load(Loader *loader, const VectorStep *config, EncoderStep *step)
{
    step->kind = config->kind;
    step->output_size = config->output_size;
    loader_enter(loader, "%s/", config->folder);
    if (config->kind == VECTOR_LAYER_NORM) {
        return loader_norm(loader, "norm", config->output_size, NORM_LAYER, &step->norm);
    }
    if (config->kind != VECTOR_DENSE) return STATUS_OK;
    LinearPart part = {"linear", config->output_size};
    step->activation = heads_activation(config->activation);
    return loader_linear(loader, &part, 1, config->input_size, config->bias ? LINEAR_BIAS : LINEAR_NO_BIAS,
                         &step->dense);
}

Status vector_steps_load(Loader *loader, EncoderSteps *out_steps)
{
    const SentenceConfig *config = checkpoint_sentence_config(loader->checkpoint);
    *out_steps = (EncoderSteps){.count = config->step_count};
    out_steps->pooled_size = config->pooling_count * loader->config->hidden_size;
    out_steps->width = out_steps->pooled_size;
    Status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < config->step_count; i++) {
        status = step_load(loader, &config->steps[i], &out_steps->steps[i]);
        if (config->steps[i].output_size > out_steps->width) out_steps->width = config->steps[i].output_size;
    }
    loader_leave(loader);
    return status;
}

uint32_t vector_steps_width(const Encoder *encoder)
{
    return encoder->steps.width;
}

void vector_steps_apply(const Encoder *encoder, float *vector, float *scratch)
{
    uint32_t size = encoder->steps.pooled_size;
    for (uint32_t i = 0; i < encoder->steps.count; i++) {
        const EncoderStep *step = &encoder->steps.steps[i];
        switch (step->kind) {
        case VECTOR_DENSE:
            assert(step->dense.weights.depth == size);
            gemm_multiply(encoder->kernels, &step->dense.weights, vector, size, 1, scratch, step->output_size,
                          &(GemmEpilogue){.bias = step->dense.bias, .activation = step->activation});
            memcpy(vector, scratch, step->output_size * sizeof *vector);
            break;
        case VECTOR_LAYER_NORM:
            encoder->kernels->layer_norm(vector, vector, 1, size, step->norm.gain, step->norm.shift,
                                         VECTOR_LAYER_NORM_EPSILON);
            break;
        case VECTOR_NORMALIZE:
            pooling_normalize(vector, size);
            break;
        }
        size = step->output_size;
    }
}
