/* One run of a layer, back: of its input x [R][H], all that the forward pass made on its way is made again,
 *
 *     queries, keys, values = x * ...                              [R][Q], [R][K]
 *     contexts = attention(queries, keys, values)                  [R][Q]
 *     sums     = contexts * attention_output + bias + x            [R][H]
 *     hidden   = norm(sums)                                        [B][H]
 *     wide     = hidden * intermediate + bias                      [B][I]
 *     output   = activation(wide) * output + bias + hidden         [B][H]
 *
 * and then the gradients of norm(output) go through the same steps from the last to the first. What follows attention
 * works on rows by themselves, BACK_ROWS at a time. */
#include "encoder/backward.h"

#include "attention/backward.h"
#include "encoder/back_steps.h"
#include "encoder/embeddings.h"
#include "encoder/steps.h"

#include <string.h>

enum { BACK_ROWS = 256 }; /* so many that laying weights out anew costs little */

static const char backward_types[] = "albert, bert, camembert, distilbert, electra, roberta, xlm-roberta";

/* The scratch's parts. */
typedef struct BackScratch {
    float *queries;           /* [R][Q] */
    float *keys_values;       /* [R][K] */
    float *contexts;          /* [R][Q] */
    float *context_gradients; /* [R][Q] */
    float *sums;              /* [R][max(H, E)] */
    float *hidden;            /* [B][H] */
    float *wide;              /* [B][I] */
    float *activated;         /* [B][I] */
    float *output;            /* [B][H] */
    float *attention;         /* of one sequence, there and back */
    float *turned;            /* gemm_back_scratch_size */
    size_t size;
} BackScratch;

/* A run and its memory. */
typedef struct BackRun {
    const Encoder *encoder;
    const EncoderLayer *layer;
    BackScratch scratch;
} BackRun;

/* `floats` may be NULL: only the size counts then. */
static BackScratch back_scratch(const Encoder *encoder, size_t row_count, uint32_t token_count, float *floats)
{
    const ModelConfig *config = &encoder->config;
    const AttentionPlan *plan = &encoder->layers[0].plan;
    size_t block = row_count < BACK_ROWS ? row_count : BACK_ROWS;
    size_t hidden = config->hidden_size;
    size_t widest = hidden > config->embedding_size ? hidden : config->embedding_size;
    size_t there = attention_scratch_size(encoder->kernels, plan);
    size_t back = attention_backward_scratch_size(encoder->kernels, plan, token_count);
    const size_t sizes[] = {
        row_count * encoder_queries_width(config),
        row_count * encoder_keys_values_width(config),
        row_count * encoder_queries_width(config),
        row_count * encoder_queries_width(config),
        row_count * widest,
        block * hidden,
        block * config->intermediate_size,
        block * config->intermediate_size,
        block * hidden,
        there > back ? there : back,
        gemm_back_scratch_size(encoder->kernels),
    };
    BackScratch scratch = {0};
    float **const parts[] = {&scratch.queries, &scratch.keys_values, &scratch.contexts, &scratch.context_gradients,
                             &scratch.sums,    &scratch.hidden,      &scratch.wide,     &scratch.activated,
                             &scratch.output,  &scratch.attention,   &scratch.turned};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *parts[i] = floats ? floats + scratch.size : NULL;
        scratch.size += part_round_up(sizes[i]);
    }
    return scratch;
}

Status encoder_check_backward(const Encoder *encoder, Error *out_error)
{
    const EncoderLayer *layer = &encoder->layers[0];
    bool plain = encoder->layout->norm_order == NORM_AFTER && !encoder->config.gated &&
                 encoder->embedding_norm.gain && encoder->embedding_norm.kind == NORM_LAYER &&
                 !encoder->layout->projection_before_norm && encoder->config.embedding_scale == 0 &&
                 !encoder->convolution && !encoder->final_norm.gain && layer->attention_norm.gain &&
                 layer->attention_norm.kind == NORM_LAYER && !layer->second_norm.gain && !layer->query_norm.gain &&
                 !layer->rotary && attention_has_backward(&layer->plan);
    if (plain) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED, "gradients are not there for model_type \"%s\", but for: %s",
                     encoder->config.model_type, backward_types);
}

