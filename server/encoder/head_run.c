/* Heads at work. H hidden, D the columns of the dense layer (H without one), or of the one that leads back from it, at
 * most HEAD_ROWS_MAX rows at a time:
 *
 *     features = norm(activation(rows * dense + bias))       [rows][D]
 *     logits   = features * output + bias                    [rows][labels]
 *
 * With a layer that leads back, features = norm(activation(rows * dense + bias) * back + bias + rows).
 * A classifier pools first; the vocabulary's weights are packed a few columns at a time, because the table of word
 * embeddings is large and stays mapped. */
#include "encoder/head_run.h"

#include "encoder/weights.h"

#include <assert.h>
#include <string.h>

/* The scratch of a head. */
typedef struct HeadScratch {
    float *features; /* [HEAD_ROWS_MAX][D] */
    float *wide;     /* [HEAD_ROWS_MAX][dense's columns], where a layer leads back */
    float *logits;   /* [HEAD_ROWS_MAX][HEAD_COLUMNS_MAX] */
    float *pooled;   /* [max(H, D)] */
    float *panels;   /* HEAD_COLUMNS_MAX columns of the decoder, packed */
    float *packing;  /* gemm_scratch_size */
    uint64_t size;
} HeadScratch;

/* What reads the decoder's rows: columns count from `first`. */
typedef struct DecoderRows {
    const Tensor *decoder;
    uint32_t first;
} DecoderRows;

static uint32_t head_depth(const Encoder *encoder)
{
    uint32_t columns = encoder->head.dense.weights.columns;
    return columns && !encoder->head.back.weights.columns ? columns : encoder->config.hidden_size;
}

/* `floats` may be NULL: only the size counts then. */
static HeadScratch head_scratch(const Encoder *encoder, float *floats)
{
    const Kernels *kernels = encoder->kernels;
    size_t depth = head_depth(encoder);
    bool vocabulary = encoder->head.kind == HEAD_FILL;
    size_t widest = depth > encoder->config.hidden_size ? depth : encoder->config.hidden_size;
    size_t sizes[] = {
        HEAD_ROWS_MAX * depth,
        encoder->head.back.weights.columns ? (size_t)HEAD_ROWS_MAX * encoder->head.dense.weights.columns : 0,
        (size_t)HEAD_ROWS_MAX * HEAD_COLUMNS_MAX,
        widest,
        vocabulary ? gemm_weights_size(kernels, HEAD_COLUMNS_MAX, (uint32_t)depth) : 0,
        vocabulary ? gemm_scratch_size(kernels, (uint32_t)depth) : 0,
    };
    HeadScratch scratch = {0};
    float **const parts[] = {&scratch.features, &scratch.wide,   &scratch.logits,
                             &scratch.pooled,   &scratch.panels, &scratch.packing};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *parts[i] = floats ? floats + scratch.size : NULL;
        scratch.size += part_round_up(sizes[i]);
    }
    return scratch;
}

HeadKind encoder_head(const Encoder *encoder)
{
    return encoder->head.kind;
}

uint64_t head_run_scratch_size(const Encoder *encoder)
{
    return encoder->head.kind == HEAD_NONE ? 0 : head_scratch(encoder, NULL).size;
}

uint64_t head_run_work(const Encoder *encoder, uint32_t row_count)
{
    const EncoderHead *head = &encoder->head;
    uint64_t depth = head_depth(encoder);
    uint64_t rows = head->kind == HEAD_CLASSIFY ? 1 : row_count;
    uint64_t hidden = encoder->config.hidden_size;
    uint64_t dense = hidden * head->dense.weights.columns + hidden * head->back.weights.depth;
    uint64_t outputs = head->kind == HEAD_FILL ? encoder->config.vocabulary_size : head->output.weights.columns;
    return head->kind == HEAD_NONE ? 0 : 2 * rows * (dense + depth * outputs);
}

/* Takes rows[row_count][H] through the dense layers and the norm. Returns rows of D floats: scratch->features, or
 * `rows` where the head has neither. */
static const float *head_features(const Encoder *encoder, const HeadScratch *scratch, const float *rows,
                                  uint32_t row_count)
{
    const EncoderHead *head = &encoder->head;
    uint32_t hidden = encoder->config.hidden_size;
    uint32_t depth = head_depth(encoder);
    uint32_t columns = head->dense.weights.columns;
    bool back = head->back.weights.columns > 0;
    float *out = scratch->features;
    if (columns == 0) return rows;
    gemm_multiply(encoder->kernels, &head->dense.weights, rows, hidden, row_count, back ? scratch->wide : out,
                  columns, &(GemmEpilogue){.bias = head->dense.bias, .activation = head->activation});
    if (back) {
        gemm_multiply(encoder->kernels, &head->back.weights, scratch->wide, columns, row_count, out, depth,
                      &(GemmEpilogue){.bias = head->back.bias, .residual = rows, .residual_stride = hidden});
    }
    if (head->norm.gain) {
        encoder->kernels->layer_norm(out, out, row_count, depth, head->norm.gain, head->norm.shift,
                                     encoder->config.norm_epsilon);
    }
    return out;
}

static void head_multiply(const Encoder *encoder, const float *features, uint32_t row_count, float *out)
{
    const EncoderLinear *output = &encoder->head.output;
    gemm_multiply(encoder->kernels, &output->weights, features, output->weights.depth, row_count, out,
                  output->weights.columns, &(GemmEpilogue){.bias = output->bias});
}

