/* What layers share of their attention: rotary tables, biases by distance. */
#include "encoder/weights.h"

static CHECKED Status weights_alibi(Loader *loader, Encoder *encoder)
{
    float *slopes = loader_take(loader, loader->config->head_count);
    if (slopes) attention_alibi_slopes(loader->config->head_count, slopes);
    encoder->bias.kind = ATTENTION_BIAS_ALIBI;
    encoder->bias.slopes = slopes;
    return STATUS_OK;
}

static CHECKED Status weights_relative_bias(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const float *embeddings;
    Status status = loader_copy(loader, encoder->layout->relative_bias, config->relative_rows, config->head_count,
                                &embeddings);
    if (status) return status;
    float *table = loader_take(loader, (size_t)config->head_count * (2 * ATTENTION_RELATIVE_REACH + 1));
    if (table) attention_relative_expand(embeddings, config->head_count, table);
    encoder->bias.kind = ATTENTION_BIAS_RELATIVE;
    encoder->bias.table = table;
    encoder->bias.reach = ATTENTION_RELATIVE_REACH;
    return STATUS_OK;
}

static CHECKED Status weights_relative_positions(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    uint32_t rows = 2 * config->disentangled.span;
    const float *table;
    encoder->bias.kind = ATTENTION_BIAS_DISENTANGLED;
    encoder->bias.buckets = encoder->buckets;
    Status status = loader_copy(loader, encoder->layout->relative_positions, rows, config->hidden_size, &table);
    if (status) return status;
    encoder->relative_positions = table;
    if (!config->disentangled.normalizes) return STATUS_OK;
    EncoderNorm norm;
    status = loader_norm(loader, encoder->layout->relative_norm, config->hidden_size, NORM_LAYER, &norm);
    if (status) return status;
    float *normalized = loader_take(loader, (size_t)rows * config->hidden_size);
    if (normalized) {
        encoder->kernels->layer_norm(table, normalized, rows, config->hidden_size, norm.gain, norm.shift,
                                     config->norm_epsilon);
    }
    encoder->relative_positions = normalized;
    return STATUS_OK;
}

Status weights_load_positions(Loader *loader, Encoder *encoder)
{
    loader_leave(loader);
    switch (loader->config->position_bias) {
    case POSITION_BIAS_NONE:
        return STATUS_OK;
    case POSITION_BIAS_ALIBI:
        return weights_alibi(loader, encoder);
    case POSITION_BIAS_RELATIVE:
        return weights_relative_bias(loader, encoder);
    case POSITION_BIAS_DISENTANGLED:
        return weights_relative_positions(loader, encoder);
    }
    return STATUS_OK;
}
