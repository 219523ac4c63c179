/* A global row attends by keys and values of its own projections, of all T tokens. With g global rows, to project every
 * token again would cost T * H * H; instead a query is led back through the key's weights, since
 *
 *     q . (W x + b) = (W^T q) . x + q . b
 *
 * and q . b is the same for all keys, which a softmax does not see. Likewise the weighted mean of values is the value
 * of the weighted mean. So attention runs over the hidden rows as they are, once for all heads:
 *
 *     queries  = hidden * query + bias, of the global rows          [g][heads][D]
 *     folded   = queries * keys, a product a head                   [g][heads][H]
 *     means    = softmax(scale * folded * hidden^T) * hidden        [g][heads][H]
 *     contexts = means * values + bias, a product a head            [g][heads][D]
 *
 * at a cost of g * heads * T * H. */
#include "encoder/global_rows.h"

#include "encoder/steps.h"

#include <assert.h>
#include <string.h>

/* The parts of the scratch, of a block of global rows. */
typedef struct GlobalScratch {
    float *inputs;    /* [block][H] */
    float *queries;   /* [block][heads * D] */
    float *folded;    /* [block][heads][H] */
    float *attention; /* attention_scratch_size */
    size_t size;
} GlobalScratch;

/* One head as wide as the model. */
static AttentionPlan global_plan(const Encoder *encoder)
{
    return (AttentionPlan){.head_count = 1,
                           .key_value_head_count = 1,
                           .head_size = encoder->config.hidden_size,
                           .window_reach = ATTENTION_UNLIMITED,
                           .scale = encoder->layers[0].plan.scale};
}

uint32_t global_rows_block(const Encoder *encoder)
{
    uint32_t count = ATTENTION_QUERY_BLOCK / encoder->config.head_count;
    return count > 0 ? count : 1;
}

uint32_t global_rows_units(const Encoder *encoder, uint32_t global_count)
{
    uint32_t block = global_rows_block(encoder);
    return (global_count + block - 1) / block;
}

/* `floats` may be NULL: only the size counts then. */
static GlobalScratch global_scratch(const Encoder *encoder, float *floats)
{
    const ModelConfig *config = &encoder->config;
    const AttentionPlan plan = global_plan(encoder);
    size_t block = global_rows_block(encoder);
    size_t hidden = config->hidden_size;
    const size_t sizes[] = {
        block * hidden,
        block * config->head_count * config->head_size,
        block * config->head_count * hidden,
        attention_scratch_size(encoder->kernels, &plan),
    };
    GlobalScratch scratch = {0};
    float **const parts[] = {&scratch.inputs, &scratch.queries, &scratch.folded, &scratch.attention};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *parts[i] = floats ? floats + scratch.size : NULL;
        scratch.size += part_round_up(sizes[i]);
    }
    return scratch;
}

size_t global_rows_scratch_size(const Encoder *encoder)
{
    return global_scratch(encoder, NULL).size;
}

static void global_fold(const Encoder *encoder, const GlobalProjections *globals, const GlobalScratch *scratch,
                        uint32_t count)
{
    const ModelConfig *config = &encoder->config;
    size_t hidden = config->hidden_size;
    size_t width = globals->query.weights.columns;
    GemmWeights keys = {.storage = globals->keys, .columns = config->hidden_size, .depth = config->head_size};
    encoder_multiply(encoder, &globals->query, scratch->inputs, hidden, count, scratch->queries, NULL, GEMM_NONE);
    for (uint32_t head = 0; head < config->head_count; head++) {
        gemm_multiply(encoder->kernels, &keys, scratch->queries + head * (size_t)config->head_size, width, count,
                      scratch->folded + head * hidden, config->head_count * hidden, &(GemmEpilogue){0});
        keys.storage += gemm_weights_size(encoder->kernels, keys.columns, keys.depth);
    }
}

void global_rows_values(const Encoder *encoder, const GlobalProjections *globals, const float *rows,
                        size_t row_stride, size_t head_stride, uint32_t count, float *out_values)
{
    const ModelConfig *config = &encoder->config;
    size_t width = globals->query.weights.columns;
    GemmWeights values = {.storage = globals->values, .columns = config->head_size, .depth = config->hidden_size};
    for (uint32_t head = 0; head < config->head_count; head++) {
        size_t column = head * (size_t)config->head_size;
        gemm_multiply(encoder->kernels, &values, rows + head * head_stride, row_stride, count, out_values + column,
                      width, &(GemmEpilogue){.bias = globals->value_bias + column});
        values.storage += gemm_weights_size(encoder->kernels, values.columns, values.depth);
    }
}

/* Attention takes as many queries as there are tokens, of which a short text has fewer than heads. */
static void global_average(const Encoder *encoder, const GlobalScratch *scratch, const GlobalRows *rows,
                           uint32_t query_count)
{
    const AttentionPlan plan = global_plan(encoder);
    size_t hidden = encoder->config.hidden_size;
    for (uint32_t first = 0; first < query_count; first += rows->token_count) {
        uint32_t left = query_count - first;
        attention_forward(encoder->kernels, &plan,
                          &(AttentionRows){.queries = scratch->folded + first * hidden,
                                           .query_stride = hidden,
                                           .query_count = left < rows->token_count ? left : rows->token_count,
                                           .keys = rows->hidden,
                                           .values = rows->hidden,
                                           .key_stride = hidden,
                                           .token_count = rows->token_count},
                          scratch->attention);
    }
}

static void global_show(const Encoder *encoder, const GlobalScratch *scratch, const GlobalRows *rows)
{
    const AttentionPlan plan = global_plan(encoder);
    if (!rows->probe || !rows->probe->attend_globals) return;
    ProbeRoom room = rows->room;
    room.scratch = scratch->attention;
    rows->probe->attend_globals(rows->probe, &(ProbedGlobals){.run = rows->run,
                                                              .unit = rows->unit,
                                                              .plan = &plan,
                                                              .positions = rows->positions,
                                                              .count = rows->count,
                                                              .head_count = encoder->config.head_count,
                                                              .folded = scratch->folded,
                                                              .hidden = rows->hidden,
                                                              .token_count = rows->token_count,
                                                              .room = room});
}

void global_rows_attend(const Encoder *encoder, const EncoderLayer *layer, const GlobalRows *rows)
{
    assert(rows->count <= global_rows_block(encoder));
    const GlobalScratch scratch = global_scratch(encoder, rows->scratch);
    size_t hidden = encoder->config.hidden_size;
    for (uint32_t i = 0; i < rows->count; i++)
        memcpy(scratch.inputs + i * hidden, rows->hidden + rows->positions[i] * hidden,
               hidden * sizeof *scratch.inputs);
    global_fold(encoder, &layer->globals, &scratch, rows->count);
    global_show(encoder, &scratch, rows);
    global_average(encoder, &scratch, rows, rows->count * encoder->config.head_count);
    global_rows_values(encoder, &layer->globals, scratch.folded, encoder->config.head_count * hidden, hidden,
                       rows->count, rows->contexts);
}

uint64_t global_rows_work(const Encoder *encoder, uint32_t token_count, uint32_t count)
{
    const ModelConfig *config = &encoder->config;
    uint64_t hidden = config->hidden_size;
    uint64_t width = encoder_queries_width(config);
    if (encoder->windowed) return count * (2 * hidden * width + 4 * token_count * width);
    return count * (3 * 2 * hidden * width + 4 * (uint64_t)config->head_count * token_count * hidden);
}
