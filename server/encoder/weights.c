/* Opening an encoder: the two passes of its loader over the same code. */
#include "encoder/weights.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024 }; /* weights are read end to end all the time: fewer, larger pages */

static CHECKED Status weights_embeddings(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const EncoderLayout *layout = encoder->layout;
    uint32_t size = config->embedding_size;
    bool projected = layout->projection && (layout->projection_always || size != config->hidden_size);
    LinearBias bias = layout->projection_before_norm ? LINEAR_NO_BIAS : LINEAR_BIAS;
    uint32_t norm_size = projected && !layout->projection_before_norm ? size : config->hidden_size;
    loader_leave(loader);
    Status status =
        loader_find(loader, layout->word_embeddings, config->vocabulary_size, size, &encoder->word_embeddings);
    if (!status && config->position_rows) {
        status = loader_copy(loader, layout->position_embeddings, config->position_rows, size,
                             &encoder->position_embeddings);
    }
    if (!status && config->type_count)
        status = loader_copy(loader, layout->type_embeddings, config->type_count, size, &encoder->type_embeddings);
    if (!status && layout->embedding_norm)
        status = loader_norm(loader, layout->embedding_norm, norm_size, config->norm, &encoder->embedding_norm);
    if (status || !projected) return status;
    return loader_linear(loader, &(LinearPart){layout->projection, config->hidden_size}, 1, size, bias,
                         &encoder->projection);
}

/* DeBERTa's convolution, and the norm of some architectures behind the last layer. */
static CHECKED Status weights_extras(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const EncoderLayout *layout = encoder->layout;
    Status status = STATUS_OK;
    loader_leave(loader);
    if (config->convolution_size) {
        status = loader_convolution(loader, layout->convolution, config->hidden_size, config->convolution_size,
                                    encoder->convolution);
        if (!status) {
            status = loader_norm(loader, layout->convolution_norm, config->hidden_size, config->norm,
                                 &encoder->convolution_norm);
        }
    }
    if (status || !layout->final_norm) return status;
    return loader_norm(loader, layout->final_norm, config->hidden_size, config->norm, &encoder->final_norm);
}

static CHECKED Status weights_pass(Loader *loader, Encoder *encoder)
{
    loader->used = 0;
    Status status = weights_embeddings(loader, encoder);
    if (!status) status = weights_load_positions(loader, encoder);
    for (uint32_t i = 0; !status && i < encoder_layer_count(loader->config); i++)
        status = weights_load_layer(loader, encoder, i);
    if (!status) status = weights_extras(loader, encoder);
    if (!status) status = heads_load(loader, &encoder->word_embeddings, &encoder->head);
    if (!status) status = vector_steps_load(loader, &encoder->steps);
    return status;
}

