/* From ids to the first layer's input. */
#include "encoder/embeddings.h"

#include "encoder/steps.h"

#include <string.h>

static void embeddings_add(float *row, const float *values, size_t size)
{
    for (size_t i = 0; i < size; i++) row[i] += values[i];
}

static void embeddings_scale(float *row, float factor, size_t size)
{
    for (size_t i = 0; i < size; i++) row[i] *= factor;
}

/* rows[count][E] = word + type + position of the tokens from `first` on, of which the first stands at *position. Where
 * positions have an offset, a pad token inside the text stands at the pad token's own row, and is not counted. */
static void embeddings_gather(const Encoder *encoder, const EncoderSequence *sequence, uint32_t first,
                              uint32_t count, uint32_t *position, float *rows)
{
    const ModelConfig *config = &encoder->config;
    size_t size = config->embedding_size;
    for (uint32_t token = first; token < first + count; token++) {
        float *row = rows + (token - first) * size;
        uint32_t id = sequence->ids[token];
        if (sequence->words)
            memcpy(row, sequence->words + token * size, size * sizeof *row);
        else
            tensor_read(&encoder->word_embeddings, id * (uint64_t)size, size, row);
        if (config->embedding_scale != 0) embeddings_scale(row, config->embedding_scale, size);
        if (encoder->type_embeddings) {
            uint32_t type = config->type_count > 1 ? sequence->type_ids[token] : 0;
            embeddings_add(row, encoder->type_embeddings + type * size, size);
        }
        if (!encoder->position_embeddings) continue;
        bool padding = config->position_offset && id == config->position_offset - 1;
        embeddings_add(row, encoder->position_embeddings + (padding ? id : *position) * size, size);
        *position += !padding;
    }
}

/* out[t] = activation(the sum over all taps of rows[t + tap - tap_count / 2] * weights + bias), rows before the first
 * and after the last being zero. */
static void embeddings_convolve(const Encoder *encoder, const float *rows, uint32_t token_count, float *out)
{
    size_t size = encoder->config.hidden_size;
    uint32_t tap_count = encoder->config.convolution_size;
    uint32_t middle = tap_count / 2;
    encoder_multiply(encoder, &encoder->convolution[middle], rows, size, token_count, out, NULL, GEMM_NONE);
    for (uint32_t tap = 0; tap < tap_count; tap++) {
        uint32_t distance = tap < middle ? middle - tap : tap - middle;
        size_t from = tap < middle ? 0 : distance * size;
        size_t to = tap < middle ? distance * size : 0;
        if (tap == middle || distance >= token_count) continue;
        encoder_multiply(encoder, &encoder->convolution[tap], rows + from, size, token_count - distance, out + to,
                         out + to, GEMM_NONE);
    }
    encoder->kernels->activate(encoder->convolution_activation, out, size, token_count, size);
}

/* hidden[count][H] of the tokens from `first` on, at most UNIT_ROWS. */
static void embeddings_block(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                             uint32_t first, uint32_t count, uint32_t *position, float *hidden)
{
    const ModelConfig *config = &encoder->config;
    bool projected = encoder->projection.weights.columns > 0;
    bool norm_first = projected && !encoder->layout->projection_before_norm;
    float *rows = projected ? workspace->scratch.rows : hidden;
    embeddings_gather(encoder, sequence, first, count, position, rows);
    if (norm_first)
        encoder_normalize(encoder, &encoder->embedding_norm, rows, rows, count, config->embedding_size);
    if (projected)
        encoder_multiply(encoder, &encoder->projection, rows, config->embedding_size, count, hidden, NULL,
                         GEMM_NONE);
    if (!norm_first && encoder->embedding_norm.gain)
        encoder_normalize(encoder, &encoder->embedding_norm, hidden, hidden, count, config->hidden_size);
}

void encoder_embed(const Encoder *encoder, EncoderWorkspace *workspace, const EncoderSequence *sequence,
                   size_t offset)
{
    float *hidden = workspace->hidden + offset;
    uint32_t token_count = sequence->token_count;
    uint32_t position = encoder->config.position_offset;
    for (uint32_t first = 0; first < token_count; first += UNIT_ROWS) {
        uint32_t count = token_count - first < UNIT_ROWS ? token_count - first : UNIT_ROWS;
        embeddings_block(encoder, workspace, sequence, first, count, &position,
                         hidden + (size_t)first * encoder->config.hidden_size);
    }
    if (encoder->convolution) embeddings_convolve(encoder, hidden, token_count, workspace->beside + offset);
}

void encoder_gather(const Encoder *encoder, const EncoderSequence *sequence, float *rows)
{
    uint32_t position = encoder->config.position_offset;
    embeddings_gather(encoder, sequence, 0, sequence->token_count, &position, rows);
}

void encoder_add_convolution(const Encoder *encoder, EncoderWorkspace *workspace, uint32_t token_count)
{
    uint32_t size = encoder->config.hidden_size;
    embeddings_add(workspace->hidden, workspace->beside, (size_t)token_count * size);
    encoder_normalize(encoder, &encoder->convolution_norm, workspace->hidden, workspace->hidden, token_count,
                      size);
}