static void rows_add(const float *rows, uint32_t row_count, uint32_t size, float *sum)
{
    for (uint32_t row = 0; row < row_count; row++)
        for (uint32_t i = 0; i < size; i++) sum[i] += rows[(size_t)row * size + i];
}

/* The mean of the features of all rows: its logits are the mean of theirs. */
static const float *head_pool_late(const Encoder *encoder, const HeadScratch *scratch, const float *rows,
                                   uint32_t row_count)
{
    uint32_t hidden = encoder->config.hidden_size;
    uint32_t depth = head_depth(encoder);
    memset(scratch->pooled, 0, depth * sizeof *scratch->pooled);
    for (uint32_t row = 0; row < row_count; row += HEAD_ROWS_MAX) {
        uint32_t count = row_count - row < HEAD_ROWS_MAX ? row_count - row : HEAD_ROWS_MAX;
        rows_add(head_features(encoder, scratch, rows + (size_t)row * hidden, count), count, depth,
                 scratch->pooled);
    }
    for (uint32_t i = 0; i < depth; i++) scratch->pooled[i] /= (float)row_count;
    return scratch->pooled;
}

static const float *head_pool_mean(const Encoder *encoder, const HeadScratch *scratch, const float *rows,
                                   uint32_t row_count)
{
    uint32_t hidden = encoder->config.hidden_size;
    memset(scratch->pooled, 0, hidden * sizeof *scratch->pooled);
    rows_add(rows, row_count, hidden, scratch->pooled);
    for (uint32_t i = 0; i < hidden; i++) scratch->pooled[i] /= (float)row_count;
    return head_features(encoder, scratch, scratch->pooled, 1);
}

static void head_classify(const Encoder *encoder, const HeadScratch *scratch, const float *rows,
                          uint32_t row_count, float *out_logits)
{
    const float *features = NULL;
    switch (encoder->head.pooling) {
    case HEAD_POOLING_FIRST:
        features = head_features(encoder, scratch, rows, 1);
        break;
    case HEAD_POOLING_MEAN:
        features = head_pool_mean(encoder, scratch, rows, row_count);
        break;
    case HEAD_POOLING_LATE:
        features = head_pool_late(encoder, scratch, rows, row_count);
        break;
    }
    head_multiply(encoder, features, 1, out_logits);
}

/* Writes the logits of `count` rows, from `row` on, to where the head's kind wants them. */
static void head_put_rows(const Encoder *encoder, const HeadScratch *scratch, const float *features, uint32_t row,
                          uint32_t count, uint32_t row_count, float *out_logits)
{
    size_t columns = encoder->head.output.weights.columns;
    if (encoder->head.kind == HEAD_TAG) {
        head_multiply(encoder, features, count, out_logits + row * columns);
        return;
    }
    head_multiply(encoder, features, count, scratch->logits);
    for (uint32_t i = 0; i < count; i++) {
        out_logits[row + i] = scratch->logits[2 * i];
        out_logits[row_count + row + i] = scratch->logits[2 * i + 1];
    }
}

void head_run(const Encoder *encoder, float *floats, const float *rows, uint32_t row_count, float *out_logits)
{
    assert(encoder->head.kind != HEAD_NONE && encoder->head.kind != HEAD_FILL && row_count >= 1);
    HeadScratch scratch = head_scratch(encoder, floats);
    if (encoder->head.kind == HEAD_CLASSIFY) {
        head_classify(encoder, &scratch, rows, row_count, out_logits);
        return;
    }
    for (uint32_t row = 0; row < row_count; row += HEAD_ROWS_MAX) {
        uint32_t count = row_count - row < HEAD_ROWS_MAX ? row_count - row : HEAD_ROWS_MAX;
        const float *features =
            head_features(encoder, &scratch, rows + (size_t)row * encoder->config.hidden_size, count);
        head_put_rows(encoder, &scratch, features, row, count, row_count, out_logits);
    }
}

static void decoder_read_row(const void *context, uint32_t column, float *out_row)
{
    const DecoderRows *rows = context;
    uint64_t depth = rows->decoder->shape[1];
    tensor_read(rows->decoder, (rows->first + column) * depth, depth, out_row);
}

void head_run_vocabulary(const Encoder *encoder, float *floats, const float *rows, uint32_t row_count,
                         HeadVisit visit, void *context)
{
    assert(encoder->head.kind == HEAD_FILL && row_count >= 1 && row_count <= HEAD_ROWS_MAX);
    const EncoderHead *head = &encoder->head;
    HeadScratch scratch = head_scratch(encoder, floats);
    uint32_t depth = head_depth(encoder);
    uint32_t vocabulary = encoder->config.vocabulary_size;
    const float *features = head_features(encoder, &scratch, rows, row_count);
    for (uint32_t first = 0; first < vocabulary; first += HEAD_COLUMNS_MAX) {
        uint32_t count = vocabulary - first < HEAD_COLUMNS_MAX ? vocabulary - first : HEAD_COLUMNS_MAX;
        DecoderRows decoder = {&head->decoder, first};
        GemmWeights weights = gemm_weights_read(encoder->kernels, count, depth, decoder_read_row, &decoder,
                                                scratch.packing, scratch.panels);
        gemm_multiply(encoder->kernels, &weights, features, depth, row_count, scratch.logits, HEAD_COLUMNS_MAX,
                      &(GemmEpilogue){.bias = head->decoder_bias ? head->decoder_bias + first : NULL});
        visit(context, first, count, scratch.logits);
    }
}
