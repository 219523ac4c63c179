/* One layer's weights. */
#include "encoder/weights.h"

#include <string.h>

uint32_t encoder_layer_count(const ModelConfig *config)
{
    return config->group_count * config->inner_count;
}

uint32_t encoder_queries_width(const ModelConfig *config)
{
    return config->head_count * config->head_size;
}

uint32_t encoder_keys_values_width(const ModelConfig *config)
{
    return 2 * config->key_value_head_count * config->head_size;
}

static LinearBias weights_bias(bool present)
{
    return present ? LINEAR_BIAS : LINEAR_NO_BIAS;
}

static void weights_enter_layer(Loader *loader, const Encoder *encoder, uint32_t index)
{
    const EncoderLayout *layout = encoder->layout;
    uint32_t inner_count = encoder->config.inner_count;
    if (layout->inner)
        loader_enter(loader, "%s.%u.%s.%u.", layout->layer, index / inner_count, layout->inner,
                     index % inner_count);
    else
        loader_enter(loader, "%s.%u.", layout->layer, index);
}

/* A norm that the architecture may lack. */
static CHECKED Status weights_norm(Loader *loader, const char *module, uint32_t size, EncoderNorm *out_norm)
{
    *out_norm = (EncoderNorm){0};
    return module ? loader_norm(loader, module, size, loader->config->norm, out_norm) : STATUS_OK;
}

/* DeBERTa: the projections of the table of positions, by modules of their own or by those of the content. */
static CHECKED Status weights_position_linears(Loader *loader, const Encoder *encoder, EncoderLinear *out_keys,
                                               EncoderLinear *out_queries)
{
    const ModelConfig *config = loader->config;
    uint32_t columns = config->head_count * config->head_size;
    Status status = STATUS_OK;
    if (config->disentangled.shares_projections) return status;
    if (config->disentangled.content_to_position) {
        LinearPart part = {encoder->layout->position_key, columns};
        status = loader_linear(loader, &part, 1, config->hidden_size, LINEAR_BIAS, out_keys);
    }
    if (!status && config->disentangled.position_to_content) {
        LinearPart part = {encoder->layout->position_query, columns};
        status = loader_linear(loader, &part, 1, config->hidden_size, LINEAR_BIAS, out_queries);
    }
    return status;
}

/* product[rows][linear's columns] of all positions. */
static void weights_project(const Encoder *encoder, const EncoderLinear *linear, float *product)
{
    gemm_multiply(encoder->kernels, &linear->weights, encoder->relative_positions, encoder->config.hidden_size,
                  2 * encoder->config.disentangled.span, product, linear->weights.columns,
                  &(GemmEpilogue){.bias = linear->bias, .activation = GEMM_NONE});
}

/* Copies `columns` columns of rows[rows][width] to out[rows][columns]. */
static void weights_cut(const float *rows, uint32_t row_count, size_t width, uint32_t columns, float *out)
{
    for (size_t row = 0; row < row_count; row++)
        memcpy(out + row * columns, rows + row * width, columns * sizeof *out);
}

static CHECKED Status weights_disentangled(Loader *loader, const Encoder *encoder, EncoderLayer *layer)
{
    const DisentangledConfig *terms = &loader->config->disentangled;
    uint32_t columns = loader->config->head_count * loader->config->head_size;
    uint32_t row_count = 2 * terms->span;
    size_t size = (size_t)row_count * columns;
    EncoderLinear linear_keys = layer->keys_values;
    EncoderLinear linear_queries = layer->queries;
    Status status = weights_position_linears(loader, encoder, &linear_keys, &linear_queries);
    if (status) return status;
    float *keys = NULL;
    float *queries = NULL;
    if (terms->content_to_position)
        keys = loader_take(loader, attention_positions_size(encoder->kernels, &layer->plan));
    if (terms->position_to_content) queries = loader_take(loader, size);
    /* The keys' product, beside that of values where the layer's own serve, and the part of it that is packed. */
    float *product = loader_scratch(loader, 3 * size);
    if (!loader->block) return STATUS_OK;
    if (queries) weights_project(encoder, &linear_queries, queries);
    if (keys) {
        weights_project(encoder, &linear_keys, product);
        weights_cut(product, row_count, linear_keys.weights.columns, columns, product + 2 * size);
        attention_positions_pack(encoder->kernels, &layer->plan, product + 2 * size, keys);
    }
    layer->plan.bias.position_keys = keys;
    layer->plan.bias.position_queries = queries;
    return STATUS_OK;
}