static uint32_t back_rows(const EncoderSequence *sequences, uint32_t count)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < count; i++) rows += sequences[i].token_count;
    return rows;
}

static uint32_t back_longest(const EncoderSequence *sequences, uint32_t count)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < count; i++)
        if (sequences[i].token_count > longest) longest = sequences[i].token_count;
    return longest;
}

size_t encoder_backward_scratch_size(const Encoder *encoder, uint32_t row_count, uint32_t token_count)
{
    return back_scratch(encoder, row_count, token_count, NULL).size;
}

/* Up to `sums`, all rows. */
static void back_attend_again(const BackRun *run, const EncoderSequence *sequences, uint32_t count,
                              const float *input, uint32_t row_count)
{
    const Encoder *encoder = run->encoder;
    const EncoderLayer *layer = run->layer;
    const BackScratch *scratch = &run->scratch;
    uint32_t size = encoder->config.hidden_size;
    size_t width = layer->queries.weights.columns;
    size_t key_width = layer->keys_values.weights.columns;
    encoder_multiply(encoder, &layer->queries, input, size, row_count, scratch->queries, NULL, GEMM_NONE);
    encoder_multiply(encoder, &layer->keys_values, input, size, row_count, scratch->keys_values, NULL, GEMM_NONE);
    memcpy(scratch->contexts, scratch->queries, row_count * width * sizeof *input);
    size_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float *keys = scratch->keys_values + row * key_width;
        attention_forward(encoder->kernels, &layer->plan,
                          &(AttentionRows){.queries = scratch->contexts + row * width,
                                           .query_stride = width,
                                           .query_count = sequences[i].token_count,
                                           .keys = keys,
                                           .values = keys + key_width / 2,
                                           .key_stride = key_width,
                                           .token_count = sequences[i].token_count},
                          scratch->attention);
        row += sequences[i].token_count;
    }
    encoder_multiply(encoder, &layer->attention_output, scratch->contexts, width, row_count, scratch->sums, input,
                     GEMM_NONE);
}

/* Leads gradients[count][H], a block's, back to its sums. */
static void back_mlp(const BackRun *run, const float *sums, float *gradients, uint32_t count)
{
    const Encoder *encoder = run->encoder;
    const EncoderLayer *layer = run->layer;
    const BackScratch *scratch = &run->scratch;
    uint32_t size = encoder->config.hidden_size;
    size_t wide = layer->intermediate.weights.columns;
    encoder_normalize(encoder, &layer->attention_norm, sums, scratch->hidden, count, size);
    encoder_multiply(encoder, &layer->intermediate, scratch->hidden, size, count, scratch->wide, NULL, GEMM_NONE);
    memcpy(scratch->activated, scratch->wide, count * wide * sizeof *sums);
    encoder->kernels->activate(encoder->activation, scratch->activated, wide, count, wide);
    encoder_multiply(encoder, &layer->output, scratch->activated, wide, count, scratch->output, scratch->hidden,
                     GEMM_NONE);

    encoder_normalize_back(encoder, &layer->output_norm, scratch->output, gradients, count, size);
    encoder_multiply_back(encoder, &layer->output, gradients, count, scratch->activated, NULL, scratch->turned);
    encoder->kernels->activate_back(encoder->activation, scratch->wide, scratch->activated, count * wide);
    encoder_multiply_back(encoder, &layer->intermediate, scratch->activated, count, gradients, gradients,
                          scratch->turned);
    encoder_normalize_back(encoder, &layer->attention_norm, sums, gradients, count, size);
}

