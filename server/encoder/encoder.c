/* The forward pass. All steps but attention work on rows by themselves, so their rows are taken as the caches like
 * them; a row's bits do not depend on that. layout.h says which steps an architecture has; most are post-norm:
 *
 *     hidden      = embeddings                                        [T][H]
 *     per layer, per group of sequences:
 *         projections = hidden * (query, key, value) + bias           [GROUP][W]
 *         attention replaces each query                               [GROUP][heads], at a stride of W
 *         per block of the group's rows:
 *             hidden       = norm(queries * attention_output + bias + hidden)
 *             intermediate = activation(hidden * intermediate + bias) [BLOCK][I]
 *             hidden       = norm(intermediate * output + bias + hidden)
 *
 * Pre-norm ones take norm(hidden) as the input of projections and intermediate, and leave the sums as they are. */
#include "encoder/embeddings.h"

#include <assert.h>

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

/* hidden = MLP(input) + hidden */
static void encoder_mlp(const Encoder *encoder, const EncoderLayer *layer, const float *input, float *intermediate,
                        float *hidden, uint32_t count)
{
    size_t width = layer->intermediate.weights.columns;
    size_t hidden_size = encoder->config.hidden_size;
    GemmActivation activation = encoder->config.gated ? GEMM_NONE : encoder->activation;
    encoder_multiply(encoder, &layer->intermediate, input, hidden_size, count, intermediate, NULL, activation);
    if (encoder->config.gated) {
        bool values_first = encoder->layout->values_first;
        encoder->kernels->gate_rows(&(GatedRows){
            .gates = intermediate + (values_first ? width / 2 : 0),
            .values = intermediate + (values_first ? 0 : width / 2),
            .stride = width,
            .products = intermediate,
            .products_stride = width,
            .rows = count,
            .size = (uint32_t)(width / 2),
            .activation = encoder->activation,
        });
    }
    encoder_multiply(encoder, &layer->output, intermediate, width, count, hidden, hidden, GEMM_NONE);
}

/* hidden = norm(norm(attention + hidden) + hidden) */
static void encoder_attention_twice(const Encoder *encoder, const EncoderLayer *layer, const float *queries,
                                    float *rows, float *hidden, uint32_t count)
{
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->projections.weights.columns;
    encoder_multiply(encoder, &layer->attention_output, queries, width, count, rows, hidden, GEMM_NONE);
    encoder_normalize(encoder, &layer->attention_norm, rows, rows, count, size);
    for (size_t i = 0; i < (size_t)count * size; i++) hidden[i] += rows[i];
    encoder_normalize(encoder, &layer->second_norm, hidden, hidden, count, size);
}

/* Everything of a layer that follows attention, on `count` rows: queries[count][W], hidden[count][H]. */
static void encoder_layer_block(const Encoder *encoder, const EncoderLayer *layer, EncoderWorkspace *workspace,
                                const float *queries, float *hidden, uint32_t count)
{
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->projections.weights.columns;
    if (layer->second_norm.gain)
        encoder_attention_twice(encoder, layer, queries, workspace->rows, hidden, count);
    else
        encoder_multiply(encoder, &layer->attention_output, queries, width, count, hidden, hidden, GEMM_NONE);
    if (encoder->layout->norm_order == NORM_BEFORE) {
        encoder_normalize(encoder, &layer->output_norm, hidden, workspace->rows, count, size);
        encoder_mlp(encoder, layer, workspace->rows, workspace->intermediate, hidden, count);
        return;
    }
    if (!layer->second_norm.gain) encoder_normalize(encoder, &layer->attention_norm, hidden, hidden, count, size);
    encoder_mlp(encoder, layer, hidden, workspace->intermediate, hidden, count);
    encoder_normalize(encoder, &layer->output_norm, hidden, hidden, count, size);
}

/* Queries and keys before they meet, of one sequence. */
static void encoder_prepare_queries(const Encoder *encoder, const EncoderLayer *layer, float *rows,
                                    uint32_t token_count)
{
    const ModelConfig *config = &encoder->config;
    size_t width = layer->projections.weights.columns;
    uint32_t queries = config->head_count * config->head_size;
    uint32_t keys = config->key_value_head_count * config->head_size;
    for (uint32_t token = 0; layer->query_norm.gain && token < token_count; token++) {
        float *row = rows + token * width;
        encoder_normalize(encoder, &layer->query_norm, row, row, 1, queries);
        encoder_normalize(encoder, &layer->key_norm, row + queries, row + queries, 1, keys);
    }
    if (layer->rotary) {
        rotary_apply(layer->rotary, encoder->kernels,
                     &(RotaryRows){.rows = rows,
                                   .stride = width,
                                   .row_count = token_count,
                                   .token_count = token_count,
                                   .head_count = config->head_count + config->key_value_head_count,
                                   .head_size = config->head_size});
    }
}