static void weights_plan(const Encoder *encoder, uint32_t index, EncoderLayer *layer)
{
    uint32_t reach = encoder->config.layer_reach[index];
    layer->plan.window_reach = reach == REACH_UNLIMITED ? ATTENTION_UNLIMITED : reach;
    layer->rotary = reach == REACH_UNLIMITED ? encoder->rotary : encoder->local_rotary;
    layer->plan.block_size = encoder->config.block_size;
    layer->plan.block_repeats = encoder->config.block_repeats;
    layer->plan.bias = encoder->bias;
}

static CHECKED Status weights_projections(Loader *loader, const EncoderLayout *layout, EncoderLayer *layer)
{
    const ModelConfig *config = loader->config;
    uint32_t queries = encoder_queries_width(config);
    uint32_t rest = encoder_keys_values_width(config);
    const LinearPart apart[] = {{layout->query, queries}, {layout->key, rest / 2}, {layout->value, rest / 2}};
    const LinearPart together[] = {{layout->query, queries + rest}};
    const LinearPart *parts = layout->key ? apart : together;
    uint32_t count = layout->key ? 3 : 1;
    LinearBias bias = weights_bias(config->attention_bias && !config->projections_bare);
    Status status =
        loader_linear_columns(loader, parts, count, config->hidden_size, bias, 0, queries, &layer->queries);
    if (status) return status;
    return loader_linear_columns(loader, parts, count, config->hidden_size, bias, queries, rest,
                                 &layer->keys_values);
}

static CHECKED Status weights_attention(Loader *loader, const Encoder *encoder, uint32_t index,
                                        EncoderLayer *layer)
{
    const ModelConfig *config = loader->config;
    const EncoderLayout *layout = encoder->layout;
    uint32_t queries = encoder_queries_width(config);
    uint32_t keys = encoder_keys_values_width(config) / 2;
    bool norm_absent = layout->first_norm_absent && index == 0;
    const LinearPart output = {layout->attention_output, config->hidden_size};
    LinearBias bias = weights_bias(config->attention_bias);
    weights_plan(encoder, index, layer);
    Status status = weights_projections(loader, layout, layer);
    if (!status) status = weights_norm(loader, layout->query_norm, queries, &layer->query_norm);
    if (!status) status = weights_norm(loader, layout->key_norm, keys, &layer->key_norm);
    if (!status && encoder->bias.kind == ATTENTION_BIAS_DISENTANGLED)
        status = weights_disentangled(loader, encoder, layer);
    if (!status && layout->global_query) status = weights_load_globals(loader, encoder, &layer->globals);
    if (!status) status = loader_linear(loader, &output, 1, queries, bias, &layer->attention_output);
    if (status) return status;
    return weights_norm(loader, norm_absent ? NULL : layout->attention_norm, config->hidden_size,
                        &layer->attention_norm);
}

static CHECKED Status weights_mlp(Loader *loader, const Encoder *encoder, EncoderLayer *layer)
{
    const ModelConfig *config = loader->config;
    const EncoderLayout *layout = encoder->layout;
    uint32_t hidden = config->hidden_size;
    uint32_t size = config->intermediate_size;
    bool apart = config->gated && layout->values;
    const LinearPart parts[] = {{layout->intermediate, config->gated && !apart ? 2 * size : size},
                                {layout->values, size}};
    const LinearPart output = {layout->output, hidden};
    Status status = loader_linear(loader, parts, apart ? 2 : 1, hidden, weights_bias(config->intermediate_bias),
                                  &layer->intermediate);
    if (status) return status;
    status = loader_linear(loader, &output, 1, size, weights_bias(config->output_bias), &layer->output);
    if (status) return status;
    return weights_norm(loader, layout->output_norm, hidden, &layer->output_norm);
}

Status weights_load_layer(Loader *loader, Encoder *encoder, uint32_t index)
{
    EncoderLayer *layer = &encoder->layers[index];
    weights_enter_layer(loader, encoder, index);
    Status status = weights_attention(loader, encoder, index, layer);
    if (!status)
        status =
            weights_norm(loader, encoder->layout->second_norm, loader->config->hidden_size, &layer->second_norm);
    if (!status) status = weights_mlp(loader, encoder, layer);
    return status;
}
