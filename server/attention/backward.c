#include "attention/backward.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    ALIGNMENT = 16,        /* floats: a cache line */
    BLOCK_QUERIES_MAX = 48 /* of a block: a panel's columns, so that it is turned in one go */
};

/* The scratch's parts. P is a panel's columns, of queries here. */
typedef enum BackwardPart {
    PART_KEYS,         /* panels of [head_size][keys] */
    PART_VALUES,       /* likewise */
    PART_KEY_ROWS,     /* panels of [keys][head_size] */
    PART_QUERY_ROWS,   /* panels of [P][head_size] */
    PART_CONTEXT_ROWS, /* likewise, of the gradients of contexts */
    PART_WEIGHTS,      /* [P][keys] */
    PART_SCORES,       /* [P][keys]: gradients of scores */
    PART_TURNED,       /* [keys][P]: of either */
    PART_COUNT,
} BackwardPart;

/* One head of a sequence; pointers are those of the head's first column. */
typedef struct BackwardHead {
    const Kernels *kernels;
    const AttentionPlan *plan;
    const AttentionGradients *rows;
    float *part[PART_COUNT];
    float *queries;
    const float *contexts;
    const float *context_gradients;
    float *keys;
    float *values;
    size_t stride; /* of a row of weights or scores */
} BackwardHead;

static size_t backward_round_up(size_t count, size_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

static uint32_t backward_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Floats from the start of the scratch to `part`; to PART_COUNT, all of it. */
static size_t backward_offset(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count,
                              BackwardPart part)
{
    size_t keys = backward_round_up(token_count, kernels->lanes);
    size_t size = backward_round_up(plan->head_size, kernels->lanes);
    const size_t sizes[PART_COUNT] = {
        [PART_KEYS] = plan->head_size * keys,
        [PART_VALUES] = plan->head_size * keys,
        [PART_KEY_ROWS] = token_count * size,
        [PART_QUERY_ROWS] = kernels->panel_columns * size,
        [PART_CONTEXT_ROWS] = kernels->panel_columns * size,
        [PART_WEIGHTS] = kernels->panel_columns * backward_round_up(token_count, ALIGNMENT),
        [PART_SCORES] = kernels->panel_columns * backward_round_up(token_count, ALIGNMENT),
        [PART_TURNED] = (size_t)token_count * kernels->panel_columns,
    };
    size_t offset = 0;
    for (int i = 0; i < (int)part; i++) offset += backward_round_up(sizes[i], ALIGNMENT);
    return offset;
}

bool attention_has_backward(const AttentionPlan *plan)
{
    return plan->bias.kind == ATTENTION_BIAS_NONE && plan->window_reach == ATTENTION_UNLIMITED &&
           plan->block_size == 0 && plan->key_value_head_count == plan->head_count;
}

size_t attention_backward_scratch_size(const Kernels *kernels, const AttentionPlan *plan, uint32_t token_count)
{
    return backward_offset(kernels, plan, token_count, PART_COUNT);
}

/* panels of [head_size][row_count], for products whose columns are the rows. */
static void backward_pack_columns(const BackwardHead *head, const float *rows, float *panels)
{
    uint32_t token_count = head->rows->token_count;
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t row = 0; row < token_count; row += panel)
        head->kernels->gemm_pack(rows + row * head->rows->key_stride, head->rows->key_stride,
                                 backward_min(panel, token_count - row), head->plan->head_size,
                                 panels + (size_t)row * head->plan->head_size);
}

/* panels of [row_count][head_size], for products whose columns are the head's. */
static void backward_pack_rows(const BackwardHead *head, const float *rows, size_t stride, uint32_t row_count,
                               float *panels)
{
    uint32_t size = head->plan->head_size;
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t column = 0; column < size; column += panel)
        head->kernels->rows_pack(rows + column, stride, row_count, backward_min(panel, size - column),
                                 panels + (size_t)column * row_count);
}

/* c[row_count][head_size] = a[row_count][depth] * panels of [depth][head_size], plus c where it `adds`. */
static void backward_multiply_rows(const BackwardHead *head, const float *a, size_t a_stride, uint32_t row_count,
                                   uint32_t depth, const float *panels, float *c, size_t c_stride, bool adds)
{
    uint32_t size = head->plan->head_size;
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t column = 0; column < size; column += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = a,
            .a_stride = a_stride,
            .panel = panels + (size_t)column * depth,
            .c = c + column,
            .c_stride = c_stride,
            .rows = row_count,
            .columns = backward_min(panel, size - column),
            .depth = depth,
            .residual = adds ? c + column : NULL,
            .residual_stride = c_stride,
        });
}

/* c[count][keys] = a[count][head_size] * panels of [head_size][keys] */
static void backward_multiply_keys(const BackwardHead *head, const float *a, uint32_t count, const float *panels,
                                   float *c)
{
    uint32_t token_count = head->rows->token_count;
    uint32_t panel = head->kernels->panel_columns;
    for (uint32_t key = 0; key < token_count; key += panel)
        head->kernels->gemm_tile(&(GemmTile){
            .a = a,
            .a_stride = head->rows->query_stride,
            .panel = panels + (size_t)key * head->plan->head_size,
            .c = c + key,
            .c_stride = head->stride,
            .rows = count,
            .columns = backward_min(panel, token_count - key),
            .depth = head->plan->head_size,
        });
}