/* Leads gradients of `sums` back to the input, all rows. */
static void back_attention(const BackRun *run, const EncoderSequence *sequences, uint32_t count, float *gradients,
                           uint32_t row_count)
{
    const Encoder *encoder = run->encoder;
    const EncoderLayer *layer = run->layer;
    const BackScratch *scratch = &run->scratch;
    size_t width = layer->queries.weights.columns;
    size_t key_width = layer->keys_values.weights.columns;
    encoder_multiply_back(encoder, &layer->attention_output, gradients, row_count, scratch->context_gradients,
                          NULL, scratch->turned);
    size_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        float *keys = scratch->keys_values + row * key_width;
        attention_backward(encoder->kernels, &layer->plan,
                           &(AttentionGradients){.queries = scratch->queries + row * width,
                                                 .contexts = scratch->contexts + row * width,
                                                 .context_gradients = scratch->context_gradients + row * width,
                                                 .query_stride = width,
                                                 .keys = keys,
                                                 .values = keys + key_width / 2,
                                                 .key_stride = key_width,
                                                 .token_count = sequences[i].token_count},
                           scratch->attention);
        row += sequences[i].token_count;
    }
    encoder_multiply_back(encoder, &layer->queries, scratch->queries, row_count, gradients, gradients,
                          scratch->turned);
    encoder_multiply_back(encoder, &layer->keys_values, scratch->keys_values, row_count, gradients, gradients,
                          scratch->turned);
}

void encoder_backward_run(const Encoder *encoder, uint32_t run, const EncoderSequence *sequences, uint32_t count,
                          const float *input, float *gradients, float *scratch)
{
    uint32_t row_count = back_rows(sequences, count);
    size_t size = encoder->config.hidden_size;
    BackRun back = {encoder, encoder_shared_layer(encoder, run),
                    back_scratch(encoder, row_count, back_longest(sequences, count), scratch)};
    back_attend_again(&back, sequences, count, input, row_count);
    for (uint32_t row = 0; row < row_count; row += BACK_ROWS)
        back_mlp(&back, back.scratch.sums + row * size, gradients + row * size,
                 row_count - row < BACK_ROWS ? row_count - row : BACK_ROWS);
    back_attention(&back, sequences, count, gradients, row_count);
}

void encoder_backward_words(const Encoder *encoder, const EncoderSequence *sequences, uint32_t count,
                            float *gradients, float *out_words, float *scratch)
{
    uint32_t row_count = back_rows(sequences, count);
    size_t size = encoder->config.embedding_size;
    BackScratch parts = back_scratch(encoder, row_count, back_longest(sequences, count), scratch);
    float *rows = parts.sums;
    for (uint32_t i = 0; i < count; i++) {
        encoder_gather(encoder, &sequences[i], rows);
        rows += sequences[i].token_count * size;
    }
    if (encoder->projection.weights.columns)
        encoder_multiply_back(encoder, &encoder->projection, gradients, row_count, out_words, NULL, parts.turned);
    else
        memcpy(out_words, gradients, row_count * size * sizeof *gradients);
    encoder_normalize_back(encoder, &encoder->embedding_norm, parts.sums, out_words, row_count, (uint32_t)size);
}

void encoder_read_words(const Encoder *encoder, const uint32_t *ids, uint32_t count, float *out_words)
{
    uint64_t size = encoder->config.embedding_size;
    for (uint32_t i = 0; i < count; i++)
        tensor_read(&encoder->word_embeddings, ids[i] * size, size, out_words + i * size);
}

/* The products there once more and back, and of attention its own twice more than that. */
uint64_t encoder_backward_work(const Encoder *encoder, uint32_t token_count)
{
    uint64_t attention = 0;
    for (uint32_t run = 0; run < encoder_run_count(encoder); run++)
        attention += attention_work(&encoder_shared_layer(encoder, run)->plan, token_count, 0);
    uint64_t forward = encoder_work(encoder, token_count, 0);
    return 2 * (forward - attention) + 7 * attention / 2;
}
