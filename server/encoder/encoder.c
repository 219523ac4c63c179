/* The forward pass. All steps but attention work on rows by themselves, so their rows are taken as the caches like
 * them; a row's bits do not depend on that. T tokens, H hidden, I intermediate:
 *
 *     hidden      = norm(word[id] + type[type_id] + position[t])      [T][H]
 *     per layer, per group of sequences:
 *         projections = hidden * (query, key, value) + bias           [GROUP][3 H]
 *         attention replaces each query                               [GROUP][H], at a stride of 3 H
 *         per block of the group's rows:
 *             hidden       = norm(queries * attention_output + bias + hidden)
 *             intermediate = activation(hidden * intermediate + bias) [BLOCK][I]
 *             hidden       = norm(intermediate * output + bias + hidden) */
#include "encoder/encoder.h"

#include "attention/attention.h"
#include "encoder/weights.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ALIGNMENT = 16, /* floats: a cache line */
    /* Sequences are taken together until they have this many tokens: enough rows for the products to reach their full
     * rate, few enough for their projections to stay near. */
    GROUP_TOKENS = 128,
    BLOCK_ROWS = 72, /* rows whose intermediate stays there */
};

struct EncoderWorkspace {
    uint32_t token_capacity;
    float *hidden;       /* [token_capacity][H] */
    float *projections;  /* [the largest group][3 H] */
    float *intermediate; /* [BLOCK_ROWS][I] */
    float *attention;    /* attention_scratch_size */
    float *floats;       /* what the pointers above point into */
};

/* Floats of the workspace's parts, each in whole cache lines. */
typedef struct WorkspaceSizes {
    size_t hidden, projections, intermediate, attention;
} WorkspaceSizes;