static CHECKED Status weights_allocate(Loader *loader, Encoder *encoder)
{
    size_t bytes = (loader->used * sizeof(float) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    encoder->block = aligned_alloc(HUGE_PAGE_BYTES, bytes);
    loader->scratch = malloc(loader->scratch_size * sizeof(float));
    loader->block = encoder->block;
    encoder->block_bytes = bytes;
    if (!encoder->block || !loader->scratch)
        return error_set(loader->error, STATUS_NO_MEMORY,
                         "%s: its weights take %zu MiB, which this process cannot get",
                         checkpoint_directory(loader->checkpoint), bytes >> 20);
    /* Advice only: without huge pages the same reads miss the TLB more often. */
    (void)madvise(encoder->block, bytes, MADV_HUGEPAGE);
    return STATUS_OK;
}

static CHECKED Status weights_open_rotary(const ModelConfig *config, const RotaryConfig *rotary,
                                          Rotary **out_rotary, Error *out_error)
{
    static const RotaryScaling scalings[] = {
        [ROTARY_KIND_DEFAULT] = ROTARY_DEFAULT, [ROTARY_KIND_LINEAR] = ROTARY_LINEAR,
        [ROTARY_KIND_NTK] = ROTARY_NTK,         [ROTARY_KIND_DYNAMIC] = ROTARY_DYNAMIC,
        [ROTARY_KIND_YARN] = ROTARY_YARN,       [ROTARY_KIND_LLAMA3] = ROTARY_LLAMA3,
    };
    bool dynamic = rotary->kind == ROTARY_KIND_DYNAMIC;
    const RotaryPlan plan = {
        .scaling = scalings[rotary->kind],
        .size = rotary->size,
        .position_count = dynamic ? rotary->position_count : config->position_count,
        .original_position_count = rotary->position_count,
        .theta = rotary->theta,
        .factor = rotary->factor,
        .attention_factor = rotary->attention_factor,
        .beta_fast = rotary->beta_fast,
        .beta_slow = rotary->beta_slow,
        .mscale = rotary->mscale,
        .mscale_all_dim = rotary->mscale_all_dim,
        .no_truncation = rotary->no_truncation,
        .low_frequency_factor = rotary->low_frequency_factor,
        .high_frequency_factor = rotary->high_frequency_factor,
    };
    return rotary_open(&plan, out_rotary, out_error);
}

static CHECKED Status weights_open_rotaries(Encoder *encoder, Error *out_error)
{
    const ModelConfig *config = &encoder->config;
    Status status = STATUS_OK;
    if (config->rotary.theta > 0)
        status = weights_open_rotary(config, &config->rotary, &encoder->rotary, out_error);
    if (!status && config->local_rotary.theta > 0)
        status = weights_open_rotary(config, &config->local_rotary, &encoder->local_rotary, out_error);
    return status;
}

/* Everything that is known before a tensor is looked at. */
static CHECKED Status weights_describe(const Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const DisentangledConfig *terms = &config->disentangled;
    uint32_t count = encoder_layer_count(config);
    float scaled_size = (float)(config->head_size * (1 + terms->content_to_position + terms->position_to_content));
    encoder->config = *config;
    encoder->kernels = loader->kernels;
    encoder->layout = layout_find(loader);
    encoder->activation = heads_activation(config->activation);
    encoder->convolution_activation = heads_activation(config->convolution_activation);
    encoder->layers = calloc(count, sizeof *encoder->layers);
    if (config->convolution_size)
        encoder->convolution = calloc(config->convolution_size, sizeof *encoder->convolution);
    if (!encoder->layers || (config->convolution_size && !encoder->convolution)) {
        return error_set(loader->error, STATUS_NO_MEMORY, "No memory for the encoder of %s",
                         checkpoint_directory(loader->checkpoint));
    }
    for (uint32_t i = 0; i < count; i++)
        encoder->layers[i].plan = (AttentionPlan){.head_count = config->head_count,
                                                  .key_value_head_count = config->key_value_head_count,
                                                  .head_size = config->head_size,
                                                  .scale = 1.0f / sqrtf(scaled_size)};
    if (config->position_bias != POSITION_BIAS_DISENTANGLED) return STATUS_OK;
    return attention_buckets_open(terms->bucket_count, terms->distance_max, encoder->config.position_count,
                                  &encoder->buckets, loader->error);
}

CHECKED Status encoder_open(const Checkpoint *checkpoint, const Kernels *kernels, Encoder **out_encoder,
                            Error *out_error)
{
    const ModelConfig *config = checkpoint_config(checkpoint);
    Loader loader = {.checkpoint = checkpoint, .config = config, .kernels = kernels, .error = out_error};
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return error_set(out_error, STATUS_NO_MEMORY, "No memory for the encoder of %s",
                         checkpoint_directory(checkpoint));
    Status status = weights_describe(&loader, encoder);
    if (!status) status = weights_pass(&loader, encoder);
    if (!status) status = weights_open_rotaries(encoder, out_error);
    if (!status) status = weights_allocate(&loader, encoder);
    if (status) goto fail;
    size_t proved = loader.used;
    status = weights_pass(&loader, encoder);
    if (status) goto fail;
    assert(loader.used == proved);
    free(loader.scratch);
    *out_encoder = encoder;
    return STATUS_OK;
fail:
    free(loader.scratch);
    encoder_close(encoder);
    return status;
}

uint64_t encoder_bytes(const Encoder *encoder)
{
    uint64_t layers = encoder_layer_count(&encoder->config) * (uint64_t)sizeof *encoder->layers;
    return encoder->block_bytes + layers + rotary_bytes(encoder->rotary) + rotary_bytes(encoder->local_rotary);
}

void encoder_close(Encoder *encoder)
{
    if (!encoder) return;
    rotary_close(encoder->rotary);
    rotary_close(encoder->local_rotary);
    attention_buckets_close(encoder->buckets);
    free(encoder->block);
    free(encoder->layers);
    free(encoder->convolution);
    free(encoder);
}
