/* The forward pass: embeddings, then one layer after the other on the rows of all sequences, in place. All steps but
 * attention work on rows by themselves, so their rows are taken as the caches like them; a row's bits do not depend on
 * that. layout.h says which steps an architecture has, layer.c what a layer is. */
#include "encoder/embeddings.h"
#include "encoder/global_rows.h"
#include "encoder/layer.h"
#include "encoder/steps.h"

#include <assert.h>
#include <string.h>

/* Group by group in floating point, as in ALBERT's definition. */
const EncoderLayer *encoder_shared_layer(const Encoder *encoder, uint32_t run)
{
    const ModelConfig *config = &encoder->config;
    uint32_t pass = run / config->inner_count;
    uint32_t group = (uint32_t)(pass / ((double)config->layer_count / config->group_count));
    return &encoder->layers[group * config->inner_count + run % config->inner_count];
}

const float *encoder_forward(const Encoder *encoder, EncoderWorkspace *workspace, const Crew *crew,
                             const EncoderSequence *sequences, uint32_t count)
{
    const ModelConfig *config = &encoder->config;
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(sequences[i].token_count <= workspace->token_capacity - token_count);
        assert(sequences[i].token_count <= config->position_count);
        assert(sequences[i].global_count == 0 || encoder_takes_globals(encoder));
        assert(sequences[i].global_count <= GLOBAL_TOKEN_COUNT_MAX);
        encoder_embed(encoder, workspace, &sequences[i], (size_t)token_count * config->hidden_size);
        token_count += sequences[i].token_count;
    }
    for (uint32_t run = 0; run < encoder_run_count(encoder); run++) {
        encoder_layer(encoder, encoder_shared_layer(encoder, run), run, workspace, crew, sequences, count);
        if (run == 0 && encoder->convolution) encoder_add_convolution(encoder, workspace, token_count);
    }
    if (encoder->final_norm.gain) {
        encoder_normalize(encoder, &encoder->final_norm, workspace->hidden, workspace->hidden, token_count,
                          config->hidden_size);
    }
    return workspace->hidden;
}

const float *encoder_run_again(const Encoder *encoder, EncoderWorkspace *workspace, const Crew *crew, uint32_t run,
                               const EncoderSequence *sequences, uint32_t count, const float *input)
{
    size_t size = encoder->config.hidden_size;
    size_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) token_count += sequences[i].token_count;
    assert(token_count <= workspace->token_capacity && run < encoder_run_count(encoder));
    memcpy(workspace->hidden, input, token_count * size * sizeof *input);
    encoder_layer(encoder, encoder_shared_layer(encoder, run), run, workspace, crew, sequences, count);
    return workspace->hidden;
}

const Tensor *encoder_word_embeddings(const Encoder *encoder)
{
    return &encoder->word_embeddings;
}

const Kernels *encoder_kernels(const Encoder *encoder)
{
    return encoder->kernels;
}

uint32_t encoder_hidden_size(const Encoder *encoder)
{
    return encoder->config.hidden_size;
}

uint32_t encoder_word_size(const Encoder *encoder)
{
    return encoder->config.embedding_size;
}

uint32_t encoder_run_count(const Encoder *encoder)
{
    return encoder->config.layer_count * encoder->config.inner_count;
}

const AttentionPlan *encoder_run_plan(const Encoder *encoder, uint32_t run)
{
    return &encoder_shared_layer(encoder, run)->plan;
}

uint32_t encoder_probe_units(const Encoder *encoder, uint32_t token_count, uint32_t global_count)
{
    uint32_t blocks = (token_count + ATTENTION_QUERY_BLOCK - 1) / ATTENTION_QUERY_BLOCK;
    uint32_t globals = global_rows_units(encoder, global_count);
    return blocks > globals ? blocks : globals;
}

void encoder_multiply_output(const Encoder *encoder, uint32_t run, const float *contexts, uint32_t count,
                             float *out)
{
    EncoderLinear output = encoder_shared_layer(encoder, run)->attention_output;
    output.bias = NULL;
    encoder_multiply(encoder, &output, contexts, output.weights.depth, count, out, NULL, GEMM_NONE);
}

void encoder_global_values(const Encoder *encoder, uint32_t run, const float *hidden, uint32_t count,
                           float *out_values)
{
    const GlobalProjections *globals = &encoder_shared_layer(encoder, run)->globals;
    global_rows_values(encoder, globals, hidden, encoder->config.hidden_size, 0, count, out_values);
}

AttentionPattern encoder_attention(const Encoder *encoder)
{
    return encoder->config.attention;
}

bool encoder_takes_globals(const Encoder *encoder)
{
    return encoder->config.attention == ATTENTION_PATTERN_LONGFORMER || encoder->windowed;
}

Status encoder_limit_window(Encoder *encoder, uint32_t window, Error *out_error)
{
    ModelConfig *config = &encoder->config;
    if (window < 2 || window % 2 != 0) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "attention window %u is not supported: it must be an even number of tokens", window);
    }
    bool positions_far = config->rotary.theta > 0 || config->position_bias == POSITION_BIAS_ALIBI;
    if (config->attention != ATTENTION_PATTERN_DENSE || !positions_far) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "an attention window is for dense models with rotary or ALiBi positions, not for %s",
                         config->model_type);
    }
    config->attention = ATTENTION_PATTERN_SLIDING_WINDOW;
    encoder->windowed = true;
    for (uint32_t i = 0; i < encoder_layer_count(config); i++) encoder->layers[i].plan.window_reach = window / 2;
    return STATUS_OK;
}

uint64_t encoder_work(const Encoder *encoder, uint32_t token_count, uint32_t global_count)
{
    const ModelConfig *config = &encoder->config;
    uint64_t tokens = token_count;
    uint64_t hidden = config->hidden_size;
    uint64_t heads = (uint64_t)config->head_count * config->head_size;
    uint64_t mlp = (config->gated ? 3 : 2) * hidden * config->intermediate_size;
    uint64_t products = 2 * tokens * (hidden * (2 * heads + encoder_keys_values_width(config)) + mlp);
    uint64_t work = 0;
    for (uint32_t run = 0; run < encoder_run_count(encoder); run++) {
        work += products + attention_work(&encoder_shared_layer(encoder, run)->plan, token_count, global_count);
        if (global_count) work += global_rows_work(encoder, token_count, global_count);
    }
    return work + 2 * tokens * hidden * hidden * config->convolution_size;
}