static size_t encoder_round_up(size_t count)
{
    return (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static WorkspaceSizes encoder_workspace_sizes(const Encoder *encoder, uint32_t token_capacity)
{
    size_t hidden = encoder->config.hidden_size;
    uint64_t group = GROUP_TOKENS - 1 + (uint64_t)encoder->config.position_count;
    if (group > token_capacity) group = token_capacity;
    return (WorkspaceSizes){
        .hidden = encoder_round_up(token_capacity * hidden),
        .projections = encoder_round_up(group * 3 * hidden),
        .intermediate = encoder_round_up((size_t)BLOCK_ROWS * encoder->config.intermediate_size),
        .attention = encoder_round_up(attention_scratch_size(encoder->kernels, &encoder->plan)),
    };
}

uint64_t encoder_workspace_bytes(const Encoder *encoder, uint32_t token_capacity)
{
    WorkspaceSizes sizes = encoder_workspace_sizes(encoder, token_capacity);
    return (sizes.hidden + sizes.projections + sizes.intermediate + sizes.attention) * sizeof(float) +
           sizeof(EncoderWorkspace);
}

CHECKED Status encoder_workspace_open(const Encoder *encoder, uint32_t token_capacity,
                                      EncoderWorkspace **out_workspace, Error *out_error)
{
    WorkspaceSizes sizes = encoder_workspace_sizes(encoder, token_capacity);
    EncoderWorkspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) goto fail;
    workspace->token_capacity = token_capacity;
    workspace->floats =
        aligned_alloc(ALIGNMENT * sizeof(float),
                      (sizes.hidden + sizes.projections + sizes.intermediate + sizes.attention) * sizeof(float));
    if (!workspace->floats) goto fail;
    workspace->hidden = workspace->floats;
    workspace->projections = workspace->hidden + sizes.hidden;
    workspace->intermediate = workspace->projections + sizes.projections;
    workspace->attention = workspace->intermediate + sizes.intermediate;
    *out_workspace = workspace;
    return STATUS_OK;
fail:
    encoder_workspace_close(workspace);
    return error_set(out_error, STATUS_NO_MEMORY, "No memory for a workspace of %u tokens", token_capacity);
}

void encoder_workspace_close(EncoderWorkspace *workspace)
{
    if (!workspace) return;
    free(workspace->floats);
    free(workspace);
}

static void encoder_normalize(const Encoder *encoder, const EncoderNorm *norm, float *rows, uint32_t row_count)
{
    encoder->kernels->layer_norm(rows, rows, row_count, encoder->config.hidden_size, norm->gain, norm->shift,
                                 encoder->config.norm_epsilon);
}

/* Writes the embeddings of one sequence to rows[token_count][H]. */
static void encoder_embed(const Encoder *encoder, const EncoderSequence *sequence, float *rows)
{
    size_t size = encoder->config.hidden_size;
    for (uint32_t token = 0; token < sequence->token_count; token++) {
        float *row = rows + token * size;
        const float *type = encoder->type_embeddings + sequence->type_ids[token] * size;
        const float *position = encoder->position_embeddings + token * size;
        tensor_read(&encoder->word_embeddings, sequence->ids[token] * (uint64_t)size, size, row);
        for (size_t i = 0; i < size; i++) row[i] = row[i] + type[i] + position[i];
    }
    encoder_normalize(encoder, &encoder->embedding_norm, rows, sequence->token_count);
}

static void encoder_multiply(const Encoder *encoder, const EncoderLinear *linear, const float *a, size_t a_stride,
                             uint32_t rows, float *c, const float *residual, GemmActivation activation)
{
    size_t columns = linear->weights.columns;
    gemm_multiply(
        encoder->kernels, &linear->weights, a, a_stride, rows, c, columns,
        &(GemmEpilogue){
            .bias = linear->bias, .residual = residual, .residual_stride = columns, .activation = activation});
}

/* Everything of a layer that follows attention, on `count` rows: queries[count][3 H], hidden[count][H]. */
static void encoder_layer_block(const Encoder *encoder, const EncoderLayer *layer, const float *queries,
                                float *intermediate, float *hidden, uint32_t count)
{
    size_t size = encoder->config.hidden_size;
    encoder_multiply(encoder, &layer->attention_output, queries, 3 * size, count, hidden, hidden, GEMM_NONE);
    encoder_normalize(encoder, &layer->attention_norm, hidden, count);
    encoder_multiply(encoder, &layer->intermediate, hidden, size, count, intermediate, NULL, encoder->activation);
    encoder_multiply(encoder, &layer->output, intermediate, encoder->config.intermediate_size, count, hidden,
                     hidden, GEMM_NONE);
    encoder_normalize(encoder, &layer->output_norm, hidden, count);
}

/* One layer on the `token_count` rows of a group of sequences. */
static void encoder_layer_group(const Encoder *encoder, const EncoderLayer *layer, EncoderWorkspace *workspace,
                                const EncoderSequence *sequences, uint32_t count, uint32_t token_count,
                                float *hidden)
{
    size_t size = encoder->config.hidden_size;
    float *rows = workspace->projections;
    encoder_multiply(encoder, &layer->projections, hidden, size, token_count, rows, NULL, GEMM_NONE);
    for (uint32_t i = 0; i < count; i++) {
        attention_forward(
            encoder->kernels, &encoder->plan,
            &(AttentionRows){.rows = rows, .stride = 3 * size, .token_count = sequences[i].token_count},
            workspace->attention);
        rows += sequences[i].token_count * 3 * size;
    }
    uint32_t blocks = (token_count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (uint32_t i = 0; i < blocks; i++) {
        size_t row = (uint64_t)token_count * i / blocks;
        size_t end = (uint64_t)token_count * (i + 1) / blocks;
        encoder_layer_block(encoder, layer, workspace->projections + row * 3 * size, workspace->intermediate,
                            hidden + row * size, (uint32_t)(end - row));
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

const float *encoder_forward(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequences,
                             uint32_t count)
{
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(sequences[i].token_count <= workspace->token_capacity - token_count);
        assert(sequences[i].token_count <= encoder->config.position_count);
        encoder_embed(encoder, &sequences[i],
                      workspace->hidden + (size_t)token_count * encoder->config.hidden_size);
        token_count += sequences[i].token_count;
    }
    for (uint32_t i = 0; i < encoder->config.layer_count; i++)
        encoder_layer(encoder, &encoder->layers[i], workspace, sequences, count);
    return workspace->hidden;
}

uint64_t encoder_work(const Encoder *encoder, uint32_t token_count)
{
    uint64_t tokens = token_count;
    uint64_t hidden = encoder->config.hidden_size;
    uint64_t products = 2 * tokens * (4 * hidden * hidden + 2 * hidden * encoder->config.intermediate_size);
    uint64_t attention = 4 * tokens * tokens * hidden;
    return encoder->config.layer_count * (products + attention);
}