/* One layer on the `token_count` rows of a group of sequences. */
static void encoder_layer_group(const Encoder *encoder, const EncoderLayer *layer, EncoderWorkspace *workspace,
                                const EncoderSequence *sequences, uint32_t count, uint32_t token_count,
                                float *hidden)
{
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->projections.weights.columns;
    float *rows = workspace->projections;
    const float *input = hidden;
    if (encoder->layout->norm_order == NORM_BEFORE && layer->attention_norm.gain) {
        encoder_normalize(encoder, &layer->attention_norm, hidden, workspace->rows, token_count, size);
        input = workspace->rows;
    }
    encoder_multiply(encoder, &layer->projections, input, size, token_count, rows, NULL, GEMM_NONE);
    for (uint32_t i = 0; i < count; i++) {
        encoder_prepare_queries(encoder, layer, rows, sequences[i].token_count);
        const float *keys = rows + (size_t)encoder->config.head_count * encoder->config.head_size;
        const float *values = keys + (size_t)encoder->config.key_value_head_count * encoder->config.head_size;
        attention_forward(encoder->kernels, &layer->plan,
                          &(AttentionRows){.queries = rows,
                                           .query_stride = width,
                                           .query_count = sequences[i].token_count,
                                           .keys = keys,
                                           .values = values,
                                           .key_stride = width,
                                           .token_count = sequences[i].token_count},
                          workspace->attention);
        rows += sequences[i].token_count * width;
    }
    uint32_t blocks = (token_count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (uint32_t i = 0; i < blocks; i++) {
        size_t row = (uint64_t)token_count * i / blocks;
        size_t end = (uint64_t)token_count * (i + 1) / blocks;
        encoder_layer_block(encoder, layer, workspace, workspace->projections + row * width, hidden + row * size,
                            (uint32_t)(end - row));
    }
}

static void encoder_layer(const Encoder *encoder, const EncoderLayer *layer, EncoderWorkspace *workspace,
                          const EncoderSequence *sequences, uint32_t count)
{
    float *hidden = workspace->hidden;
    uint32_t first = 0;
    while (first < count) {
        uint32_t end = first + 1;
        uint32_t tokens = sequences[first].token_count;
        while (end < count && tokens < GROUP_TOKENS) tokens += sequences[end++].token_count;
        encoder_layer_group(encoder, layer, workspace, sequences + first, end - first, tokens, hidden);
        hidden += (size_t)tokens * encoder->config.hidden_size;
        first = end;
    }
}

/* The weights of the layer that is run as the `run`th; ALBERT's runs share theirs. Group by group in floating point, as
 * in its model's definition. */
static const EncoderLayer *encoder_shared_layer(const Encoder *encoder, uint32_t run)
{
    const ModelConfig *config = &encoder->config;
    uint32_t pass = run / config->inner_count;
    uint32_t group = (uint32_t)(pass / ((double)config->layer_count / config->group_count));
    return &encoder->layers[group * config->inner_count + run % config->inner_count];
}

const float *encoder_forward(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequences,
                             uint32_t count)
{
    const ModelConfig *config = &encoder->config;
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(sequences[i].token_count <= workspace->token_capacity - token_count);
        assert(sequences[i].token_count <= config->position_count);
        encoder_embed(encoder, workspace, &sequences[i], (size_t)token_count * config->hidden_size);
        token_count += sequences[i].token_count;
    }
    for (uint32_t run = 0; run < config->layer_count * config->inner_count; run++) {
        encoder_layer(encoder, encoder_shared_layer(encoder, run), workspace, sequences, count);
        if (run == 0 && encoder->convolution) encoder_add_convolution(encoder, workspace, token_count);
    }
    if (encoder->final_norm.gain) {
        encoder_normalize(encoder, &encoder->final_norm, workspace->hidden, workspace->hidden, token_count,
                          config->hidden_size);
    }
    return workspace->hidden;
}

uint64_t encoder_work(const Encoder *encoder, uint32_t token_count)
{
    const ModelConfig *config = &encoder->config;
    uint64_t tokens = token_count;
    uint64_t hidden = config->hidden_size;
    uint64_t heads = (uint64_t)config->head_count * config->head_size;
    uint64_t mlp = (config->gated ? 3 : 2) * hidden * config->intermediate_size;
    uint64_t products = 2 * tokens * (hidden * encoder_projection_width(config) + heads * hidden + mlp);
    uint64_t work = 0;
    for (uint32_t run = 0; run < config->layer_count * config->inner_count; run++) {
        const AttentionPlan *plan = &encoder_shared_layer(encoder, run)->plan;
        uint64_t keys = 2 * (uint64_t)plan->window_reach + 1;
        uint64_t positions = plan->bias.buckets ? plan->bias.buckets->row_count : 0;
        work += products + 4 * tokens * (keys < tokens ? keys : tokens) * heads;
        if (plan->bias.position_keys) work += 2 * tokens * positions * heads;
        if (plan->bias.position_queries) work += 2 * tokens * positions * heads;
    }
    return work + 2 * tokens * hidden * hidden * config->convolution_size;
}