/* weights[count][keys] = softmax(scale * queries * keys^T) */
static void backward_weigh(const BackwardHead *head, const float *queries, uint32_t count)
{
    float maxima[BLOCK_QUERIES_MAX];
    float sums[BLOCK_QUERIES_MAX] = {0};
    float factors[BLOCK_QUERIES_MAX];
    float *weights = head->part[PART_WEIGHTS];
    for (uint32_t i = 0; i < count; i++) maxima[i] = -INFINITY;
    backward_multiply_keys(head, queries, count, head->part[PART_KEYS], weights);
    head->kernels->softmax_tile(&(SoftmaxTile){.scores = weights,
                                               .stride = head->stride,
                                               .rows = count,
                                               .columns = head->rows->token_count,
                                               .scale = head->plan->scale,
                                               .maxima = maxima,
                                               .sums = sums,
                                               .factors = factors});
    for (uint32_t i = 0; i < count; i++) factors[i] = 1.0f / sums[i];
    head->kernels->rows_scale(weights, head->stride, count, head->rows->token_count, factors);
}

/* scores[count][keys] = scale * weights * (gradients * values^T - the sum of gradients * contexts) */
static void backward_score(const BackwardHead *head, uint32_t query, uint32_t count)
{
    size_t offset = query * head->rows->query_stride;
    const float *gradients = head->context_gradients + offset;
    const float *contexts = head->contexts + offset;
    float *scores = head->part[PART_SCORES];
    const float *weights = head->part[PART_WEIGHTS];
    float scale = head->plan->scale;
    backward_multiply_keys(head, gradients, count, head->part[PART_VALUES], scores);
    for (uint32_t row = 0; row < count; row++, scores += head->stride, weights += head->stride) {
        float mean = 0.0f;
        for (uint32_t i = 0; i < head->plan->head_size; i++)
            mean += gradients[row * head->rows->query_stride + i] * contexts[row * head->rows->query_stride + i];
        for (uint32_t key = 0; key < head->rows->token_count; key++)
            scores[key] = scale * weights[key] * (scores[key] - mean);
    }
}

/* target[keys][head_size] += rows[count][keys]^T * panels of [count][head_size] */
static void backward_add_turned(const BackwardHead *head, const float *rows, uint32_t count, const float *panels,
                                float *target)
{
    float *turned = head->part[PART_TURNED];
    head->kernels->gemm_pack(rows, head->stride, count, head->rows->token_count, turned);
    backward_multiply_rows(head, turned, backward_round_up(count, head->kernels->lanes), head->rows->token_count,
                           count, panels, target, head->rows->key_stride, true);
}

/* `count` queries from `query` on, at most a panel's columns. */
static void backward_block(const BackwardHead *head, uint32_t query, uint32_t count)
{
    size_t stride = head->rows->query_stride;
    float *queries = head->queries + query * stride;
    backward_weigh(head, queries, count);
    backward_score(head, query, count);
    backward_pack_rows(head, queries, stride, count, head->part[PART_QUERY_ROWS]);
    backward_pack_rows(head, head->context_gradients + query * stride, stride, count,
                       head->part[PART_CONTEXT_ROWS]);
    backward_add_turned(head, head->part[PART_WEIGHTS], count, head->part[PART_CONTEXT_ROWS], head->values);
    backward_add_turned(head, head->part[PART_SCORES], count, head->part[PART_QUERY_ROWS], head->keys);
    backward_multiply_rows(head, head->part[PART_SCORES], head->stride, count, head->rows->token_count,
                           head->part[PART_KEY_ROWS], queries, stride, false);
}

static void backward_head(const BackwardHead *head)
{
    uint32_t token_count = head->rows->token_count;
    size_t stride = head->rows->key_stride;
    uint32_t block = head->kernels->panel_columns;
    backward_pack_columns(head, head->keys, head->part[PART_KEYS]);
    backward_pack_columns(head, head->values, head->part[PART_VALUES]);
    backward_pack_rows(head, head->keys, stride, token_count, head->part[PART_KEY_ROWS]);
    for (uint32_t token = 0; token < token_count; token++) {
        memset(head->keys + token * stride, 0, head->plan->head_size * sizeof *head->keys);
        memset(head->values + token * stride, 0, head->plan->head_size * sizeof *head->values);
    }
    for (uint32_t query = 0; query < token_count; query += block)
        backward_block(head, query, backward_min(block, token_count - query));
}

void attention_backward(const Kernels *kernels, const AttentionPlan *plan, const AttentionGradients *rows,
                        float *scratch)
{
    assert(attention_has_backward(plan));
    assert(kernels->panel_columns <= BLOCK_QUERIES_MAX);
    BackwardHead head = {
        .kernels = kernels, .plan = plan, .rows = rows, .stride = backward_round_up(rows->token_count, ALIGNMENT)};
    for (int part = 0; part < PART_COUNT; part++)
        head.part[part] = scratch + backward_offset(kernels, plan, rows->token_count, (BackwardPart)part);
    for (uint32_t i = 0; i < plan->head_count; i++) {
        size_t column = (size_t)i * plan->head_size;
        head.queries = rows->queries + column;
        head.contexts = rows->contexts + column;
        head.context_gradients = rows->context_gradients + column;
        head.keys = rows->keys + column;
        head.values = rows->values + column;
        backward_head(&head);
    }
}
