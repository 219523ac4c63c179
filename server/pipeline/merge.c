/* One result of a text's chunks: vectors and logits. Sums run in the order of the chunks and in double, so that they
 * are the same bits whoever computed the chunks when. */
#include "encoder/pooling.h"
#include "pipeline/pipeline_state.h"

#include <math.h>

static double chunk_token_count(const Prepared *whole, uint32_t index)
{
    TokenRange tokens = whole->chunks.items[index].tokens;
    return tokens.end - tokens.begin;
}

static void weights_normalize(uint32_t count, float *weights)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += (double)weights[i];
    for (uint32_t i = 0; i < count; i++) weights[i] = (float)((double)weights[i] / sum);
}

void pipeline_chunk_weights(const Prepared *whole, float *out_weights)
{
    uint32_t count = whole->chunks.count;
    for (uint32_t i = 0; i < count; i++) out_weights[i] = (float)chunk_token_count(whole, i);
    weights_normalize(count, out_weights);
}

/* sum weights_i vectors_i, column by column */
static void vectors_sum(const float *const *vectors, const float *weights, uint32_t count, uint32_t size,
                        float *out_sum)
{
    for (uint32_t column = 0; column < size; column++) {
        double sum = 0;
        for (uint32_t i = 0; i < count; i++) sum += (double)weights[i] * (double)vectors[i][column];
        out_sum[column] = (float)sum;
    }
}

static double product(const float *a, const float *b, uint32_t size)
{
    double sum = 0;
    for (uint32_t i = 0; i < size; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Scaled dot-product attention (Vaswani et al. 2017, equation 1) of one query, the mean by tokens, over the chunks'
 * vectors, each brought to a mean square of 1, as layers' norms do: q k / sqrt(d) is then sqrt(d) cos(q, k). A chunk
 * counts as often as it has tokens. A vector of length 0 has no direction: a cosine of 0. */
static void weights_by_attention(const Prepared *whole, const float *const *vectors, uint32_t size,
                                 const float *query, float *out_weights)
{
    uint32_t count = whole->chunks.count;
    double query_square = product(query, query, size);
    double maximum = -INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        double squares = query_square * product(vectors[i], vectors[i], size);
        double cosine = squares > 0 ? product(query, vectors[i], size) / sqrt(squares) : 0;
        out_weights[i] = (float)(sqrt((double)size) * cosine);
        maximum = fmax(maximum, (double)out_weights[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        out_weights[i] = (float)(chunk_token_count(whole, i) * exp((double)out_weights[i] - maximum));
    }
    weights_normalize(count, out_weights);
}

static void vectors_maximum(const float *const *vectors, uint32_t count, uint32_t size, float *out_vector)
{
    memcpy(out_vector, vectors[0], size * sizeof *out_vector);
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t column = 0; column < size; column++)
            out_vector[column] = fmaxf(out_vector[column], vectors[i][column]);
}

void pipeline_merge_vectors(const Pipeline *pipeline, const EmbedOptions *options, ChunkAggregate aggregate,
                            const Prepared *whole, const float *const *vectors, float *out_weights,
                            float *out_vector)
{
    uint32_t count = whole->chunks.count;
    uint32_t size = options->dimensions ? options->dimensions : pipeline_vector_size(pipeline);
    pipeline_chunk_weights(whole, out_weights);
    if (pipeline_is_sparse(pipeline)) {
        vectors_maximum(vectors, count, size, out_vector);
    } else {
        vectors_sum(vectors, out_weights, count, size, out_vector);
        if (aggregate == CHUNK_ATTENTION) {
            weights_by_attention(whole, vectors, size, out_vector, out_weights);
            vectors_sum(vectors, out_weights, count, size, out_vector);
        }
    }
    if (embed_normalizes(pipeline, options)) pooling_normalize(out_vector, size);
}

void pipeline_merge_logits(const Pipeline *pipeline, const Prepared *whole, const float *const *logits,
                           float *out_logits)
{
    uint32_t size = pipeline_label_count(pipeline);
    if (!pipeline_is_cut(whole)) {
        memcpy(out_logits, logits[0], size * sizeof *out_logits);
        return;
    }
    double token_count = 0;
    for (uint32_t i = 0; i < whole->chunks.count; i++) token_count += chunk_token_count(whole, i);
    for (uint32_t label = 0; label < size; label++) {
        double sum = 0;
        for (uint32_t i = 0; i < whole->chunks.count; i++) {
            sum += chunk_token_count(whole, i) * (double)logits[i][label];
        }
        out_logits[label] = (float)(sum / token_count);
    }
}
